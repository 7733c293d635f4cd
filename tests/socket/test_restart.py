"""slotd is killed, stopped, started anew: what strict clients hold goes on, and the limit holds."""
import contextlib
import os
import select
import signal
import struct
import unittest

from fleet import UP, fleet
from page import Strict, now
from redis import Redis
from slotd import Client, Daemon

SLOW = float(os.environ.get("SLOTD_TEST_SLOW", "1"))
LEASE = int(4000 * SLOW)        # long enough to come back within it on a busy machine
NOBODY = 65534


def memory(lease, more=""):
    return f"[lease]\nlease_ms = {lease}\nmargin_ms = {lease // 5}\n{more}"


def wait_for_deadline(hold):
    """Until the page says that it is not proven any more."""
    while (left := hold.left()) > 0:
        select.select([], [], [], left / 1e9)


class Killed(unittest.TestCase):
    """On memory, and below on Redis."""

    @contextlib.contextmanager
    def daemon(self, lease=LEASE):
        with Daemon(memory(lease)) as slotd:
            yield slotd

    def ready(self, slotd):
        pass

    def strict(self, slotd):
        return self.enterContext(Strict(slotd.socket))

    def start_anew(self, slotd):
        slotd.kill(keep=True)
        slotd.start()
        self.ready(slotd)

    def test_twice_in_a_row(self):
        """Holders come back, newcomers do not get in, those who wait are served in order."""
        with self.daemon() as slotd:
            a, c = self.strict(slotd), self.strict(slotd)
            ab = a.acquire("ACQUIRE g limit=3 n=2")
            old = c.acquire("ACQUIRE g limit=3")
            for again in range(2):
                self.start_anew(slotd)
                a = self.strict(slotd)
                with slotd.client() as new:         # whoever comes first
                    new.expect("ERR full limit=3 .*", "ACQUIRE g limit=3 wait=0")
                    self.assertEqual(len(a.page.inherited()), 3)
                    ab = a.resume(ab)
                    self.assertGreater(ab.left(), 0)
                    new.expect("ERR full limit=3 .*", "ACQUIRE g limit=3 wait=0")
                    self.assertEqual(len(a.page.inherited()), 1)
            c = self.strict(slotd)                  # only now: it was inherited twice
            hold = c.resume(old)
            self.assertIn("adoptions=2", c.ask_list("STATS"))
            with slotd.client() as x, slotd.client() as y:
                x.send("#x ACQUIRE g limit=3 wait=1m")
                x.expect("OK pong", "PING")
                y.send("#y ACQUIRE g limit=3 wait=1m")
                y.expect("OK pong", "PING")
                c.expect("OK", f"RELEASE g {hold.slots} token={hold.token}")
                x.expect(rf"#x OK {hold.slots} \d+")
                a.expect("OK", f"RELEASE g {ab.slots} token={ab.token}")
                y.expect(r"#y OK 1 \d+")

    def test_nobody_comes_back(self):
        """Nobody else is in before the holder is out by its page, and had the margin to end."""
        with self.daemon(int(1000 * SLOW)) as slotd:
            with Strict(slotd.socket) as client:
                hold = client.acquire("ACQUIRE g limit=1")
                slotd.kill(keep=True)
                self.assertGreater(hold.left(), 0)
                slotd.start()
                with Strict(slotd.socket) as new:
                    other = new.acquire("ACQUIRE g limit=1 wait=1m")
                    self.assertGreaterEqual(now(), client.page.cell(hold.cell)[1] + client.margin * 10**6)
                    self.assertGreater(other.token, hold.token)
                    new.expect("ERR lost .*", f"RESUME {hold.name}")

    def test_too_late(self):
        with self.daemon(int(1000 * SLOW)) as slotd:
            with Strict(slotd.socket) as client:
                hold = client.acquire("ACQUIRE g limit=1")
                slotd.kill(keep=True)
                wait_for_deadline(hold)
            slotd.start()
            with Strict(slotd.socket) as client:
                self.assertEqual(client.page.n_inherited, 0)
                client.expect("ERR lost .*", f"RESUME {hold.name}")

    def test_given_back_before(self):
        """What was released, or lost, is nobody's proof; and of a hold of which a part was given back the
        rest is resumed."""
        with self.daemon() as slotd:
            a, b = self.strict(slotd), self.strict(slotd)
            gone = a.acquire("ACQUIRE g limit=5")
            some = a.acquire("ACQUIRE g limit=5 n=3")
            closed = b.acquire("ACQUIRE g limit=5")
            a.expect("OK", f"RELEASE g {gone.slots}")
            a.expect("OK", "RELEASE g 2")
            b.close()
            while len(a.ask_list("HOLDERS g")) > 2:
                pass
            self.start_anew(slotd)
            with Strict(slotd.socket) as client:
                client.expect("ERR lost .*", f"RESUME {gone.name}")
                client.expect("ERR lost .*", f"RESUME {closed.name}")
                client.expect("ERR lost .*", f"RESUME {some.name}")
                client.expect(rf"OK 3,4 {some.token} cell=\d+", f"RESUME g 3,4 {some.token}")

    def test_not_his(self):
        """Another token, other slots, another group."""
        with self.daemon() as slotd:
            with Strict(slotd.socket) as client:
                hold = client.acquire("ACQUIRE g limit=5 n=2")
                self.start_anew(slotd)
            with slotd.client() as client:
                for name in (f"g 1,2 {hold.token + 1}", f"g 1,3 {hold.token}", f"h 1,2 {hold.token}"):
                    client.expect("ERR lost .*", f"RESUME {name}")
                client.expect(f"OK 2,1 {hold.token}", f"RESUME g 2,1 {hold.token}")

    @unittest.skipUnless(os.geteuid() == 0, "only root can be a second user")
    def test_other_user(self):
        with self.daemon() as slotd:
            with Strict(slotd.socket) as client:
                hold = client.acquire("ACQUIRE g limit=1")
                self.start_anew(slotd)
            os.chmod(slotd.dir, 0o711)
            os.chmod(slotd.socket, 0o666)
            os.seteuid(NOBODY)
            try:
                other = Client(slotd.socket)
            finally:
                os.seteuid(0)
            with other:
                other.expect("ERR lost .*", f"RESUME {hold.name}")
            with Strict(slotd.socket) as client:
                client.resume(hold)

    def test_raw(self):
        """Who does not read the page has no proof."""
        with self.daemon() as slotd:
            with slotd.client() as client:
                name = client.expect(r"OK (1 \d+)", "ACQUIRE g limit=1")[1]
                self.start_anew(slotd)
            with slotd.client() as client:
                client.expect("ERR lost .*", f"RESUME g {name}")

    def test_many(self):
        """As many as a host has; and none is left inherited when all have come back."""
        with self.daemon() as slotd:
            with Strict(slotd.socket) as client:
                holds = [client.acquire(f"ACQUIRE g{i % 7} limit=200") for i in range(1000)]
                self.start_anew(slotd)
            with Strict(slotd.socket) as client:
                client.send(*(f"#{i} RESUME {hold.name}" for i, hold in enumerate(holds)))
                for _ in holds:
                    client.expect(r"#\d+ OK \d+ \d+ cell=\d+")
                self.assertEqual(client.page.inherited(), [])


    def test_taken_back_just_before(self):
        """By an operator: the margin for its holder to hear of that does not end with slotd."""
        with self.daemon(2 * LEASE) as slotd:
            with slotd.client() as other:
                hold = self.strict(slotd).acquire("ACQUIRE g limit=1")
                other.expect("OK evicted=1", f"EVICT g 1 token={hold.token}")
                self.assertEqual(hold.left(), 0)
            self.start_anew(slotd)
            with slotd.client() as other:
                other.expect("ERR full .*", "ACQUIRE g limit=1 wait=0")
                other.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=forever")


class KilledOnRedis(Killed):
    @contextlib.contextmanager
    def daemon(self, lease=LEASE):
        with Redis() as redis, Daemon(redis.config(lease=lease, lease_more="grace_ms = 0")) as slotd:
            self.ready(slotd)
            yield slotd

    def ready(self, slotd):
        slotd.log.wait_for(UP)

    def test_eras_stay(self):
        """A start without Redis knows what the one before it had heard."""
        with Redis() as redis, Daemon(redis.config(), expect=["trying again"]) as slotd:
            self.ready(slotd)
            with Strict(slotd.socket) as client:
                client.acquire("ACQUIRE g limit=1 wait=1m")
                eras = client.page.eras
                self.assertNotIn(0, eras)
            redis.end()
            slotd.kill(keep=True)
            slotd.start()
            with Strict(slotd.socket) as client:
                self.assertEqual(client.page.eras, eras)


class ClockSetBack(unittest.TestCase):
    """Numbers follow the clock, but no farther back than to the last one."""

    HIGH = 64 + 64 * 8          # where the page has it
    DAY = 86400 * 10**6 // 32   # by so much they grow in a day

    def test_on_memory(self):
        with Daemon(memory(LEASE)) as slotd:
            with slotd.client() as a:
                number = int(a.expect(r"OK 1 (\d+)", "ACQUIRE g limit=1")[1]) >> 16
            slotd.kill(keep=True)
            with open(slotd.socket + ".page", "r+b") as page:
                page.seek(self.HIGH)
                self.assertEqual(struct.unpack("Q", page.read(8)), (number,))
                page.seek(self.HIGH)
                page.write(struct.pack("Q", number + self.DAY))
            slotd.start()
            with slotd.client() as a:
                later = int(a.expect(r"OK 1 (\d+)", "ACQUIRE g limit=1")[1]) >> 16
                self.assertEqual(later, number + self.DAY + 1)


class Ended(unittest.TestCase):
    """SIGTERM, in good order."""

    @contextlib.contextmanager
    def daemon(self, stop_ms=0, lease=LEASE):
        with Daemon(memory(lease, f"[daemon]\nstop_ms = {stop_ms}\n")) as slotd:
            yield slotd

    def ready(self, slotd):
        pass

    def test_holds_are_left(self):
        """To who resumes them; who waits is told, and nobody is let in."""
        with self.daemon() as slotd:
            with Strict(slotd.socket) as client, slotd.client() as waiter:
                hold = client.acquire("ACQUIRE g limit=1")
                waiter.send("#w ACQUIRE g limit=1 wait=1m")
                waiter.expect("OK pong", "PING")
                slotd.stop(keep=True)
                waiter.expect("#w ERR shutdown .*")
                waiter.expect_eof()
                client.expect_eof()
                self.assertGreater(hold.left(), 0)
            slotd.start()
            self.ready(slotd)
            with Strict(slotd.socket) as client, slotd.client() as new:
                new.expect("ERR full .*", "ACQUIRE g limit=1 wait=0")
                self.assertGreater(client.resume(hold).left(), 0)
                new.expect("ERR full .*", "ACQUIRE g limit=1 wait=0")

    def test_goodbye(self):
        """Who closes before slotd does has given back what it held."""
        with self.daemon() as slotd:
            with Strict(slotd.socket) as client:
                client.acquire("ACQUIRE g limit=1")
                client.expect("OK", "QUIT")
                slotd.stop(keep=True)
                client.expect_eof()
            slotd.start()
            self.ready(slotd)
            with slotd.client() as new:
                new.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=0")

    def test_stop_ms(self):
        """It goes on for those who hold, renews their cells, lets nobody in, and ends with the last."""
        with self.daemon(600000, int(1000 * SLOW)) as slotd:
            with Strict(slotd.socket) as client, slotd.client() as raw, slotd.client() as idler:
                hold = client.acquire("ACQUIRE g limit=3")
                raw.expect(r"OK 2 \d+", "ACQUIRE g limit=3")
                idler.expect("OK pong", "PING")
                slotd.process.send_signal(signal.SIGTERM)
                slotd.log.wait_for("waiting for the end of 2 holds, for 600000 ms at most")
                end = client.page.cell(hold.cell)[1]
                while now() < end:                          # a lease without renewals
                    self.assertGreater(hold.left(), 0)
                    client.is_readable(0.05)
                raw.expect("ERR shutdown .*", "ACQUIRE g limit=3")
                raw.expect("OK", "RELEASE g 2")
                client.expect("OK pong", "PING")
                client.expect("OK", "RELEASE g 1")
                for each in client, raw, idler:
                    each.expect_eof()
                slotd.stop(keep=True, sig=0)

    def test_stop_ms_is_over(self):
        with self.daemon(100) as slotd, Strict(slotd.socket) as client:
            hold = client.acquire("ACQUIRE g limit=1")
            slotd.process.send_signal(signal.SIGTERM)
            client.expect_eof()
            slotd.stop(keep=True, sig=0)
            self.assertGreater(hold.left(), 0)

    def test_second_signal(self):
        with self.daemon(600000) as slotd, Strict(slotd.socket) as client:
            hold = client.acquire("ACQUIRE g limit=1")
            slotd.process.send_signal(signal.SIGTERM)
            slotd.log.wait_for("waiting for the end of 1 holds")
            slotd.process.send_signal(signal.SIGTERM)
            client.expect_eof()
            slotd.stop(keep=True, sig=0)
            self.assertGreater(hold.left(), 0)


class EndedOnRedis(Ended):
    @contextlib.contextmanager
    def daemon(self, stop_ms=0, lease=LEASE):
        with Redis() as redis:
            config = redis.config(lease=lease, lease_more="grace_ms = 0")
            with Daemon(config.replace("testing", f"stop_ms = {stop_ms}\ntesting")) as slotd:
                self.ready(slotd)
                yield slotd

    def ready(self, slotd):
        slotd.log.wait_for(UP)


class Stopped(unittest.TestCase):
    """kill -STOP for longer than the lease, then -CONT."""

    @contextlib.contextmanager
    def stopped(self, slotd):
        pid = slotd.process.pid
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def test_on_redis(self):
        """Nothing stale is handed out, and each client is told what it must know."""
        config = "grace_ms = 0\nidle_ms = 60000"
        with Redis() as redis, fleet(redis, 2, redis.config(lease=int(2000 * SLOW), lease_more=config)) as (a, b):
            a.expect.append("trying again")
            with Strict(a.socket) as strict, a.client() as raw, Strict(b.socket) as other:
                kept = strict.acquire("ACQUIRE kept limit=1")
                lost = strict.acquire("ACQUIRE lost limit=2")
                raw.expect("OK .*", "HELLO events=on")
                token = raw.expect(r"OK 2 (\d+)", "ACQUIRE lost limit=2")[1]
                raw.expect(r"OK 1 \d+", "ACQUIRE idle limit=1")
                raw.expect("OK", "RELEASE idle 1")          # kept for the next one here
                with self.stopped(a):
                    both = other.acquire("ACQUIRE lost limit=2 n=2 wait=1m")
                    self.assertEqual(lost.left(), 0)        # before anybody else was in
                    idle = other.acquire("ACQUIRE idle limit=1 wait=1m")
                    wait_for_deadline(kept)
                    strict.send("#i ACQUIRE idle limit=1 wait=0")
                    raw.send(f"RELEASE lost 2 token={token}")
                raw.expect(f"!LOST lost 2 {token} lease")
                raw.expect("ERR lost .*")
                expected = [f"!UNPROVEN {kept.name}", f"!UNPROVEN {lost.name}", f"!KEPT {kept.name}",
                            f"!LOST {lost.name} taken", "#i ERR full limit=1"]
                told = [strict.readline() for _ in expected]
                self.assertEqual(sorted(" ".join(line.split()[:5]) if line[0] == "!" else line[:20].rstrip()
                                        for line in told), sorted(expected))
                self.assertLess(told.index(expected[0]), told.index(expected[2]))
                self.assertLess(told.index(expected[1]), told.index(expected[3]))
                self.assertEqual(lost.left(), 0)
                for hold in kept, both, idle:
                    self.assertGreater(hold.left(), 0)
                strict.expect("OK", f"RELEASE kept 1 token={kept.token}")

    def test_on_memory(self):
        """Nobody else can have been given anything."""
        with Daemon(memory(int(1000 * SLOW))) as slotd, Strict(slotd.socket) as strict, slotd.client() as raw:
            raw.expect("OK .*", "HELLO events=on")
            raw.expect(r"OK 1 \d+", "ACQUIRE g limit=2")
            hold = strict.acquire("ACQUIRE g limit=2")
            with self.stopped(slotd):
                wait_for_deadline(hold)
            strict.expect(f"!UNPROVEN {hold.name}")
            strict.expect(f"!KEPT {hold.name}")
            self.assertGreater(hold.left(), 0)
            raw.expect("OK", "RELEASE g 1")


if __name__ == "__main__":
    unittest.main()
