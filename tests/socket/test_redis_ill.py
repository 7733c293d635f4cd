"""A Redis that is ill, each way on a real one: told apart, said once, counted, and over when it is
over."""
import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import unittest

from redis import SERVER, Error, Redis
from slotd import Daemon

UP = "connected to (Redis|Valkey)"
TROUBLE = "trying again"


def stats(client):
    return dict(line.split("=") for line in client.ask_list("STATS"))


@contextlib.contextmanager
def endless_script(redis):
    """Somebody's script that does not end: SCRIPT KILL does it."""
    redis.ask("CONFIG", "SET", "busy-reply-threshold", 20)
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(redis.path)
        other.sendall(b"EVAL 'while true do end' 0\r\n")
        try:
            yield
        finally:
            redis.ask("SCRIPT", "KILL")


@contextlib.contextmanager
def setting(redis, name, value):
    before = redis.ask("CONFIG", "GET", name)[1]
    redis.ask("CONFIG", "SET", name, value)
    yield
    redis.ask("CONFIG", "SET", name, before)


@contextlib.contextmanager
def replica(redis):
    redis.ask("REPLICAOF", "127.0.0.1", "1")
    yield
    redis.ask("REPLICAOF", "NO", "ONE")


@contextlib.contextmanager
def user_may_not(redis, rule):
    """For connections to come; what is open stays as it was."""
    redis.ask("ACL", "SETUSER", "default", "-" + rule)
    yield
    redis.ask("ACL", "SETUSER", "default", "+" + rule)


@contextlib.contextmanager
def password(redis):
    redis.ask("CONFIG", "SET", "requirepass", "secret")
    redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
    redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    yield
    redis.ask("CONFIG", "SET", "requirepass", "")


@contextlib.contextmanager
def few_clients(redis):
    """Only as many connections as we have ourselves."""
    redis.ask("CONFIG", "SET", "maxclients", 1)
    redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
    redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    yield
    redis.ask("CONFIG", "SET", "maxclients", 1000)


@contextlib.contextmanager
def save_that_fails(redis):
    """The directory for its RDB is gone."""
    with tempfile.TemporaryDirectory() as gone:
        redis.ask("CONFIG", "SET", "dir", gone)
    redis.ask("CONFIG", "SET", "save", "3600 1000000")
    redis.ask("BGSAVE")
    redis.log.wait_for("Background saving error")
    yield
    redis.ask("CONFIG", "SET", "dir", redis.dir)
    redis.ask("BGSAVE")


@contextlib.contextmanager
def full_disk(redis):
    """Not one byte more for the AOF, as with a full disk: write() fails, and it tries each second."""
    pid = redis.process.pid
    sizes = [os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(redis.dir)
             for name in names if name.endswith(".aof")]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (max(sizes), resource.RLIM_INFINITY))
    with contextlib.suppress(Error):        # slotd may have written there first
        redis.ask("SET", "something", "x" * 1000)
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextlib.contextmanager
def stopped(redis):
    redis.process.send_signal(signal.SIGSTOP)
    yield
    redis.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def ended(redis):
    redis.end()
    yield
    redis.start()


# kind, as in STATS and in reason=: what the log says of it; how it comes about; with which arguments
KINDS = {
    "busy": ("BUSY Redis is busy", endless_script, ()),
    "readonly": ("READONLY|a replica, and read-only", replica, ()),
    "noauth": ("NOAUTH", password, ()),
    "noperm": ("NOPERM|ACL failure", lambda redis: user_may_not(redis, "evalsha"), ()),
    "noreplicas": ("NOREPLICAS", lambda redis: setting(redis, "min-replicas-to-write", 1), ()),
    "maxclients": ("max number of clients", few_clients, ()),
    "misconf": ("MISCONF .*RDB", save_that_fails, ("--enable-protected-configs", "yes")),
    "hung": ("no answer within|did not arrive within", stopped, ()),
    "away": ("the connection was closed|No such file|refused", ended, ()),
}


class Kinds(unittest.TestCase):
    def ill(self, kind, redis, pattern, make):
        """It is said once, counted, and told to who cannot wait; waiters wait, and are served."""
        with Daemon(redis.config(lease=2000), expect=[TROUBLE]) as slotd:
            with slotd.client() as a, slotd.client() as b, slotd.client() as c:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                a.expect("OK", "RELEASE g 1")
                before = stats(c)
                self.assertEqual(before["redis_up"], "1")
                self.assertEqual(before["redis_" + kind], "0")
                with make(redis):
                    b.send("ACQUIRE other limit=1 wait=1m")
                    slotd.log.wait_for(f": {kind}: .*({pattern}).*{TROUBLE}")
                    # the group's own connection fails a moment later, or is tried again just now
                    slotd.log.wait_for(f"debug: redis commands [01]: {kind}: ", 3)
                    self.assertIn(kind, c.expect(r"ERR unavailable retry=\d+ reason=(\w+) .*",
                                                 "ACQUIRE new limit=1 wait=0")[1])
                    now = stats(c)
                    self.assertEqual(now["redis_up"], "0")
                    self.assertGreater(int(now["redis_" + kind]), 0)
                b.expect(r"OK 1 \d+")
                slotd.log.wait_for(UP, 2)
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
            said = slotd.log.find(f"warning: .*: {kind}: .*{TROUBLE}")
            # where there is room for one, one of slotd's connections may get in for a while
            self.assertLessEqual(len(said), 2 if kind == "maxclients" else 1, said)
            self.assertGreater(len(said), 0)

    def test_loading(self):
        with Redis("--enable-debug-command", "yes") as redis, \
                Daemon(redis.config(), expect=[TROUBLE]) as slotd:
            with slotd.client() as a, slotd.client() as b:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                redis.ask("DEBUG", "POPULATE", 300, "other", 1000)
                redis.ask("SAVE")
                redis.end()
                redis.start("--loading-process-events-interval-bytes", "1024",
                            "--key-load-delay", "10000", ready="Loading RDB")
                slotd.log.wait_for("loading: the server is loading its data")
                b.expect("ERR unavailable .* reason=loading Redis is loading.*",
                         "ACQUIRE new limit=1 wait=0")
                slotd.log.wait_for(UP, 2)
            self.assertEqual(len(slotd.log.find(f"loading: .*{TROUBLE}")), 1)

    def test_manual(self):
        """slotd(8) explains each kind that STATS counts, and PROTOCOL.txt names it."""
        with Redis() as redis, Daemon(redis.config()) as slotd, slotd.client() as a:
            words = [name[len("redis_"):] for name in stats(a) if re.fullmatch("redis_[a-z]+", name)]
        words = set(words) - {"up", "connected", "graces"}
        self.assertLess(set(KINDS), words)
        with open("daemon/slotd.8", encoding="utf-8") as file:
            self.assertEqual(words, set(re.findall(r"^\.It Cm ([a-z]+)$", file.read(), re.M)))
        with open("proto/PROTOCOL.txt", encoding="utf-8") as file:
            reasons = re.search(r"its reason= is [^.]*\.", file.read())[0]
        self.assertEqual({word for word in words if not re.search(rf"\b{word}\b", reasons)}, set())

    def test_full_disk(self):
        def before_exec():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)       # so that write() fails, as it does
        args = ("--appendonly", "yes", "--appendfsync", "everysec")
        with Redis(*args, before_exec=before_exec) as redis:
            self.ill("misconf", redis, "MISCONF .*AOF", full_disk)

    def test_out_of_memory(self):
        """slotd's script is let run all the same: else no lease could be renewed, no slot given back."""
        with Redis() as redis, Daemon(redis.config()) as slotd, slotd.client() as a:
            a.expect(r"OK 1 \d+", "ACQUIRE g limit=2 wait=10s")
            redis.ask("CONFIG", "SET", "maxmemory", 1)
            with self.assertRaisesRegex(Error, "OOM"):
                redis.ask("SET", "something", "x")
            a.expect(r"OK 2 \d+", "ACQUIRE g limit=2 wait=10s")
            a.expect("OK", "RELEASE g 1,2")
            a.expect(r"OK 1 \d+", "ACQUIRE h limit=2 wait=10s")

    def test_comes_and_goes(self):
        """A connection that is made and fails at once, again and again: said once, and not busily."""
        with Redis() as redis, Daemon(redis.config(), expect=[TROUBLE]) as slotd:
            with slotd.client() as a:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                redis.ask("ACL", "SETUSER", "default", "-hmget")        # the markers need no such thing
                slotd.log.wait_for("proving -> up", 9)
                redis.ask("ACL", "SETUSER", "default", "+hmget")
                slotd.log.wait_for(UP, 2)
                a.expect(r"OK 1 \d+", "ACQUIRE h limit=1 wait=10s")
            self.assertLessEqual(len(slotd.log.find(f"noperm: .*{TROUBLE}")), 2)
            self.assertLessEqual(len(slotd.log.find(UP)), 3)


def add(kind, pattern, make, args):
    def test(self):
        with Redis(*args) as redis:
            self.ill(kind, redis, pattern, make)
    setattr(Kinds, f"test_{kind}", test)


for name, row in KINDS.items():
    add(name, *row)


if __name__ == "__main__":
    unittest.main()
