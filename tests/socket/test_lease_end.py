"""What becomes of holds when Redis is away for longer than a lease: of clients that read the lease page,
of those that do not, and of groups that want none to outlive its lease."""
import signal
import unittest

from fleet import UP
from page import Strict
from redis import Redis
from slotd import Daemon

GROUPS = """
[group drop]
on_lease_end = drop
"""


class LeaseEnd(unittest.TestCase):
    def test_each_kind(self):
        with Redis() as redis:
            config = redis.config(GROUPS, lease=1000, lease_more="grace_ms = 0")
            with Daemon(config, expect=["trying again"]) as slotd, Strict(slotd.socket) as strict, \
                    slotd.client() as raw:
                slotd.log.wait_for(UP)
                raw.expect("OK .*", "HELLO events=on")
                kept = strict.acquire("ACQUIRE keep limit=2")
                dropped = strict.acquire("ACQUIRE drop limit=2")
                raw.expect(r"OK 2 \d+", "ACQUIRE keep limit=2")
                redis.process.send_signal(signal.SIGSTOP)
                try:
                    heard = {strict.readline(), strict.readline()}
                    self.assertEqual(heard, {f"!UNPROVEN {kept.name}", f"!LOST {dropped.name} lease"})
                    raw.expect(r"!LOST keep 2 \d+ lease")
                    self.assertEqual((kept.left(), dropped.left()), (0, 0))
                    raw.expect("OK .* held=1 .* unproven=1 .*", "STATUS keep")
                    raw.expect("OK 1", "HOLDERS keep")
                    raw.expect(f"slot=1 token={kept.token} .* proven=no .*")
                    raw.expect("ERR lost .*", "RELEASE keep 2")
                    slotd.log.wait_for("trying again")
                finally:
                    redis.process.send_signal(signal.SIGCONT)
                strict.expect(f"!KEPT {kept.name}")
                self.assertGreater(kept.left(), 0)
                raw.expect(r"OK 2 \d+", "ACQUIRE keep limit=2 wait=1m")
                strict.expect("OK", f"RELEASE keep 1 token={kept.token}")


if __name__ == "__main__":
    unittest.main()
