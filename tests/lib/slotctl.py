"""A real slotctl for tests, and the wrapped commands that they give it.

These commands say on their standard output when they are where the test wants them, and go on when
their standard input says so: these are all the barriers."""
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import unittest

from slotd import SLOTCTL, TIMEOUT, WRAP, Daemon, Failure, Log, wait_end

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIG = "[group two]\nlimit = 2\n"
SHORT_LEASE = "[lease]\nlease_ms = 1000\nmargin_ms = 50\n"

# Prints the name of each signal that comes; ends with 7 at the one named by its argument.
NAMES_SIGNALS = [sys.executable, "-c", """
import os, signal, sys
every = {getattr(signal, "SIG" + name) for name in "TERM INT HUP QUIT USR1 USR2".split()}
signal.pthread_sigmask(signal.SIG_BLOCK, every)
print("ready", os.getpid(), flush=True)
while True:
    name = signal.Signals(signal.sigwait(every)).name
    print(name, flush=True)
    if name == sys.argv[1]:
        sys.exit(7)
"""]

# The command, and whom it leaves anywhere: a child, one of a thread's, one in another session, and
# a daemon, whose parent has ended.  Each says "NAME is there", and with "ends" its signal, and ends.
FAMILY = [sys.executable, "-c", """
import os, signal, sys, threading
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
def live(name):
    print(f"{name} is there\\n", end="", flush=True)
    while signal.sigwait({signal.SIGTERM}) and sys.argv[1] != "ends":
        pass
    print(f"{name} got SIGTERM\\n", end="", flush=True)
    os._exit(0)
def child(name, prepare=lambda: None):
    if os.fork() == 0:
        prepare()
        live(name)
def leave():
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
child("child")
child("session", os.setsid)
child("daemon", leave)
thread = threading.Thread(target=lambda: (child("thread's"), signal.pause()), daemon=True)
thread.start()
live("command")
"""]
FAMILY_NAMES = {"command", "child", "thread's", "session", "daemon"}
GATE = ["sh", "-c", "echo ready $$; read gate; exit 3"]


class Slotctl:
    """A slotctl that runs; stdin, stdout and stderr are pipes unless given."""

    def __init__(self, path, *args, before=(), wrap=WRAP, env=None, **options):
        full = {**os.environ, "SLOTD_SOCKET": path, "LC_ALL": "C.UTF-8", **(env or {})}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options}
        self.process = subprocess.Popen([*before, *wrap, SLOTCTL, *args], env=full, bufsize=0,
                                        stderr=subprocess.PIPE, **pipes)
        self.log = Log(os.fdopen(os.dup(self.process.stderr.fileno()), encoding="utf-8"))
        self.process.stderr.close()

    def line(self):
        """The next line of its standard output (or its command's); "" at the end."""
        return read_line(self.process.stdout.fileno())

    def expect(self, *lines):
        for line in lines:
            found = self.line()
            if found != line:
                raise Failure(f"expected {line!r}, got {found!r}; stderr:\n{self.log}")

    def expect_set(self, lines):
        """The next lines, in any order."""
        left = set(lines)
        while left:
            line = self.line()
            if line not in left:
                raise Failure(f"expected one of {left}, got {line!r}; stderr:\n{self.log}")
            left.remove(line)

    def ready(self):
        """Waits until the command runs.  -> its pid"""
        line = self.line()
        if not re.fullmatch(r"ready \d+", line):
            raise Failure(f"not ready but {line!r}; stderr:\n{self.log}")
        return int(line.split()[1])

    def go_on(self):
        self.process.stdin.close()

    def signal(self, signo):
        self.process.send_signal(signo)

    def end(self):
        """-> its exit status, 128 + n if it died by a signal"""
        status = wait_end(self.process, f"slotctl, stderr {self.log.lines},")
        return status if status >= 0 else 128 - status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_line(fd):
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([fd], [], [], TIMEOUT)[0]:
            raise Failure(f"no line after {TIMEOUT:.0f} s; have {line!r}")
        try:
            byte = os.read(fd, 1)
        except OSError:         # a terminal that everybody has closed
            byte = b""
        if not byte:
            break
        line += byte
    return line.decode().rstrip("\r\n")


class MadeUpSlotd:
    """A slotd of the test's own, for what the real one does not do, or not at the right moment."""

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory()
        self.path = os.path.join(self._directory.name, "s")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._listener.settimeout(TIMEOUT)
        return self

    def __exit__(self, *_):
        self._listener.close()
        self._directory.cleanup()

    def accept(self):
        return self._listener.accept()[0]

    @staticmethod
    def request(connection, verb):
        """Reads lines up to one with that verb, answering HELLO.  -> its tag, its words"""
        while True:
            tag, *words = read_line(connection.fileno()).split()
            if words[0] == verb:
                return tag, words
            connection.sendall(f"{tag} OK version=0 protocol=1 features=detail,events\n".encode())


class Case(unittest.TestCase):
    config = CONFIG

    def setUp(self):
        self.slotd = self.daemon(self.config)

    def daemon(self, config="", **options):
        return self.enterContext(Daemon(config, **options))

    def enterContext(self, manager):        # unittest has it since Python 3.11
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def client(self):
        return self.enterContext(self.slotd.client())

    def start(self, *args, path=None, **options):
        return self.enterContext(Slotctl(path or self.slotd.socket, *args, **options))

    def slotctl(self, *args, **options):
        """-> exit status, standard output, standard error"""
        with tempfile.TemporaryFile() as out:
            run = self.start(*args, stdin=subprocess.DEVNULL, stdout=out, **options)
            status = run.end()
            run.log.join()
            out.seek(0)
            return status, out.read().decode(), "\n".join(run.log.lines)

    def holder(self, group="g", limit=1):
        client = self.client()
        client.expect(r"OK 1 \d+", f"ACQUIRE {group} limit={limit} wait=0")
        return client

    def is_free(self, group="g"):
        """Whether a slot of limit 1 can be had now."""
        with self.slotd.client() as client:
            answer = client.ask(f"ACQUIRE {group} limit=1 wait=0")
            self.assertRegex(answer, "^(OK 1 |ERR full )")
            client.expect(".*", "RELEASE *")
            return answer.startswith("OK")
