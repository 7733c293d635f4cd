"""What becomes of requests while Redis is away, as each group says: wait, refuse, open."""
import contextlib
import unittest

from fleet import UP
from redis import Redis
from slotd import Daemon

GROUPS = """
[group open]
on_backend_down = open
[group refuse]
on_backend_down = refuse
"""


class BackendDown(unittest.TestCase):
    @contextlib.contextmanager
    def without_redis(self):
        """-> redis, slotd, a client; slotd knows that Redis has ended."""
        with Redis() as redis:
            config = redis.config(GROUPS, lease=4000, lease_more="grace_ms = 0")
            with Daemon(config, expect=["trying again"]) as slotd, slotd.client() as client:
                slotd.log.wait_for(UP)
                redis.end()
                slotd.log.wait_for("trying again")
                yield redis, slotd, client

    def test_open(self):
        with self.without_redis() as (redis, slotd, client), slotd.client() as other:
            first = client.expect(r"OK 0 (\d+) unproven=yes", "ACQUIRE open limit=1")[1]
            second = client.expect(r"OK 0 (\d+) unproven=yes", "ACQUIRE open limit=3 n=3 label=x")[1]
            other.expect(r"OK 0 \d+ unproven=yes", "ACQUIRE open limit=1 wait=0")
            self.assertLess(int(first), int(second))
            other.expect("OK .* held=0 .* open=3 .*", "STATUS open")
            self.assertEqual([line.split()[0] for line in other.ask_list("HOLDERS open") if "proven=no" in line],
                             ["slot=0"] * 3)
            client.expect("ERR badvalue key=slot .*", "RELEASE open 0")
            client.expect("ERR (nothold|lost) .*", "RELEASE open 0 token=999")
            other.expect("ERR lost .*", f"RESUME open 0 {first}")
            client.expect("OK", f"RELEASE open 0 token={first}")
            client.expect("ERR (nothold|lost) .*", f"RELEASE open 0 token={first}")
            other.expect("OK .* open=2 .*", "STATUS open")
            redis.start()
            slotd.log.wait_for(UP, 2)
            other.expect(r"OK 1 \d+", "ACQUIRE open limit=1 wait=0")         # as ever
            client.expect("OK", f"RELEASE open 0 token={second}")
            self.assertIn("opens=3", other.ask_list("STATS"))

    def test_not_what_is_stopped(self):
        """Though slotd has not been asked for that group since it was stopped."""
        with Redis() as redis:
            config = redis.config(GROUPS, lease=4000, lease_more="grace_ms = 0")
            with Daemon(config, expect=["trying again"]) as slotd, slotd.client() as client:
                slotd.log.wait_for(UP)
                client.expect("OK .* paused=yes .*", "LIVE open pause=on")
                redis.end()
                slotd.log.wait_for("trying again")
                client.expect("ERR unavailable .*reason=away .*", "ACQUIRE open limit=1 wait=0")
                client.send("#1 ACQUIRE open limit=1 wait=forever")
                client.expect("OK groups=.*", "RELOAD")
                client.expect("OK .* waiting=1 .* open=0 .*", "STATUS open")
                redis.start()
                slotd.log.wait_for(UP, 2)
                client.expect("OK .* waiting=1 .* open=0 .*", "STATUS open")
                client.expect("OK .* paused=no .*", "LIVE open pause=off")
                client.expect(r"#1 OK 1 \d+")

    def test_open_ends_with_its_connection(self):
        with self.without_redis() as (_, slotd, client):
            with slotd.client() as other:
                other.expect(r"OK 0 \d+ unproven=yes", "ACQUIRE open limit=1")
                other.expect("OK", "QUIT")
            client.expect("OK .* open=0 .*", "STATUS open")

    def test_refuse(self):
        with self.without_redis() as (_, _, client):
            client.expect("ERR unavailable retry=\\d+ reason=away .*", "ACQUIRE refuse limit=1 wait=forever")

    def test_wait(self):
        with self.without_redis() as (redis, _, client):
            client.send("ACQUIRE wait limit=1 wait=1m")
            redis.start()
            client.expect(r"OK 1 \d+")


if __name__ == "__main__":
    unittest.main()
