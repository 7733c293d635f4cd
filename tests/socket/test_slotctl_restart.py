"""slotctl through a new start of slotd: what runs goes on in its slot, what waits waits on.

SLOTD_RESTART_CHILDREN=20 does it with that many commands."""
import os
import time
import unittest

from fleet import fleet, no_grace
from redis import Redis
from slotctl import GATE, Case
from slotd import TIMEOUT, WRAP

CHILDREN = int(os.environ.get("SLOTD_RESTART_CHILDREN", "5" if not WRAP else "2"))


class Restart(Case):
    def begin(self):
        """-> as many slotctl run as there are slots, in the order of these, and one that waits"""
        running = []
        for _ in range(CHILDREN):
            running.append(self.start("run", "g", "-l", str(CHILDREN), "-v", *GATE))
            running[-1].ready()
        waiting = self.start("run", "g", "-l", str(CHILDREN), "-v", *GATE)
        waiting.log.wait_for("g: waiting")
        return running, waiting

    def holders(self, count):
        """-> slot and token of each, when so many are there: taking them over takes a moment"""
        with self.slotd.client() as client:
            lines, until = [], time.monotonic() + TIMEOUT
            while len(lines) < count and time.monotonic() < until:
                lines = client.ask_list("HOLDERS g")
            return [line.split()[:2] for line in lines]

    def check(self, hows):
        running, waiting = self.begin()
        before = self.holders(CHILDREN)
        for count, how in enumerate(hows, 1):
            getattr(self.slotd, how)(keep=True)
            for run in [*running, waiting]:
                run.log.wait_for("slotd is away; trying again$", count)
            self.slotd.start()
            for run in [*running, waiting]:
                run.log.wait_for("slotd is back$", count)
        with self.slotd.client() as client:     # behind the one that waits
            client.send(f"#w ACQUIRE g limit={CHILDREN} wait=forever")
            client.expect("OK pong", "PING")
            self.assertEqual(self.holders(CHILDREN), before)
            running[-1].go_on()
            waiting.ready()
            self.assertEqual(running[-1].end(), 3)
            client.expect("OK pong", "PING")
        for run in [*running[:-1], waiting]:
            run.go_on()
            self.assertEqual(run.end(), 3)


class InMemory(Restart):
    def test_killed(self):
        self.check(["kill"])

    def test_killed_twice(self):
        self.check(["kill", "kill"])

    def test_stopped(self):
        self.check(["stop"])

    def test_acquire(self):
        run = self.start("acquire", "g", "-l1", "-v")
        before = run.line().split()
        waiting = self.start("acquire", "g", "-l1", "-v")
        waiting.log.wait_for("g: waiting")
        self.slotd.kill(keep=True)
        for one in run, waiting:
            one.log.wait_for("slotd is away; trying again$")
        self.slotd.start()
        for one in run, waiting:
            one.log.wait_for("slotd is back$")
        self.assertEqual(self.holders(1), [[f"slot={before[0]}", f"token={before[1]}"]])
        run.go_on()
        self.assertEqual(run.end(), 0)
        self.assertRegex(waiting.line(), r"\A1 \d+\Z")
        waiting.go_on()
        self.assertEqual(waiting.end(), 0)


class InRedis(Restart):
    def setUp(self):
        redis = self.enterContext(Redis())
        [self.slotd] = self.enterContext(fleet(redis, 1, no_grace(redis, 10000)))
        if WRAP:                # which can make it too slow for a command timeout
            self.slotd.expect.append("trying again")

    def test_killed(self):
        self.check(["kill"])

    def test_killed_twice(self):
        self.check(["kill", "kill"])

    def test_stopped(self):
        self.check(["stop"])


if __name__ == "__main__":
    unittest.main()
