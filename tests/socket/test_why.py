"""WHY: each cause that slotd knows is provoked, and named, with its numbers and a sentence; where
several hold, the one that a request meets first comes first."""
import re
import signal
import time
import unittest
import urllib.parse

from fleet import after_exchange, fleet, no_grace
from redis import Redis
from slotd import Daemon, Failure, wait_end
from user import CONFIG, needs_root, user


def why(client, words):
    """-> the causes, each a dictionary of its words"""
    causes = []
    for line in client.ask_list(f"WHY {words}"):
        causes.append({key: urllib.parse.unquote(value)
                       for key, value in (word.split("=", 1) for word in line.split())})
        if list(causes[-1])[0] != "cause" or list(causes[-1])[-1] != "text":
            raise Failure(f"WHY {words}: {line}")
    return causes


class Case(unittest.TestCase):
    def enterContext(self, manager):        # unittest has it since Python 3.11
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def daemon(self, config="", **options):
        return self.enterContext(Daemon(config, **options))

    def client(self, slotd):
        return self.enterContext(slotd.client())

    def check(self, client, words, *expected):
        """expected: of each cause its words, in their order, or these and a part of its text"""
        expected = [(row, "") if isinstance(row, str) else row for row in expected]
        found = why(client, words)
        self.assertEqual([cause["cause"] for cause in found], [row.split()[0] for row, _ in expected])
        for cause, (row, text) in zip(found, expected):
            said = " ".join([cause["cause"]] + [f"{key}={value}" for key, value in cause.items()
                                                if key not in ("cause", "text")])
            self.assertRegex(said, f"^{row}$")
            self.assertRegex(cause["text"], text or ".")


class Alone(Case):
    def test_limits(self):
        slotd = self.daemon("[group g]\nlimit = 3\n")
        a = self.client(slotd)
        self.check(a, "g", ("none limit=3 in_use=0", "nothing stands in the way: 0 of 3"))
        self.check(a, "h", ("nolimit", "neither the request nor the configuration"))
        self.check(a, "h limit=1", ("none limit=1 in_use=0", "nothing"))
        self.check(a, "g n=4", ("toobig n=4 limit=3", "4 slots at once are more than the limit of 3"))
        self.check(a, "g limit=1 n=2", "toobig n=2 limit=1")
        a.expect(r"OK 1,2 \d+", "ACQUIRE g n=2")
        self.check(a, "g", "none limit=3 in_use=2")
        self.check(a, "g n=2", ("full limit=3 in_use=2 n=2", "2 of 3 slots are in use, .* asks for 2"))
        self.check(a, "g limit=2", ("ownlimit limit=2 in_use=2 n=1",
                                    "2 slots are in use, and the request's own limit is 2"))
        a.expect(r"OK 3 \d+", "ACQUIRE g")
        self.check(a, "g limit=2", ("full limit=2 in_use=3 n=1", "^3 slots are in use, more than the limit "
                                                                 "of 2, and it asks for 1$"))
        a.expect(r"OK 1 \d+", "ACQUIRE h limit=1")
        self.check(a, "h limit=1", "full limit=1 in_use=1 n=1")

    def test_full_is_true(self):
        """What it says is what an ACQUIRE meets; idle slots are not in the way."""
        slotd = self.daemon("[group g]\nlimit = 2\n")
        a, b = self.client(slotd), self.client(slotd)
        for n in range(3):
            self.check(b, "g", f"none limit=2 in_use={n}" if n < 2 else "full limit=2 in_use=2 n=1")
            a.expect(r"OK \d \d+" if n < 2 else "ERR full .*", "ACQUIRE g wait=0")
        a.expect("OK", "RELEASE g 2")
        self.check(b, "g", "none limit=2 in_use=1")
        b.expect(r"OK 2 \d+", "ACQUIRE g wait=0")

    def test_queue(self):
        slotd = self.daemon("[group g]\nlimit = 2\nmax_waiters = 2\n")
        a, b = self.client(slotd), self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        start = time.monotonic()
        a.send("#w ACQUIRE g n=2 wait=forever label=my%20job")
        a.expect("#p OK pong", "#p PING")
        while not re.search(r"age=[1-9]", a.ask_list("WAITERS g")[0]):
            pass
        asked = why(b, "g")[0]
        self.assertLessEqual(1, int(asked["age"]))
        self.assertLessEqual(int(asked["age"]), (time.monotonic() - start) * 1000)
        queue = r"queue ahead=%d host=\S+ n=2 pid=\d+ uid=\d+ label=my job age=\d+"
        self.check(b, "g", (queue % 1, r"1 wait before it; the first, process \d+ on \S+, "
                                       r"asked for 2 .* ago"))
        a.send("#v ACQUIRE g wait=forever")
        a.expect("#p OK pong", "#p PING")
        self.check(b, "g n=2", "full limit=2 in_use=1 n=2",
                   ("queuefull waiting=2 max=2", "2 wait for it here already, and no more may"),
                   (queue % 2, "2 wait before it"))

    def test_live(self):
        slotd = self.daemon("[group g]\nlimit = 3\n")
        a = self.client(slotd)
        a.expect("OK .*", "LIVE g limit=1 why=too%20hot")
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        self.check(a, "g", (r"full limit=1 in_use=1 n=1 live_by=\S+",
                            r"1 slots are in use, .* a live limit of 1, set by \S+@\S+: too hot$"))
        a.expect("OK .*", "LIVE g pause=on why=deploy for=1h")
        self.check(a, "g", (r"paused by=\S+ at=\d+ why=deploy left=\d+", r"^the group is paused by \S+@\S+: deploy$"))
        a.expect("OK .*", "LIVE g pause=off")
        a.expect("OK .*", "LIVE g limit=0")
        self.check(a, "g", (r"paused by=\S+ at=\d+ why=- left=-", r"its live limit is 0, set by \S+@\S+$"))
        a.expect("OK .*", "LIVE g pause=on why=" + 50 * "%C3%A9")
        self.assertLess(max(len(line) for line in a.ask_list("WHY g")), 1024)
        a.expect("OK .*", "LIVE g pause=off")
        a.expect("OK .*", "LIVE g limit=none")
        self.check(a, "g", "none limit=3 in_use=1")

    def test_lower_limits_are_passed(self):
        slotd = self.daemon("[group g]\nlimit = 2\n")
        a, b = self.client(slotd), self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.send("#w ACQUIRE g limit=1 wait=forever")
        a.expect("#p OK pong", "#p PING")
        self.check(b, "g", "none limit=2 in_use=1")
        self.check(b, "g limit=1", "ownlimit limit=1 in_use=1 n=1", "queue ahead=1 .*")

    def test_groups(self):
        slotd = self.daemon("[daemon]\nunknown_groups = refuse\n[group g]\n")
        a = self.client(slotd)
        self.check(a, "h limit=1", ("nogroup", "unknown_groups is refuse"))
        self.check(a, "g", "nolimit")

    def test_bounds(self):
        slotd = self.daemon("[daemon]\nmax_groups = 1\nmax_holds_per_uid = 2\n")
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g limit=9")
        self.check(a, "g limit=9", "none limit=9 in_use=1")
        self.check(a, "h limit=9", ("groups max=1", "as many groups as max_groups allows"))
        self.check(a, "g limit=9 n=2", (r"holds uid=\d+ has=1 max=2", "of 2 that max_holds_per_uid allows"))
        a.expect("ERR holds max=2 .*", "ACQUIRE g limit=9 n=2")

    @needs_root
    def test_denied(self):
        slotd = self.daemon(CONFIG + "[group a*]\nlimit = 1\nallow_groups = 3001\n")
        with user(slotd, 2001) as a:
            self.check(a, "ab", ("denied uid=2001 rule=allow_groups",
                                 r"user 2001 may not use it: the section \[group a\*\] names others"))
        with user(slotd, 2001, groups=[3001]) as a:
            self.check(a, "ab", "none limit=1 in_use=0")

    def test_draining(self):
        slotd = self.daemon("[group g]\nlimit = 1\n")
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.expect("OK draining=yes .*", "DRAIN on")
        self.check(a, "g", ("draining", "this host is drained"), "full .*")

    def test_stopping(self):
        slotd = self.daemon("[daemon]\nstop_ms = 60000\n[group g]\nlimit = 2\n")
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        slotd.process.send_signal(signal.SIGTERM)
        slotd.log.wait_for("waiting for the end of 1 holds")
        self.check(a, "g", ("stopping", "slotd is stopping"))
        a.expect("OK", "RELEASE g 1")
        wait_end(slotd.process, "slotd")

    def test_names(self):
        """A name that is a glob is a name here."""
        slotd = self.daemon()
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE ab limit=1")
        for name in ("a*", "a?", "a[1]", "[", "%25", "Z%C3%BCrich"):
            self.check(a, f"{name} limit=1", "none limit=1 in_use=0")
            a.expect(r"OK 1 \d+", f"ACQUIRE {name} limit=1")
            self.check(a, f"{name} limit=1", "full limit=1 in_use=1 n=1")


class Shared(Case):
    def setUp(self):
        self.redis = self.enterContext(Redis())

    def config(self, limit=2, lease=10000, more=""):
        return no_grace(self.redis, lease) + f"\n[group g]\nlimit = {limit}\n{more}"

    def test_fleet(self):
        """What other hosts hold, and who waits there."""
        slotds = self.enterContext(fleet(self.redis, 2, self.config()))
        a, b = (self.client(slotd) for slotd in slotds)
        self.check(b, "g", "none limit=2 in_use=0")
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        self.check(b, "g", "none limit=2 in_use=1")
        a.expect(r"OK 2 \d+", "ACQUIRE g")
        self.check(b, "g", "full limit=2 in_use=2 n=1")
        a.send("#w ACQUIRE g wait=forever label=first")
        a.expect("#p OK pong", "#p PING")
        after_exchange(slotds[0])
        while int(re.search(r"age=(\d+)", a.ask_list("WAITERS g")[0])[1]) < 100:
            pass                            # older by more than it takes to ask all hosts
        b.send("#w ACQUIRE g wait=forever label=second")
        b.expect("#p OK pong", "#p PING")
        for client in (a, b):
            self.check(client, "g", "full .*", ("queue ahead=2 .* label=first age=.*", "2 wait"))

    def test_differs(self):
        slotds = [self.daemon(self.config(limit), expect=["the limit is", "Redis is new"])
                  for limit in (1, 3)]
        for slotd in slotds:
            slotd.log.wait_for("connected to")
        a, b = (self.client(slotd) for slotd in slotds)
        a.expect(r"OK 1 \d+", "ACQUIRE g wait=1m")
        b.expect(r"OK 2 \d+", "ACQUIRE g wait=1m")
        self.check(b, "g", "none limit=3 in_use=2", (
            r"differs host=\S+ limit=1 here=3", "hosts disagree on the limit: .* 1 on .*, and as 3 here"))
        b.expect(r"OK 3 \d+", "ACQUIRE g")
        self.check(b, "g", "full limit=3 in_use=3 n=1", "differs .*")

    def test_away(self):
        more = "[group r]\nlimit = 1\non_backend_down = refuse\n[group o]\nlimit = 1\non_backend_down = open\n"
        slotd, = self.enterContext(fleet(self.redis, 1, self.config(more=more), ["away"]))
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        self.redis.end()
        slotd.log.wait_for("away")
        for group, then in (("g", "requests wait"), ("r", "are refused"), ("o", "without a slot")):
            self.check(a, group, (r"away reason=away since=\d+",
                                  rf"^Redis cannot be reached, for \d+ ms now; .*{then}"),
                       ("silent hosts=-", "cannot be asked"))
        self.check(a, "g n=2", "away .*", "full limit=2 in_use=1 n=2", "silent .*")
        self.redis.start()
        slotd.log.wait_for("connected to", 2)
        self.check(a, "g", "none .*")

    def test_hung(self):
        """Before it is given up, when it is away."""
        slotd, = self.enterContext(fleet(self.redis, 1, self.config(lease=60000)))
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        self.redis.process.send_signal(signal.SIGSTOP)
        try:
            a.send("#w ACQUIRE g n=2 wait=forever")
            a.expect("#p OK pong", "#p PING")
            causes = why(a, "g")
            while causes[0]["cause"] == "full":
                causes = why(a, "g")
            self.assertEqual(causes[0]["cause"], "hung")
            self.assertRegex(causes[0]["text"], "^Redis was asked [0-9]+ ms ago, and has not answered")
        finally:
            self.redis.process.send_signal(signal.SIGCONT)

    def test_backend(self):
        slotd, = self.enterContext(fleet(self.redis, 1, self.config()))
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.expect("OK", "RELEASE g 1")
        key, = self.redis.ask("KEYS", "slotd:1:*:g:records")
        self.redis.ask("DEL", key)
        self.redis.ask("SET", key, "x")
        a.expect("ERR backend WRONGTYPE .*", "ACQUIRE g n=2 wait=10s")
        self.check(a, "g", ("backend", "Redis cannot serve this group"))

    def test_grace(self):
        slotd = self.daemon(self.redis.config("[group g]\nlimit = 1\n", lease=10000),
                            expect=["Redis is new"])
        slotd.log.wait_for("connected to")
        a = self.client(slotd)
        self.check(a, "g", (r"grace left=\d+", "Redis is new or has lost data: nothing is granted for"))

    def test_silent(self):
        slotds = self.enterContext(fleet(self.redis, 2, self.config(lease=60000)))
        a, b = (self.client(slotd) for slotd in slotds)
        b.expect(r"OK 1 \d+", "ACQUIRE g")
        slotds[1].process.send_signal(signal.SIGSTOP)
        try:
            self.check(a, "g", "none limit=2 in_use=1", ("silent hosts=1", "1 hosts have not answered"))
        finally:
            slotds[1].process.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    unittest.main()
