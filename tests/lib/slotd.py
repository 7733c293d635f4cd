"""Real daemons and raw clients for tests.

    with Daemon("[group g]\\nlimit = 2\\n") as slotd, slotd.client() as a:
        assert a.ask("ACQUIRE g").startswith("OK 1 ")

Nothing here sleeps or polls: each wait is for an event (readiness, a line, an EOF, a line of the
log, an end of a process) and fails loudly after TIMEOUT, which is generous on purpose.

Environment: SLOTD (build/slotd), SLOTD_WRAP (a command put before it, such as valgrind),
SLOTD_TEST_SLOW (multiplies the timeout).
"""
import contextlib
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

SLOTD = os.path.abspath(os.environ.get("SLOTD", "build/slotd"))
SLOTCTL = os.path.abspath(os.environ.get("SLOTCTL", "build/slotctl"))
WRAP = shlex.split(os.environ.get("SLOTD_WRAP", ""))
TIMEOUT = 30 * float(os.environ.get("SLOTD_TEST_SLOW", "1"))

LOG_LINE = re.compile(r"^\S+Z slotd\[\d+\] (error|warning|info|debug): ")


class Failure(AssertionError):
    """What a daemon or a client did wrong; for a daemon, with its log."""


def wait_end(process, what):
    """Waits for the end of a subprocess.Popen without polling.  -> its return code"""
    if process.poll() is not None:
        return process.returncode
    fd = os.pidfd_open(process.pid)
    try:
        if not select.select([fd], [], [], TIMEOUT)[0]:
            raise Failure(f"{what} has not ended after {TIMEOUT:.0f} s")
    finally:
        os.close(fd)
    return process.wait()


class Log:
    """The lines that a process writes to a pipe, as they come."""

    def __init__(self, pipe):
        self.lines = []
        self._pipe = pipe
        self._more = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with self._pipe:
            for line in self._pipe:
                with self._more:
                    self.lines.append(line.rstrip("\n"))
                    self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def find(self, pattern):
        return [line for line in self.lines if re.search(pattern, line)]

    def wait_for(self, pattern, count=1):
        """Waits until `count` lines match the regular expression.  -> these lines"""
        with self._more:
            self._more.wait_for(lambda: len(self.find(pattern)) >= count or self._ended, TIMEOUT)
            found = self.find(pattern)
        if len(found) < count:
            raise Failure(f"the log has {len(found)} of {count} lines like: {pattern}\n{self}")
        return found

    def join(self):
        """All of it, when every writer has gone."""
        self._thread.join(TIMEOUT)
        if self._thread.is_alive():
            raise Failure("a process has outlived slotd and holds its standard error")

    def __str__(self):
        return "\n".join(f"  | {line}" for line in self.lines)


class Daemon:
    """A slotd of its own in a temporary directory; ready when the constructor returns.

    expect: regular expressions of the warnings and errors that its log may have."""

    def __init__(self, config="", *args, expect=(), env=None, before_exec=None):
        # the machine may allow less than the default of max_clients, and may be too busy to let a
        # Redis answer in the short times that tests give it
        self.expect = [r"max_clients is \d+, not \d+", r": hung: no answer within \d+ ms", *expect]
        self.dir = tempfile.mkdtemp(prefix="slotd-test-")
        self.socket = os.path.join(self.dir, "slotd.sock")
        self.config = os.path.join(self.dir, "slotd.conf")
        self.process = self.log = None
        self._args, self._env, self._before_exec = args, env or {}, before_exec
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.settimeout(TIMEOUT)
        self._notify.bind(os.path.join(self.dir, "notify"))
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)
        try:
            self.start()
        except BaseException:
            self.kill()
            raise

    def start(self):
        """Starts it and waits for READY=1; by itself only after stop(keep=True) or kill(keep=True)."""
        env = {k: v for k, v in os.environ.items()
               if k not in ("JOURNAL_STREAM", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
        env.update(self._env, NOTIFY_SOCKET=self._notify.getsockname())
        self.process = subprocess.Popen(
            [*WRAP, SLOTD, "--config", self.config, "--socket", self.socket, *self._args],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, errors="backslashreplace", preexec_fn=self._before_exec)
        self.log = Log(self.process.stderr)
        fd = os.pidfd_open(self.process.pid)
        try:
            ready = False
            while not ready:
                readable = select.select([self._notify, fd], [], [], TIMEOUT)[0]
                if self._notify not in readable:
                    self.fail("has ended" if readable else "is not ready")
                ready = "READY=1" in self._notify.recv(4096).decode().split("\n")
        finally:
            os.close(fd)

    def client(self):
        return Client(self.socket)

    def fail(self, what):
        if self.process.poll() is not None:
            self.log.join()
        raise Failure(f"slotd {what} (status {self.process.poll()}); its log:\n{self.log}")

    def stop(self, keep=False, sig=signal.SIGTERM):
        """Ends it in good order: exit status 0, a clean log, nothing left behind."""
        try:
            if self.process is None:
                return
            self.process.send_signal(sig)
            status = wait_end(self.process, "slotd")
            self.log.join()
            if status != 0:
                self.fail("did not end in good order")
            self.check_log()
            left = set(os.listdir(self.dir)) - {"notify", "slotd.conf", "slotd.sock.lock", "slotd.sock.page"}
            if left:
                self.fail(f"left {left} behind")
            self.process = None
        finally:
            if not keep or self.process is not None:
                self.kill()

    def kill(self, keep=False):
        """kill -9, and no questions asked."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.log.join()
            self.process = None
        if not keep:
            self._notify.close()
            shutil.rmtree(self.dir, ignore_errors=True)

    def check_log(self):
        """No line that is not the log's own (a sanitizer's), no warning that was not expected."""
        for line in self.log.lines:
            form = LOG_LINE.match(line)
            if form and form[1] in ("info", "debug"):
                continue
            if not form or not any(re.search(pattern, line) for pattern in self.expect):
                self.fail(f"logged: {line}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
            return
        if self.process is not None:
            if not issubclass(kind, Failure) or "its log:" not in str(value):
                print(f"slotd's log:\n{self.log}", file=sys.stderr)
        self.kill()


class Client:
    """A raw connection.  Lines go in as str or bytes and come out as str, without their LF."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        self._buffer = b""
        try:
            self.socket.connect(path)
        except BaseException:
            self.socket.close()
            raise

    def send(self, *lines):
        self.send_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n"
                                 for line in lines))

    def send_bytes(self, data):
        self.socket.sendall(data)

    def receive(self):
        return self.socket.recv(65536)

    def readline(self):
        """One line; EOFError at the end of the input, or where the connection was reset."""
        while b"\n" not in self._buffer:
            try:
                more = self.receive()
            except socket.timeout:
                raise Failure(f"no line after {TIMEOUT:.0f} s; have {self._buffer!r}") from None
            except ConnectionResetError:
                more = b""
            if not more:
                if self._buffer:
                    raise Failure(f"half a line at EOF: {self._buffer!r}")
                raise EOFError("slotd has closed the connection")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("ascii")         # slotd writes nothing else

    def is_readable(self, seconds=0):
        """Is there something to read, or will there be within that time?"""
        return bool(self._buffer or select.select([self.socket], [], [], seconds)[0])

    def ask(self, line):
        self.send(line)
        return self.readline()

    def ask_list(self, line):
        """-> the lines of a list reply, without the first"""
        first = self.ask(line)
        words = first.split()
        if len(words) < 2 or words[0] != "OK" or not words[1].isdigit():
            raise Failure(f"{line!r} was answered {first!r}, which begins no list")
        return [self.readline() for _ in range(int(words[1]))]

    def expect(self, pattern, line=None):
        """Reads a line (sends one before, if given), which must match as a whole.  -> the match"""
        answer = self.readline() if line is None else self.ask(line)
        found = re.fullmatch(pattern, answer)
        if not found:
            raise Failure(f"expected {pattern!r}, got {answer!r}" + (f" to {line!r}" if line else ""))
        return found

    def expect_eof(self):
        try:
            line = self.readline()
        except EOFError:
            return
        raise Failure(f"expected EOF, got {line!r}")

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def bystander(slotd):
    """A client that holds a slot and waits for it once more; checks at the end that whatever else
    went on has not touched it."""
    with slotd.client() as client:
        token = client.expect(r"OK 1 (\d+)", "ACQUIRE bystander limit=1")[1]
        client.send("#w ACQUIRE bystander limit=1 wait=forever")
        client.expect("OK pong", "PING")
        yield client
        client.expect("OK pong", "PING")    # and nothing else has come before it
        client.expect("OK", f"RELEASE bystander 1 token={token}")
        client.expect(r"#w OK 1 \d+")


@contextlib.contextmanager
def served(config="", **options):
    """-> a daemon and a client of it, with a bystander that must not notice them."""
    with Daemon(config, **options) as slotd, bystander(slotd), slotd.client() as client:
        yield slotd, client
