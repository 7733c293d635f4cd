"""The grace: when it begins, why, what is said of it, when it is over; and its end by hand."""
import contextlib
import os
import pty
import re
import signal
import subprocess
import unittest

from fleet import UP, after_asking, no_grace
from redis import Redis
from slotd import SLOTCTL, WRAP, Daemon

BEGINS = r"a grace begins: {}; .* nothing is granted for (\d+) ms"
OVER = "the grace is over"


def slotctl(slotd, *args, **more):
    return subprocess.run([*WRAP, SLOTCTL, "--socket", slotd.socket, *args], text=True, check=False,
                          stdin=more.pop("stdin", subprocess.DEVNULL), capture_output=True, **more)


class Said(unittest.TestCase):
    def test_first_use(self):
        """It counts from the first daemon's connect, and who comes later, or with a new group, has
        none: one exchange, one answer."""
        with Redis() as redis, Daemon(redis.config(lease=4000)) as slotd:
            slotd.log.wait_for(UP)
            said = slotd.log.wait_for(BEGINS.format("nobody has used it before.*"))
            left = int(re.search(r"for (\d+) ms", said[0])[1])
            self.assertTrue(3000 < left <= 4000, said)
            slotd.log.wait_for(OVER)                    # and nobody has asked for anything yet
            with Daemon(redis.config(lease=4000)) as late, late.client() as a:
                late.log.wait_for(UP)
                redis.ask("CONFIG", "RESETSTAT")
                a.expect(r"OK 1 \d+", "ACQUIRE new limit=1 wait=0")
                self.assertEqual(redis.calls()["evalsha"], 1)
                self.assertEqual(late.log.find("grace"), [])
                a.expect("OK grace_left=0", "GRACE")
            self.assertEqual(len(slotd.log.find("a grace begins")), 1)

    def test_who_cannot_wait(self):
        with Redis() as redis, Daemon(redis.config(lease=4000)) as slotd:
            slotd.log.wait_for(UP)
            with slotd.client() as a, slotd.client() as b:
                retry = int(a.expect(r"ERR unavailable retry=(\d+) reason=grace the backend is new .*",
                                     "ACQUIRE g limit=1 wait=0")[1])
                self.assertTrue(1000 <= retry <= 4000)
                left = int(a.expect(r"OK .* grace_left=(\d+) .*", "STATUS g")[1])
                self.assertTrue(0 < left <= retry)
                self.assertGreater(int(a.expect(r"OK grace_left=(\d+)", "GRACE")[1]), 0)
                b.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=1m")
                slotd.log.wait_for(OVER)

    def test_why(self):
        """Flushed; started again with its data; on older data than were there before."""
        with Redis() as redis, Daemon(redis.config(lease=2000), expect=["trying again"]) as slotd:
            with slotd.client() as a:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                slotd.log.wait_for(OVER, 1)
                redis.ask("SAVE")
                redis.ask("FLUSHALL")                   # heard of by the next renewal
                slotd.log.wait_for(BEGINS.format("it has lost its data.*"))
                slotd.log.wait_for(OVER, 2)
                redis.end()                             # without a SAVE
                redis.start()
                slotd.log.wait_for(BEGINS.format("its data are older.*"))
                slotd.log.wait_for(OVER, 3)
                redis.ask("SAVE")
                redis.end()
                redis.start()
                slotd.log.wait_for(BEGINS.format("another server process.*"))
                slotd.log.wait_for(OVER, 4)
                a.expect("OK", "RELEASE g 1")

    def test_one_shard(self):
        with Redis() as redis, Daemon(redis.config(lease=4000)) as slotd, slotd.client() as a:
            slotd.log.wait_for(OVER)
            a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=0")
            redis.ask("DEL", "slotd:1:{s10}:marker")    # that of g
            slotd.log.wait_for("a grace begins in 1 of 64 shards: it has lost its data")
            slotd.log.wait_for(OVER, 2)


class End(unittest.TestCase):
    """GRACE end: for the groups of every daemon, whether they have begun to count or not."""

    def test_of_all(self):
        with Redis() as redis, contextlib.ExitStack() as stack:
            config = redis.config(lease=4000, lease_more="grace_ms = 600000")
            one = stack.enter_context(Daemon(config, expect=["ends the grace"]))
            two = stack.enter_context(Daemon(config))
            for slotd in one, two:
                slotd.log.wait_for(UP)
            with one.client() as a, two.client() as b, one.client() as c:
                a.send("ACQUIRE g limit=2 wait=1m")     # these two have asked in the grace
                b.send("ACQUIRE g limit=2 wait=1m")
                after_asking(one, "g")
                after_asking(two, "g")
                self.assertGreater(int(c.expect(r"OK grace_left=(\d+)", "GRACE")[1]), 0)
                c.expect("OK", "GRACE end")
                c.expect("OK grace_left=0", "GRACE")
                c.expect(r"OK 1 \d+", "ACQUIRE new limit=1 wait=0")
                a.expect(r"OK [12] \d+")                # at the next quarter of the lease
                b.expect(r"OK [12] \d+")
                for slotd in one, two:
                    slotd.log.wait_for(OVER)
                one.log.wait_for(rf"uid {os.getuid()}, process {os.getpid()}, ends the grace of every "
                                 r"group; \d+ ms of it are left")
                redis.ask("FLUSHALL")                   # the next one is a grace again
                one.log.wait_for(BEGINS.format("it has lost its data.*"))

    def test_redis_is_away(self):
        with Redis(running=False) as redis, \
                Daemon(redis.config(), expect=["trying again", "ends the grace"]) as slotd:
            slotd.log.wait_for("trying again")
            with slotd.client() as a:
                a.expect("ERR unavailable retry=1000 reason=away Redis cannot be reached", "GRACE end")

    def test_link_breaks_meanwhile(self):
        """Whoever asked is told that nobody knows."""
        with Redis() as redis, Daemon(redis.config(lease=4000),
                                      expect=["trying again", "ends the grace"]) as slotd:
            slotd.log.wait_for(UP)
            with slotd.client() as a, slotd.client() as b:
                redis.process.send_signal(signal.SIGSTOP)
                a.send("GRACE end")
                b.send("GRACE end")
                for client in a, b:
                    client.expect("ERR unavailable retry=1000 reason=hung .*")
                redis.process.send_signal(signal.SIGCONT)

    def test_of_not_all(self):
        """A shard whose marker is somebody else's key, which slotd does not touch."""
        with Redis() as redis, Daemon(redis.config(lease=4000),
                                      expect=["not a marker", "ends the grace"]) as slotd, \
                slotd.client() as a:
            slotd.log.wait_for(OVER)
            redis.ask("SET", "slotd:1:{s10}:marker", "mine")
            a.expect("ERR backend .*", "GRACE end")
            redis.ask("DEL", "slotd:1:{s10}:marker")
            a.expect("OK", "GRACE end")

    def test_memory(self):
        with Daemon("", expect=["ends the grace"]) as slotd, slotd.client() as a:
            a.expect("OK grace_left=0", "GRACE")
            a.expect("OK", "GRACE end")
            a.expect("ERR syntax .*", "GRACE off")

    @unittest.skipIf(os.getuid() != 0, "only root can be somebody else")
    def test_denied(self):
        with Daemon("[daemon]\nsocket_mode = 0666\n") as slotd:
            os.chmod(slotd.dir, 0o755)
            done = slotctl(slotd, "grace", "end", "--yes", user=65534, group=65534)
            self.assertEqual((done.returncode, done.stdout), (0, "there is no grace to end\n"))
            ask = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
                   "s.sendall(b'GRACE end\\n'); print(s.recv(1000).decode(), end='')")
            done = subprocess.run(["python3", "-c", ask, slotd.socket], user=65534, group=65534,
                                  capture_output=True, text=True, check=True)
            self.assertRegex(done.stdout, r"^ERR denied rule=admin uid \d+ is no admin of this slotd")


class Slotctl(unittest.TestCase):
    def test_redis_away(self):
        """There may be one when Redis is back: nobody is to believe that there is none to end."""
        with Redis() as redis, Daemon(no_grace(redis), expect=["trying again"]) as slotd:
            slotd.log.wait_for(UP)
            redis.end()
            slotd.log.wait_for("trying again")
            for args in ["grace"], ["grace", "--json"], ["grace", "end", "--yes"]:
                done = slotctl(slotd, *args)
                self.assertEqual((done.returncode, done.stdout), (69, ""))
                self.assertRegex(done.stderr, "^slotctl: slotd cannot reach Redis now, ")

    def test_grace(self):
        with Redis() as redis, Daemon(redis.config(lease=60000), expect=["ends the grace"]) as slotd:
            slotd.log.wait_for(UP)
            self.assertRegex(slotctl(slotd, "grace").stdout, r"^nothing is granted for \d+\.\ds more\n$")
            self.assertRegex(slotctl(slotd, "grace", "--json").stdout, r'^{"grace_left": \d+}\n$')
            self.assertEqual(slotctl(slotd, "grace", "off").returncode, 64)
            done = slotctl(slotd, "grace", "end")
            self.assertEqual(done.returncode, 64)
            self.assertIn("--yes", done.stderr)
            for answer, status in (b"no\n", 1), (b"yes\n", 0):
                master, slave = pty.openpty()
                os.write(master, answer)
                done = slotctl(slotd, "grace", "end", stdin=slave)
                os.close(slave)
                os.close(master)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn("Is nothing held anywhere", done.stderr)
            self.assertRegex(done.stdout, r"^the grace has ended in all groups, on all hosts; .* left\n$")
            self.assertEqual(slotctl(slotd, "grace").stdout, "there is no grace\n")
            self.assertEqual(slotctl(slotd, "grace", "end", "--yes").stdout, "there is no grace to end\n")
            self.assertEqual(len(slotd.log.find("ends the grace")), 1)


if __name__ == "__main__":
    unittest.main()
