"""slotctl when the slot is lost, or slotd is away."""
import os
import signal
import unittest

from fleet import UP, fleet, no_grace
from redis import Redis
from slotctl import (FAMILY, FAMILY_NAMES, GATE, NAMES_SIGNALS, SHORT_LEASE, Case, MadeUpSlotd,
                     Slotctl)
from slotd import SLOTCTL


class Loss(Case):
    """By slotd's word, and by its silence: what nobody takes over is lost with the lease."""
    config = SHORT_LEASE

    def test_the_command_is_ended(self):
        run = self.start("run", "g", "-l1", "--hold", "20ms", "cat")
        self.assertEqual(run.end(), 125)
        run.log.wait_for(r"^slotctl: g: the slot is lost \(hold\); ending the command$")

    def test_and_killed_if_it_does_not_end(self):
        run = self.start("run", "g", "-l1", "--kill-after", "20ms", "sh", "-c",
                         "trap '' TERM; echo ready $$; while :; do read gate; done")
        run.ready()
        self.slotd.kill(keep=True)
        self.assertEqual(run.end(), 125)
        self.slotd.start()

    def test_slotd_dies(self):
        run = self.start("run", "g", "-l1", *NAMES_SIGNALS, "SIGTERM")
        run.ready()
        self.slotd.kill(keep=True)
        run.expect("SIGTERM", "")
        self.assertEqual(run.end(), 125)
        self.slotd.start()

    def test_warn(self):
        run = self.start("run", "g", "-l1", "--on-lost=warn", *GATE)
        run.ready()
        self.slotd.kill(keep=True)
        run.log.wait_for(r"^slotctl: g: the slot is lost \(lease\); "
                         r"the command goes on without it$")
        run.go_on()
        self.assertEqual(run.end(), 3)
        self.slotd.start()

    def test_signals_are_passed_on_after_a_loss(self):
        run = self.start("run", "g", "-l1", "--on-lost=warn", *NAMES_SIGNALS, "SIGUSR1")
        run.ready()
        self.slotd.kill(keep=True)
        run.log.wait_for("the slot is lost")
        run.signal(signal.SIGUSR1)
        run.expect("SIGUSR1", "")
        self.assertEqual(run.end(), 7)
        self.slotd.start()


class Family(Case):
    """Whom the command has left anywhere is ended with it; the pipe's end shows that all are."""
    config = SHORT_LEASE

    def run_family(self, how, *options):
        run = self.start("run", "g", "-l1", *options, *FAMILY, how)
        run.expect_set(f"{name} is there" for name in FAMILY_NAMES)
        self.slotd.kill(keep=True)
        return run

    def ended(self, run):
        run.expect("")
        self.assertEqual(run.end(), 125)
        self.slotd.start()

    def test_all_are_told(self):
        run = self.run_family("ends")
        run.expect_set(f"{name} got SIGTERM" for name in FAMILY_NAMES)
        self.ended(run)

    def test_and_all_are_killed(self):
        self.ended(self.run_family("stays", "--kill-after", "20ms"))

    def test_what_a_command_leaves_on_sigterm(self):
        """It is waited for, and killed in its time."""
        run = self.start("run", "g", "-l1", "--kill-after", "20ms", "sh", "-c",
                         "(trap '' TERM; echo ready $$; while :; do read gate; done) & wait")
        run.ready()
        self.slotd.kill(keep=True)
        self.ended(run)

    def test_the_handler_of_sigterm_may_use_commands(self):
        """What the command starts in answer to SIGTERM is not signalled: it cleans up."""
        clean_up = """sh -c 'trap "echo disturbed" TERM; echo cleaning; read gate; echo cleaned'"""
        run = self.start("run", "g", "-l1", "--kill-after", "1h", "sh", "-c",
                         'trap "$0; exit" TERM; echo ready $$; read gate', clean_up)
        run.ready()
        self.slotd.kill(keep=True)
        run.expect("cleaning")
        run.go_on()
        run.expect("cleaned")
        self.ended(run)

    def test_those_that_were_there_before_are_no_family(self):
        """As of a script that goes on as slotctl: exec slotctl run ..."""
        read, write = os.pipe()
        run = self.start("run", "g", "-l1", *GATE, pass_fds=[read], before=[
            "sh", "-c", f'cat <&{read} >/dev/null & exec "$@"', "sh"])
        os.close(read)
        run.ready()
        self.slotd.kill(keep=True)
        self.assertEqual(run.end(), 125)
        os.write(write, b"nobody has ended cat")        # else it would be a broken pipe
        os.close(write)
        self.slotd.start()

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount")
    def test_without_proc(self):
        """The command alone is ended."""
        with open(SLOTCTL, "rb") as program:
            if b"__asan_init" in program.read():
                self.skipTest("a sanitizer's leak detector cannot do without /proc")
        run = self.start("run", "g", "-l1", *NAMES_SIGNALS, "SIGTERM", wrap=[], before=[
            "unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"])
        run.ready()
        self.slotd.kill(keep=True)
        run.expect("SIGTERM", "")
        self.assertEqual(run.end(), 125)
        self.slotd.start()


class SlotdIsAway(Case):
    def test_started_later(self):
        self.slotd.stop(keep=True)
        run = self.start("run", "g", "-l1", "-v", "echo", "ran")
        run.log.wait_for("trying again")
        self.slotd.start()
        run.expect("ran", "")
        self.assertEqual(run.end(), 0)

    def test_said_once_without_v(self):
        run = self.start("run", "g", "-l1", "true", path=os.path.join(self.slotd.dir, "nowhere"))
        run.log.wait_for("trying again")
        run.signal(signal.SIGTERM)
        run.end()
        run.log.join()
        self.assertEqual(len(run.log.lines), 2, run.log)

    def test_said_once_with_v(self):
        """And at once; the last line is of the end."""
        status, _, said = self.slotctl("run", "g", "-l1", "-nv", "true",
                                       path=os.path.join(self.slotd.dir, "nowhere"))
        away, trying, end = said.split("\n")
        self.assertEqual((status, away, trying), (69, end, "slotctl: trying again"))

    def test_restarted_while_waiting(self):
        for how in ("stop", "kill"):
            with self.subTest(how=how):
                self.holder()
                run = self.start("run", "g", "-l1", "-v", "--wait", "1h", "echo", "ran")
                run.log.wait_for("g: waiting")
                getattr(self.slotd, how)(keep=True)
                run.log.wait_for("trying again")
                self.slotd.start()      # and the holder's connection is no more
                run.expect("ran", "")
                self.assertEqual(run.end(), 0)
                run.log.wait_for("g: got slot 1 after")


class Grace(Case):
    """A Redis that is new: nothing is granted for a lease."""

    def setUp(self):
        redis = self.enterContext(Redis())
        self.slotd = self.daemon(redis.config(lease=4000))
        self.slotd.log.wait_for(UP)

    def test_said(self):
        run = self.start("run", "g", "-l1", "-v", "echo", "ran")
        run.log.wait_for(r"^slotctl: g: nothing is granted for another \d[\dm.]*s: Redis is new")
        status, _, said = self.slotctl("run", "g", "-l1", "-n", "true")
        self.assertEqual(status, 69)
        self.assertRegex(said, r"^slotctl: g: nothing can be granted: .*; try again in \d[\dm.]*s$")
        run.expect("ran", "")
        self.assertEqual(run.end(), 0)


class Fleet(Case):
    def test_waits_for_another_host(self):
        redis = self.enterContext(Redis())
        self.slotd, other = self.enterContext(fleet(redis, 2, no_grace(redis)))
        with other.client() as holder:
            holder.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            run = self.start("run", "g", "-l1", "-v", "echo", "ran")
            run.log.wait_for(r"^slotctl: g: waiting; \d in use on all hosts, 1 waiting \(limit 1\)$")
        run.expect("ran", "")
        self.assertEqual(run.end(), 0)


class WithoutRedis(Case):
    def setUp(self):
        redis = self.enterContext(Redis())
        self.slotd = self.daemon(redis.config("[group g]\nlimit = 1\non_backend_down = open\n"),
                                 expect=["trying again", "let in"])
        self.slotd.log.wait_for(UP)
        redis.end()

    def test_let_in_without_a_slot(self):
        show = ["sh", "-c", 'echo "$SLOT_NUMBER"; exit 3']
        said = "slotctl: g: let in without a slot, as Redis is away: the limit may be exceeded"
        self.assertEqual(self.slotctl("run", "g", *show), (3, "0\n", said))
        self.assertEqual(self.slotctl("run", "g", "--strict", *show),
                         (69, "", "slotctl: g: --strict: slotd does not prove this slot"))


class TheTimeThatIsLeft(unittest.TestCase):
    def test_asks_again_for_it(self):
        args = ["run", "g", "-l1", "-w", "1h", "echo", "ran"]
        with MadeUpSlotd() as slotd, Slotctl(slotd.path, *args) as run:
            left = []
            for answer in ("", "ERR clients max=1 no more\n", "{tag} ERR shutdown stopping\n",
                           "{tag} ERR nomem no memory\n", "{tag} OK 1 7 limit=1\n"):
                with slotd.accept() as connection:
                    tag, words = slotd.request(connection, "ACQUIRE")
                    left.append(int(dict(word.split("=") for word in words[2:])["wait"]))
                    connection.sendall(answer.format(tag=tag).encode())
                    if "OK" in answer:
                        run.expect("ran")
                        tag, words = slotd.request(connection, "RELEASE")
                        self.assertEqual(words, ["RELEASE", "g", "1", "token=7"])
                        connection.sendall(f"{tag} OK\n".encode())
                        self.assertEqual(run.end(), 0)
            self.assertLessEqual(left[0], 3600000)
            for before, after in zip(left, left[1:]):       # 50 ms: the shortest pause
                self.assertLessEqual(after, before - 50)


if __name__ == "__main__":
    unittest.main()
