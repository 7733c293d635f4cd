"""Redis is away: what becomes of holds for longer than a lease, and of requests meanwhile."""
import os
import select
import signal
import unittest

from fleet import UP, fleet
from page import Strict, now
from redis import Redis
from slotd import Daemon

LEASE = int(1500 * float(os.environ.get("SLOTD_TEST_SLOW", "1")))
KEPT = ("--appendonly", "yes", "--appendfsync", "always")       # data outlive the process
TROUBLE = "trying again"


def let_pass(ms):
    """As long as Redis is to be away."""
    end = now() + ms * 1000000
    while (left := end - now()) > 0:
        select.select([], [], [], left / 1e9)


class ThreeLeases(unittest.TestCase):
    """Strict holders go on, unproven, and are proven again: nobody else could have their slots.  The
    others are told, and their slots are free."""

    def away(self, leave, come_back):
        with Redis(*KEPT) as redis, fleet(redis, 2, redis.config(lease=LEASE)) as (one, two):
            for slotd in one, two:
                slotd.expect.append(TROUBLE)
            with Strict(one.socket) as a, Strict(two.socket) as b, two.client() as raw, one.client() as w:
                holds = [a.acquire("ACQUIRE g limit=3"), b.acquire("ACQUIRE g limit=3")]
                raw.expect("OK .*", "HELLO events=on")
                token = raw.expect(r"OK 3 (\d+)", "ACQUIRE g limit=3")[1]
                w.send("ACQUIRE g limit=3 wait=2m")
                leave(redis)
                for hold in holds:
                    hold.client.expect(f"!UNPROVEN {hold.name}")
                    self.assertEqual(hold.left(), 0)
                raw.expect(f"!LOST g 3 {token} lease")
                let_pass(3 * LEASE)
                self.assertFalse(w.is_readable())
                come_back(redis)
                for hold in holds:
                    hold.client.expect(f"!KEPT {hold.name}")
                    self.assertGreater(hold.left(), 0)
                w.expect(r"OK 3 \d+")
                raw.expect("ERR lost .*", f"RELEASE g 3 token={token}")
                for hold in holds:
                    hold.client.expect("OK", f"RELEASE g {hold.slots} token={hold.token}")

    def test_ended(self):
        self.away(lambda redis: redis.end(signal.SIGTERM), lambda redis: redis.start())

    def test_killed(self):
        self.away(lambda redis: redis.end(), lambda redis: redis.start())

    def test_hung(self):
        self.away(lambda redis: redis.process.send_signal(signal.SIGSTOP),
                  lambda redis: redis.process.send_signal(signal.SIGCONT))

    def test_and_empty(self):
        """Then nobody can know who had what: unproven holds are lost, and told so."""
        with Redis() as redis, fleet(redis, 1, redis.config(lease=LEASE)) as (slotd,):
            slotd.expect.append(TROUBLE)
            with Strict(slotd.socket) as a:
                hold = a.acquire("ACQUIRE g limit=1")
                redis.end()
                a.expect(f"!UNPROVEN {hold.name}")
                redis.start()
                a.expect(f"!LOST {hold.name} taken")


class OnBackendDown(unittest.TestCase):
    GROUPS = ("[group waits]\nlimit = 1\n[group refused]\nlimit = 1\non_backend_down = refuse\n"
              "[group open]\nlimit = 1\non_backend_down = open\n")

    def test_each(self):
        with Redis(*KEPT) as redis, \
                Daemon(redis.config(self.GROUPS, lease=LEASE), expect=[TROUBLE]) as slotd:
            with slotd.client() as a, slotd.client() as b, slotd.client() as holder:
                holder.expect(r"OK 1 \d+", "ACQUIRE open wait=1m")
                holder.expect("OK .*", "HELLO events=on")
                redis.end()
                slotd.log.wait_for(TROUBLE)
                a.expect("ERR unavailable retry=1000 reason=away Redis cannot be reached",
                         "ACQUIRE waits wait=500ms")
                b.send("#w ACQUIRE waits wait=2m")
                a.expect("ERR unavailable retry=1000 reason=away .*", "ACQUIRE refused wait=2m")
                holder.expect(r"!LOST open 1 \d+ lease")

                # two, though the limit is one: nothing counts them
                tokens = [client.expect(r"OK 0 (\d+) unproven=yes", "ACQUIRE open wait=2m")[1]
                          for client in (a, holder)]
                self.assertLess(max(map(int, tokens)), 1000)    # below each real one
                self.assertEqual(len(a.ask_list("HOLDERS open")), 2)
                a.expect("OK .* open=2 .*", "STATUS open")
                a.expect("ERR badvalue .*", "RELEASE open 0")
                a.expect("OK", f"RELEASE open 0 token={tokens[0]}")
                a.expect("OK .* open=1 .*", "STATUS open")
                self.assertFalse(b.is_readable())

                redis.start()
                slotd.log.wait_for(UP, 2)
                b.expect(r"#w OK 1 \d+")
                a.expect(r"OK 1 \d+", "ACQUIRE refused wait=1m")
                a.expect(r"OK 1 \d+", "ACQUIRE open wait=1m")   # what was let in is no slot
                a.expect("OK .* held=1 .* in_use=1 .* open=1 .*", "STATUS open")
                holder.expect("OK", f"RELEASE open 0 token={tokens[1]}")

    def test_hung(self):
        """No answer is as good as none: after the time of a command the others are let in too."""
        with Redis() as redis, \
                Daemon(redis.config(self.GROUPS, lease=LEASE), expect=[TROUBLE]) as slotd:
            slotd.log.wait_for("the grace is over")
            redis.process.send_signal(signal.SIGSTOP)
            with slotd.client() as a:
                a.expect(r"OK 0 \d+ unproven=yes", "ACQUIRE open wait=2m")
                a.expect(r"ERR unavailable retry=1000 reason=hung .*", "ACQUIRE refused wait=2m")
            redis.process.send_signal(signal.SIGCONT)
            slotd.log.wait_for(UP, 2)

    def test_grace_is_not_away(self):
        """There Redis answers, and nobody is let in or refused for its sake."""
        with Redis() as redis, Daemon(redis.config(self.GROUPS, lease=LEASE)) as slotd:
            slotd.log.wait_for(UP)
            with slotd.client() as a:
                for group in "open", "refused":
                    a.expect(r"OK 1 \d+", f"ACQUIRE {group} wait=2m")


if __name__ == "__main__":
    unittest.main()
