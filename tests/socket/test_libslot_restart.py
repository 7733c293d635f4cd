"""libslot through whatever becomes of slotd: killed, replaced, stopped, gone; on memory and on Redis."""
import contextlib
import os
import signal
import unittest

from fleet import fleet, no_grace
from program import Program
from redis import Redis
from slotd import Daemon

SLOW = float(os.environ.get("SLOTD_TEST_SLOW", "1"))
LEASE = int(4000 * SLOW)        # long enough to come back within it on a busy machine
SHORT = int(1000 * SLOW)        # where it is to end


class Restart(unittest.TestCase):
    """On memory, and below on Redis."""

    @contextlib.contextmanager
    def daemon(self, lease=LEASE):
        with Daemon(f"[lease]\nlease_ms = {lease}\nmargin_ms = {lease // 20}\n") as slotd:
            yield slotd

    def start(self, slotd, limit=1):
        return self.enterContext(Program(slotd, "lib_news", "g", str(limit)))

    def holder(self, slotd, slot=1, limit=1, valid="valid"):
        program = self.start(slotd, limit)
        program.expect(f"got {slot}")
        self.assertEqual(program.ask("valid?"), valid)
        return program

    def replace(self, slotd, programs, end):
        end(slotd, keep=True)
        for program in programs:
            program.expect("away")
        self.assertEqual(programs[0].ask("valid?"), "valid")    # while there is no slotd at all
        slotd.start()
        for program in programs:
            program.expect("back")

    def release(self, program, word="ok"):
        self.assertEqual(program.ask("go"), word)
        program.end()

    def test_replaced_again_and_again(self):
        """Who holds goes on in his slot, who waits waits on."""
        with self.daemon() as slotd:
            holders = [self.holder(slotd, slot, 3) for slot in (1, 2, 3)]
            waiter = self.start(slotd, 3)
            with slotd.client() as client:
                while len(client.ask_list("WAITERS g")) < 1:
                    pass
            for end in Daemon.kill, Daemon.kill, Daemon.stop:
                self.replace(slotd, [*holders, waiter], end)
                with slotd.client() as client:
                    client.expect("ERR full limit=3 .*", "ACQUIRE g limit=3 wait=0")
            for holder in holders:
                self.assertEqual(holder.ask("valid?"), "valid")
            self.release(holders[1])
            waiter.expect("got 2")
            for program in holders[0], waiter, holders[2]:
                self.release(program)
            with slotd.client() as client:
                client.expect(r"OK 1,2,3 \d+", "ACQUIRE g limit=3 n=3")

    def test_gone_for_good(self):
        """At the deadline the hold is lost, though nobody says so."""
        with self.daemon(SHORT) as slotd:
            program = self.holder(slotd)
            slotd.kill(keep=True)
            program.expect("away", "lost lease")
            self.assertEqual(program.ask("valid?"), "not valid")
            self.release(program, "lost")

    def test_stopped(self):
        """The program knows at the deadline that nothing proves its slot, and hears when something does."""
        with self.daemon(SHORT) as slotd:
            program = self.holder(slotd)
            slotd.process.send_signal(signal.SIGSTOP)
            program.expect("unproven")
            self.assertEqual(program.ask("valid?"), "not valid")
            slotd.process.send_signal(signal.SIGCONT)
            program.expect("proven")
            self.assertEqual(program.ask("valid?"), "valid")
            self.release(program)

    def test_released_while_it_is_away(self):
        with self.daemon() as slotd:
            program = self.holder(slotd)
            slotd.kill(keep=True)
            program.expect("away")
            program.say("go")               # blocks until there is somebody to say it to
            slotd.start()
            program.expect("ok")
            program.end()
            with slotd.client() as client:
                client.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=1m")


HUNG = ["hung: "]       # a busy machine may keep Redis from answering, too


class RestartOnRedis(Restart):
    @contextlib.contextmanager
    def daemon(self, lease=LEASE):
        with Redis() as self.redis, fleet(self.redis, 1, no_grace(self.redis, lease), HUNG) as [slotd]:
            yield slotd

    def test_redis_is_away(self):
        """For longer than a lease: nobody else can have had the slot."""
        with Redis() as redis, Daemon(no_grace(redis, SHORT), expect=["redis", "Redis"]) as slotd:
            slotd.log.wait_for("connected to")
            program = self.holder(slotd)
            redis.process.send_signal(signal.SIGSTOP)
            program.expect("unproven")
            redis.process.send_signal(signal.SIGCONT)
            program.expect("proven")
            self.release(program)

    def test_another_host_has_the_slot(self):
        """Never two at a time that the page proves; and who comes late hears that he has lost it."""
        with Redis() as redis, fleet(redis, 2, no_grace(redis, SHORT), HUNG) as [a, b]:
            stopped = self.holder(a)
            other = self.start(b)
            a.process.send_signal(signal.SIGSTOP)
            stopped.expect("unproven")
            other.expect("got 1")
            self.assertEqual(stopped.ask("valid?"), "not valid")
            self.assertEqual(other.ask("valid?"), "valid")
            a.process.send_signal(signal.SIGCONT)
            self.assertRegex(stopped.line(), "^lost (lease|taken)$")
            self.release(stopped, "lost")
            self.release(other)

    def test_let_in_without_a_slot(self):
        with Redis(running=False) as redis:
            config = redis.config("[group g]\non_backend_down = open\nlimit = 1\n")
            with Daemon(config, expect=["redis", "Redis"]) as slotd:
                program = self.holder(slotd, 0, valid="not valid")
                self.release(program, "unproven")


if __name__ == "__main__":
    unittest.main()
