"""A TCP proxy between daemons and a server, which can cut, stop, delay, and hide that the server
behind it is another one.

    with Redis(tcp=True) as redis, Proxy(redis.url) as proxy, \\
            Daemon(redis.config(url=proxy.url)) as slotd:
        proxy.cut()

It runs in a thread of its own; each method returns when what it says is so.
"""
import asyncio
import socket
import threading

from slotd import TIMEOUT

CHUNK = 65536


class Pair:
    """One connection of a client, and one to the server for it."""

    def __init__(self, proxy, reader, writer):
        self.proxy = proxy
        self.reader, self.writer = reader, writer
        self.up = None                      # the writer to the server
        self.reads = asyncio.Event()        # what the client says
        self.reads.set()
        self.tasks = []                     # client to server, server to client

    async def join(self):
        """A connection to the server of now, in the place of the one that there may be."""
        up_reader, up = await connect(self.proxy.upstream)
        if self.up is not None:
            self.tasks.pop().cancel()
            self.up.transport.abort()
        else:
            self.tasks.append(asyncio.ensure_future(self._pass(self.reader, lambda: self.up, self.reads)))
        self.up = up
        self.tasks.append(asyncio.ensure_future(self._pass(up_reader, lambda: self.writer)))
        self.reads.set()

    async def _pass(self, reader, to, reads=None):
        queue = asyncio.Queue()
        sender = asyncio.ensure_future(self._send(queue, to))
        try:
            data = b"more"
            while data:
                await self.proxy.going.wait()
                data = await reader.read(CHUNK)
                if reads is not None:
                    await reads.wait()
                queue.put_nowait((asyncio.get_running_loop().time() + self.proxy.seconds, data))
            await sender                    # which cuts when it comes to the end
        except OSError:
            self.cut()
        finally:
            sender.cancel()

    async def _send(self, queue, to):
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await self.proxy.going.wait()
            if not data:
                self.cut()
                return
            try:
                to().write(data)
                await to().drain()
            except OSError:
                self.cut()
                return

    def cut(self):
        """Without a word to either side: unsent bytes are lost, as when a host is gone."""
        self.proxy.pairs.discard(self)
        for task in self.tasks:
            task.cancel()
        self.writer.transport.abort()
        if self.up is not None:
            self.up.transport.abort()


async def connect(url):
    scheme, rest = url.split("://")
    if scheme == "unix":
        return await asyncio.open_unix_connection(rest)
    host, port = rest.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


class Proxy:
    """Listens on a port of 127.0.0.1.  upstream: redis://host:port or unix://path, of the server"""

    def __init__(self, upstream):
        self.upstream = upstream
        self.pairs = set()
        self.seconds = 0
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._open())

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT)

    async def _open(self):
        self.going = asyncio.Event()
        self.going.set()
        self._server = await asyncio.start_server(self._on_client, sock=self._listener)

    async def _on_client(self, reader, writer):
        pair = Pair(self, reader, writer)
        self.pairs.add(pair)
        try:
            await pair.join()
        except OSError:
            pair.cut()

    def cut(self):
        """Ends every connection; new ones are taken."""
        async def cut():
            for pair in list(self.pairs):
                pair.cut()
        self._do(cut())

    def half_close(self, to_server):
        """Ends one direction of every connection, as if its sender had said all; the other stays."""
        async def half_close():
            for pair in list(self.pairs):
                end = pair.up if to_server else pair.writer
                try:
                    if end is not None:
                        end.get_extra_info("socket").shutdown(socket.SHUT_WR)
                except OSError:
                    pair.cut()
        self._do(half_close())

    def to(self, upstream, hide=False):
        """Another server from now on.  Open connections are cut; or, with hide, stay open: what is
        under way has a moment to be answered, and the next thing that a client says goes to the new
        server."""
        async def to():
            self.upstream = upstream
            if hide:
                for pair in self.pairs:
                    pair.reads.clear()
                await asyncio.sleep(0.1 + 2 * self.seconds)
            for pair in list(self.pairs):
                try:
                    if hide:
                        await pair.join()
                    else:
                        pair.cut()
                except OSError:
                    pair.cut()
        self._do(to())

    def stop(self):
        """Nothing passes, nothing is read, nothing is closed; go() goes on with what there is."""
        async def stop():
            self.going.clear()
        self._do(stop())

    def go(self):
        async def go():
            self.going.set()
        self._do(go())

    def delay(self, seconds):
        """What arrives from now on is passed on so much later, in both directions; 0: at once."""
        async def delay():
            self.seconds = seconds
        self._do(delay())

    def close(self):
        async def close():
            self._server.close()
            for pair in list(self.pairs):
                pair.cut()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self._do(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)
        self._loop.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()
