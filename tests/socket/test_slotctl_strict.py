"""slotctl run --strict: the command is ended before its slot can be another's, whatever becomes of
slotd.

Where two commands must not overlap they stamp their times, CLOCK_BOOTTIME, and these are compared:
nothing that slotctl or slotd say.  The main test that often, for each of two commands:

    SLOTD_STRICT_TRIES=50 SLOTD_TEST_SLOW=3 tests/run.py tests/socket/test_slotctl_strict.py"""
import contextlib
import mmap
import os
import signal
import struct
import sys
import tempfile
import unittest

from fleet import fleet, no_grace
from page import now
from redis import Redis
from slotctl import FAMILY, FAMILY_NAMES, GATE, SHORT_LEASE, Case, MadeUpSlotd, Slotctl

LEASE = 1000            # ms, of SHORT_LEASE too; its quarter is how long a command may take to end
TRIES = int(os.environ.get("SLOTD_STRICT_TRIES", "2"))
AT_THE_DEADLINE = r"^slotctl: g: slotd does not prove the slot any longer; ending the command$"


class Stamps:
    """A command that stamps when it began, and when it was last alive.  How: whether it "ends" at
    SIGTERM or "stays"; SIGUSR1 ends it in any case."""

    COMMAND = """if True:
        import mmap, os, signal, struct, sys, time
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        if sys.argv[2] == "stays":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open(sys.argv[1], "r+b") as file:
            page = mmap.mmap(file.fileno(), 16)
        begin = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        struct.pack_into("qq", page, 0, begin, begin)
        print("ready", os.getpid(), flush=True)
        while not signal.sigtimedwait({signal.SIGUSR1}, 0.001):
            struct.pack_into("q", page, 8, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    """

    def __init__(self, how):
        fd, self._path = tempfile.mkstemp(prefix="slotd-stamps-")
        os.ftruncate(fd, 16)
        self._page = mmap.mmap(fd, 16)
        os.close(fd)
        self.command = [sys.executable, "-c", self.COMMAND, self._path, how]

    @property
    def begin(self):
        return struct.unpack_from("q", self._page, 0)[0]

    @property
    def alive(self):
        return struct.unpack_from("q", self._page, 8)[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.unlink(self._path)


def pass_leases(slotd, leases):
    """Returns when that much time has passed for slotd."""
    with slotd.client() as holder, slotd.client() as client:
        holder.expect(r"OK 1 \d+", "ACQUIRE time limit=1")
        client.expect("ERR timeout .*", f"ACQUIRE time limit=1 wait={int(leases * LEASE)}")
        holder.expect("OK", "RELEASE time 1")


class TheNextHolder(unittest.TestCase):
    """Two daemons and one Redis: the slot of one that does not answer goes to the other."""

    @contextlib.contextmanager
    def two(self):
        with Redis() as redis, fleet(redis, 2, no_grace(redis, LEASE)) as daemons:
            for slotd in daemons:       # a busy machine alone can hold an answer up for 200 ms
                slotd.expect.append("trying again")
            yield daemons

    def hand_over(self, one, two, how):
        with Stamps(how) as first, Stamps("ends") as second, one.client() as raw, \
                Slotctl(one.socket, "run", "g", "-l1", "--strict", *first.command) as run:
            run.ready()
            raw.expect("OK .*", "HELLO events=on")
            raw.expect(r"OK 1 \d+", "ACQUIRE raw limit=1")
            with Slotctl(two.socket, "run", "g", "-l1", "-v", *second.command) as other:
                other.log.wait_for("g: waiting")
                one.process.send_signal(signal.SIGSTOP)
                other.ready()
                self.assertEqual(run.end(), 125)
                self.assertLess(first.alive, second.begin)
                pass_leases(two, 1)             # and one has passed before
                one.process.send_signal(signal.SIGCONT)
                raw.expect(r"!LOST raw 1 \d+ lease")
                other.signal(signal.SIGUSR1)
                self.assertEqual(other.end(), 0)

    def test_slotd_is_stopped(self):
        with self.two() as (one, two):
            for _ in range(TRIES):
                for how in "ends", "stays":
                    with self.subTest(how=how):
                        self.hand_over(one, two, how)

    def test_slotd_is_killed(self):
        with self.two() as (one, two), \
                Stamps("stays") as first, Stamps("ends") as second, \
                Slotctl(one.socket, "run", "g", "-l1", "--strict", *first.command) as run:
            run.ready()
            with Slotctl(two.socket, "run", "g", "-l1", "-v", *second.command) as other:
                other.log.wait_for("g: waiting")
                one.kill(keep=True)
                other.ready()
                self.assertEqual(run.end(), 125)
                self.assertLess(first.alive, second.begin)
                other.signal(signal.SIGUSR1)
                self.assertEqual(other.end(), 0)
            one.start()


class Strict(Case):
    config = SHORT_LEASE

    def stop(self):
        self.slotd.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.go_on)

    def go_on(self):
        self.slotd.process.send_signal(signal.SIGCONT)

    def test_nothing_happens_while_slotd_is_well(self):
        for options in [], ["--kill-after", "400ms"]:
            run = self.start("run", "g", "-l1", "--strict", *options, *GATE)
            run.ready()
            pass_leases(self.slotd, 2.5)
            run.go_on()
            self.assertEqual(run.end(), 3)
            run.log.join()
            self.assertEqual(run.log.lines, [])

    def test_slotd_hangs(self):
        run = self.start("run", "g", "-l1", "--strict", *FAMILY, "ends")
        run.expect_set(f"{name} is there" for name in FAMILY_NAMES)
        self.stop()
        run.expect_set(f"{name} got SIGTERM" for name in FAMILY_NAMES)
        run.expect("")
        self.assertEqual(run.end(), 125)
        run.log.wait_for(AT_THE_DEADLINE)

    def test_and_the_command_does_not_end(self):
        run = self.start("run", "g", "-l1", "--strict", "--kill-after", "20ms", *FAMILY, "stays")
        run.expect_set(f"{name} is there" for name in FAMILY_NAMES)
        self.stop()
        run.expect("")
        self.assertEqual(run.end(), 125)

    def test_slotd_is_killed(self):
        run = self.start("run", "g", "-l1", "--strict", *FAMILY, "stays")
        run.expect_set(f"{name} is there" for name in FAMILY_NAMES)
        self.slotd.kill(keep=True)
        run.expect("")
        self.assertEqual(run.end(), 125)
        self.slotd.start()

    def test_slotd_goes_on_in_time(self):
        """Before the command is to end: nothing has happened."""
        run = self.start("run", "g", "-l1", "--strict", "--kill-after", "0", *GATE)
        run.ready()
        for _ in range(5):
            self.stop()
            self.go_on()
        pass_leases(self.slotd, 1)
        run.go_on()
        self.assertEqual(run.end(), 3)

    def test_slotd_takes_the_slot(self):
        """It gives it to the next a margin later, whatever --kill-after says, and though the command
        does not have the connection."""
        for options in [], ["--close"]:
            with self.subTest(options=options):
                self.take(options)

    def take(self, options):
        with Stamps("stays") as first:
            for hold in "300ms", "1s", "5s", "1m":      # a busy machine needs longer to begin
                run = self.start("run", "g", "-l1", "--strict", *options, "--hold", hold,
                                 "--kill-after", "575ms", *first.command)
                if run.line().startswith("ready"):
                    break
            with self.slotd.client() as other:
                other.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=forever")
                granted = now()
                self.assertEqual(run.end(), 125)
                self.assertLess(first.alive, granted)

    def test_slotctl_is_stopped(self):
        """Nobody watches then; the command is ended when slotctl goes on."""
        run = self.start("run", "g", "-l1", "--strict", "sh", "-c",
                         "trap '' TERM; echo ready $$; while read line; do echo $line; done")
        run.ready()
        run.signal(signal.SIGSTOP)
        self.slotd.kill(keep=True)
        self.slotd.start()
        pass_leases(self.slotd, 1.5)
        run.process.stdin.write(b"I am still here\n")
        run.expect("I am still here")
        run.signal(signal.SIGCONT)
        run.expect("")
        self.assertEqual(run.end(), 125)

    def test_refused(self):
        args = ["run", "g", "-l1", "--strict", "--kill-after", "576ms", "echo", "ran"]
        self.assertEqual(self.slotctl(*args), (64, "", "slotctl: --kill-after: with --strict and this "
                                                       "slotd's lease at most 575ms"))

    def test_refused_without_a_page(self):
        """Before it waits in line."""
        with MadeUpSlotd() as slotd:
            run = self.start("run", "g", "-l1", "--strict", "echo", "ran", path=slotd.path)
            with slotd.accept() as connection:
                slotd.request(connection, "ACQUIRE")
                self.assertEqual(run.end(), 69)
            run.expect("")
            run.log.wait_for("^slotctl: .*: --strict: this slotd has no lease page to prove ")

    def test_refused_without_a_place_in_the_page(self):
        self.slotd = self.daemon(self.config + "[daemon]\nmax_cells = 64\n", expect=["page"])
        holder = self.start("run", "h", "-l64", "--count=64", "--strict", *GATE)
        holder.ready()
        self.assertEqual(self.slotctl("run", "g", "-l1", "--strict", "echo", "ran"),
                         (69, "", "slotctl: g: --strict: slotd does not prove this slot"))
        self.assertTrue(self.is_free())
        holder.go_on()
        self.assertEqual(holder.end(), 3)


class Unproven(Case):
    """Without --strict that is said, and the command goes on."""
    config = SHORT_LEASE

    def test_and_proven_again(self):
        run = self.start("run", "g", "-l1", *GATE)
        run.ready()
        self.slotd.process.send_signal(signal.SIGSTOP)
        try:
            run.log.wait_for(r"^slotctl: g: the slot is unproven: ")
        finally:
            self.slotd.process.send_signal(signal.SIGCONT)
        run.log.wait_for("^slotctl: g: the slot is proven again$")
        run.go_on()
        self.assertEqual(run.end(), 3)
        run.log.join()
        self.assertEqual(len(run.log.lines), 2, run.log)


if __name__ == "__main__":
    unittest.main()
