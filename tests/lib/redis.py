"""A real Redis (or Valkey) for tests, and what slotd needs to share its slots through it.

    with Redis() as redis, Daemon(redis.config("[group g]\\nlimit = 2\\n")) as slotd:
        ...
        redis.ask("SCRIPT", "FLUSH")

Environment: REDIS_SERVER (redis-server, else valkey-server), the program to run.
"""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from slotd import TIMEOUT, Failure, Log, wait_end

SERVER = os.environ.get("REDIS_SERVER") or shutil.which("redis-server") or "valkey-server"


class Error(Exception):
    """An error reply."""


class Redis:
    """A server of its own in a temporary directory, on a Unix socket and, with tcp, on a port of
    127.0.0.1; ready when the constructor returns.  Without data on disk unless args say so."""

    def __init__(self, *args, tcp=False, running=True, before_exec=None):
        self.dir = tempfile.mkdtemp(prefix="slotd-redis-")
        self.path = os.path.join(self.dir, "redis.sock")
        self.port = free_port() if tcp else 0
        self.process = self.log = self._socket = None
        self._args, self._before_exec = args, before_exec
        if running:
            try:
                self.start()
            except BaseException:
                self.close()
                raise

    def start(self, *args, ready=r"(?i)ready to accept connections (at|unix)"):
        """Starts it and waits for that line of its log."""
        self.process = subprocess.Popen(
            [SERVER, "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.path,
             "--dir", self.dir, "--save", "", *self._args, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=self._before_exec)
        self.log = Log(self.process.stdout)
        self.log.wait_for(ready)

    def end(self, sig=signal.SIGKILL):
        """Ends the server; start() begins another one, on the same addresses."""
        if self._socket:
            self._socket.close()
            self._socket = None
        if self.process:
            self.process.send_signal(sig)
            wait_end(self.process, SERVER)
            self.log.join()
            self.process = None

    def close(self):
        self.end()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.path}"

    def config(self, more="", url=None, lease=1000, redis="", lease_more=""):
        """For Daemon(): short times, so that what takes a lease takes a second."""
        return (f"[daemon]\nlog_level = debug\ntesting = yes\n[redis]\nurl = {url or self.url}\n"
                f"command_timeout_ms = {lease // 5}\n{redis}\n"
                f"[lease]\nlease_ms = {lease}\nmargin_ms = {max(50, lease // 20)}\n{lease_more}\n{more}")

    def ask(self, *words):
        """-> the reply: bytes, int, None or a list of them"""
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(TIMEOUT)
            self._socket.connect(self.path)
            self._file = self._socket.makefile("rb")
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self._socket.sendall(b"*%d\r\n" % len(words)
                             + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        return self._read()

    def _read(self):
        line = self._file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._read() for _ in range(int(rest))]
        raise Failure(f"Redis answered {line!r}")

    def calls(self):
        """How often each command was called since the last CONFIG RESETSTAT, those in scripts too."""
        stats = self.ask("INFO", "commandstats").decode().splitlines()
        return {line.split(":")[0][len("cmdstat_"):]: int(line.split("calls=")[1].split(",")[0])
                for line in stats if line.startswith("cmdstat_")}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
