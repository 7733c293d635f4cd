"""The k-th call fails, for every k: an allocation, a system call, an exchange with Redis.

A slotd whose calls can be made to fail serves the same story again and again.  Whatever fails once,
no hold is lost, nobody gets what another has, and whoever waits is served; a request may be told
that there is no memory for it.

Environment: FAIL_SAMPLE=n tries so many k of each kind, evenly spread; all without it.
"""
import contextlib
import os
import re
import random
import subprocess
import sys
import tempfile
import unittest

import slotd
import web
from redis import Redis
from slotd import Daemon, Failure

slotd.SLOTD = os.path.abspath(os.environ["SLOTD_FAIL"])
CLIENT = os.path.abspath(os.environ["FAIL_CLIENT"])
SAMPLE = int(os.environ.get("FAIL_SAMPLE", "0"))
SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 1 << 32)

# what an operator may read of a failure
EXPECTED = [r"no memory", r"accept; refusing", r"HTTP: accept: ", r"timerfd", r"libevent: ",
            r"hung: ", r"redis ", r"the backend", r"cannot be made: ", r"Cannot allocate memory", r"descriptor",
            r"max_clients is"]


def each(count):
    """The k that are tried of so many."""
    if not SAMPLE or SAMPLE >= count:
        return range(1, count + 1)
    step = count / SAMPLE
    first = random.Random(SEED).random() * step
    return [1 + int(first + i * step) for i in range(SAMPLE)]


class Holder:
    """Somebody who has a slot, and who waits behind it, through whatever happens to others."""

    def __init__(self, daemon, stack):
        self.client = stack.enter_context(daemon.client())
        self.waiter = stack.enter_context(daemon.client())
        self.token = int(ask(self.client, "ACQUIRE keep limit=1 wait=1m", r"OK 1 (\d+)")[1])
        while True:                             # it waits, or there was no memory for it
            self.waiter.send("#w ACQUIRE keep limit=1 wait=forever", "#p PING")
            if self.waiter.readline() == "#p OK pong":
                break
            self.waiter.expect("#p OK pong")

    def check(self):
        self.client.expect("OK", f"RELEASE keep 1 token={self.token}")
        granted = self.waiter.expect(r"#w OK 1 (\d+)")
        if int(granted[1]) <= self.token:
            raise Failure(f"token {granted[1]} after {self.token}")
        self.waiter.expect("OK", f"RELEASE keep 1 token={granted[1]}")


def ask(client, line, pattern):
    """-> the match.  What fails once for lack of memory is asked again."""
    for _ in range(3):
        answer = client.ask(line)
        found = re.fullmatch(pattern, answer)
        if found:
            return found
        if not re.match(r"(#\w+ )?ERR nomem", answer):
            break
    raise Failure(f"expected {pattern!r}, got {answer!r} to {line!r}")


def ask_list(client, line):
    first = ask(client, line, r"OK (\d+)")
    return [client.readline() for _ in range(int(first[1]))]


def look_around(client):
    """At all hosts, of which it is the only one; what fails once leaves something out, and says so."""
    for line in ("PS g", "AUDIT"):
        while (first := client.ask(line)).startswith("ERR "):
            if not re.match("ERR (nomem|unavailable) ", first):
                raise Failure(f"{line} was answered {first!r}")
        said = [client.readline() for _ in range(int(first.split()[1]))]
        if len(said) < 5 and line == "PS g" and not said[-1].endswith(" complete=no"):
            raise Failure(f"complete: {said}")
    client.expect("OK evicted=0|ERR (nomem|unavailable) .*", "EVICT g 9")
    client.expect("OK evicted=0|ERR (nomem|unavailable) .*", "EVICT g 1 token=9")


def look(path):
    """At the HTTP port: what fails once is refused, or the connection closed, and then answered."""
    for page in ("/", "/status.json", "/metrics"):
        for attempt in range(3):
            with contextlib.suppress(ConnectionError), web.Web(path) as connection:
                connection.socket.sendall(f"GET {page} HTTP/1.1\r\n\r\n".encode())
                data = connection.read()
                status = web.Answer(data).status if data else 0
                if status == 200:
                    break
                if status not in (0, 503):
                    raise Failure(f"{page} was answered {status}")
        else:
            raise Failure(f"{page} was not answered in {attempt + 1} times")


def story(daemon, http=None):
    """Something of everything."""
    with contextlib.ExitStack() as stack:
        holder = Holder(daemon, stack)
        a, b = (stack.enter_context(daemon.client()) for _ in range(2))
        ask(a, "HELLO label=a events=on detail=on", r"OK version=.*")
        ask(b, "HELLO page=on events=on label=b", r"OK version=.*")
        token = ask(a, "ACQUIRE g limit=4 n=3 wait=1m label=many", r"OK 1,2,3 (\d+) limit=4")[1]
        ask(b, "ACQUIRE g limit=4 wait=1m", r"OK 4 \d+.*")
        ask(a, "ACQUIRE g limit=4 wait=0", r"ERR (full|unavailable) .*")
        a.send(*["PING"] * 30, "STATS", "METRICS", "HELP")         # longer than what one answer takes
        for _ in range(30):
            a.expect("OK pong")
        for line in ("STATS", "METRICS", "HELP"):
            first = a.readline()
            if first.startswith("ERR nomem"):
                continue
            for _ in range(int(first.split()[1])):
                a.readline()
        ask_list(a, "HOLDERS g")
        ask_list(a, "WAITERS keep")
        ask_list(a, "LIST")
        ask(a, "STATUS g", r"OK group=g .* held=4 .*")
        look_around(a)
        if http:
            look(http)
        ask(b, f"RESUME g 1,2,3 {token} label=moved", r"OK 1,2,3 \d+.*")
        ask(a, "RELEASE g 1", r"ERR nothold .*")
        ask(b, "RELEASE g 2", r"OK")
        # answers that are held back behind one that waits; input in two pieces
        a.send("ACQUIRE keep limit=1 wait=30ms", "PING", "#t PING")
        answers = [a.readline() for _ in range(3)]
        answers.remove("#t OK pong")
        if not re.match("ERR (timeout|nomem|unavailable) .*\nOK pong$", "\n".join(answers)):
            raise Failure(f"got {answers}")
        a.socket.sendall(b"STATUS ")
        ask(b, "PING", "OK pong")
        a.socket.sendall(b"g\n")
        a.expect(r"OK group=g .*|ERR nomem .*")
        ask(a, "ACQUIRE h limit=1 hold=20ms wait=1m", r"OK 1 \d+ limit=1")
        a.expect(r"!LOST h 1 \d+ hold")
        ask(b, "RELEASE *", r"OK holds=\d+ waits=0")
        with daemon.client() as c:                      # one that goes with what it has
            ask(c, "ACQUIRE g limit=4 n=4 wait=1m", r"OK 1,2,3,4 \d+")
        ask(a, "ACQUIRE g limit=4 n=4 wait=1m", r"OK 1,2,3,4 \d+ limit=4")
        ask(b, "QUIT", "OK")
        holder.check()


class Story(unittest.TestCase):
    def setUp(self):
        print(f"SEED={SEED}", file=sys.stderr)
        directory = tempfile.TemporaryDirectory(prefix="slotd-fail-")
        self.addCleanup(directory.cleanup)
        self.count_path = os.path.join(directory.name, "count")
        self.http = os.path.join(directory.name, "http.sock")

    def env(self, kind, at):
        return {"FAIL": kind, "FAIL_AT": str(at), "FAIL_COUNT": self.count_path}

    def count(self):
        with open(self.count_path, encoding="ascii") as file:
            return int(file.read())

    def tell(self, kind, at):
        """Connections may be refused while there is no memory or descriptor for them."""
        self.prepare()
        with Daemon(self.config, env=self.env(kind, at), expect=EXPECTED) as daemon:
            self.serve(daemon)

    def serve(self, daemon):
        for _ in range(3):
            try:
                story(daemon, self.http)
                return
            except (EOFError, ConnectionError):
                daemon.log.wait_for("refusing connections")
            except Failure as failure:
                if "got 'ERR clients" not in str(failure):
                    raise

    def run_all(self, kind, config="", least=1, prepare=lambda: None):
        self.config = config + f"[metrics]\nlisten = {self.http}\n"
        self.prepare = prepare
        self.tell(kind, 0)
        count = self.count()
        self.assertGreater(count, least)
        fatal = 0
        for k in each(count):
            with self.subTest(kind=kind, k=k):
                fatal += not self.serves(kind, k)
        print(f"{kind}: {len(each(count))} of {count} calls failed, {fatal} of them at the start",
              file=sys.stderr)

    def serves(self, kind, k):
        """False: it did not start, and has said why."""
        try:
            self.tell(kind, k)
        except Failure as failure:
            if "has ended" not in str(failure):
                raise
            self.assertRegex(str(failure), r"status (1|78)\)")
            self.assertRegex(str(failure), "slotd.*error: ")
            return False
        return True

    def test_memory(self):
        self.run_all("memory", least=100)

    def test_io(self):
        self.run_all("io", least=50)

    def test_exchange(self):
        with Redis() as redis:
            config = redis.config(lease=4000, lease_more="grace_ms = 0")
            for kind in ("redis", "memory"):
                self.run_all(kind, config, 10, lambda: redis.ask("FLUSHALL"))

    def test_no_memory_at_all(self):
        """Then it ends, loudly, and not by exit(): nobody shall take that for an end in order."""
        with self.assertRaises(Failure) as caught, \
                Daemon(env=self.env("memory", "+200"), expect=[".*"]) as daemon, \
                contextlib.suppress(EOFError, ConnectionError):
            story(daemon)
        self.assertIn("no memory for", str(caught.exception))


class Library(unittest.TestCase):
    def run_client(self, daemon, kind, at, count_path):
        result = subprocess.run([CLIENT, daemon.socket], capture_output=True, text=True, timeout=60,
                                env=dict(os.environ, FAIL=kind, FAIL_AT=str(at), FAIL_COUNT=count_path))
        if result.returncode != 0:
            raise Failure(f"exit status {result.returncode}: {result.stderr}")
        with open(count_path, encoding="ascii") as file:
            return int(file.read())

    def test_library(self):
        with Daemon() as daemon, daemon.client() as client, \
                tempfile.NamedTemporaryFile(prefix="slotd-fail-") as file:
            for kind in ("memory", "io", "socket"):
                count = self.run_client(daemon, kind, 0, file.name)
                for k in each(count):
                    with self.subTest(kind=kind, k=k):
                        self.run_client(daemon, kind, k, file.name)
                        ask(client, "ACQUIRE fail limit=1 wait=1m", r"OK 1 \d+")  # nothing is left of it
                        client.expect("OK", "RELEASE fail 1")
                print(f"library, {kind}: {len(each(count))} of {count} calls failed", file=sys.stderr)


if __name__ == "__main__":
    unittest.main()
