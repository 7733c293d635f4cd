"""slotctl run: what the command finds, which signals reach it, and who keeps the slot."""
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import unittest

from slotctl import GATE, NAMES_SIGNALS, Case, read_line
from slotd import WRAP

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
             signal.SIGUSR2)


class Environment(Case):
    def test_what_the_command_is_told(self):
        show = ["sh", "-c", 'echo "$SLOT_GROUP $SLOT_NUMBER $SLOT_TOKEN $SLOT_LIMIT"']
        self.assertRegex(self.slotctl("run", "two", *show)[1], r"\Atwo 1 \d+ 2\n\Z")
        self.assertRegex(self.slotctl("run", "two", "-l1", *show)[1], r"\Atwo 1 \d+ 1\n\Z")
        self.assertRegex(self.slotctl("run", "Zürich", "-l5", "--count", "3", *show)[1],
                         r"\AZürich 1,2,3 \d+ 5\n\Z")

    def test_what_holders_see(self):
        run = self.start("run", "g", "-l1", "--label", "my job", "--", *GATE)
        run.ready()
        pid = r"\d+" if WRAP else run.process.pid
        with self.slotd.client() as client:
            self.assertRegex(client.ask_list("HOLDERS g")[0],
                             rf"slot=1 .*pid={pid} .*label=my%20job ")
        run.go_on()
        self.assertEqual(run.end(), 3)

    def test_descriptors(self):
        """The command has its own three and the connection, or not even that."""
        show = [sys.executable, "-c", """if True:
            import os
            for fd in sorted(map(int, os.listdir("/proc/self/fd"))):
                path = f"/proc/self/fd/{fd}"
                if os.path.lexists(path):       # listdir's own is closed
                    print(fd >= 64, os.readlink(path).partition(":")[0])
        """]
        expected = ["False /dev/null", "False pipe", "False pipe", "True socket"]
        with open("/dev/null") as null:
            for close in (True, False):
                run = self.start("run", "g", "-l1", *["-o"] * close, *show, stdin=null)
                run.expect(*expected[:3] if close else expected, "")
                self.assertEqual(run.end(), 0)

    def test_closed_descriptors(self):
        """They stay closed for the command, and nothing that slotctl opens takes their place."""
        def without(fds, *args):    # without a wrapper: valgrind opens what is closed
            return self.slotctl(*args, wrap=[], before=["sh", "-c", f'exec "$@" {fds}', "sh"])

        there = ["sh", "-c", "for n in 0 2; do test ! -e /proc/$$/fd/$n || echo $n; done"]
        self.assertEqual(without("<&- 2>&-", "run", "g", "-l1", "-v", *there), (0, "", ""))
        self.assertEqual(without("<&-", "acquire", "g", "-l1")[0], 0)
        self.assertEqual(without(">&-", "acquire", "g", "-l1"),
                         (71, "", "slotctl: stdout: Bad file descriptor"))
        self.assertEqual(without(">&-", "ping")[0], 71)

    def test_signals_as_they_were(self):
        """Blocked and ignored ones reach the command unchanged, SIGCHLD and SIGPIPE among them."""
        def set_up():
            for signo in (signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(signo, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2, signal.SIGWINCH})

        status = ["grep", "^Sig[BI]", "/proc/self/status"]
        for prepare in (set_up, None):
            options = {"preexec_fn": prepare, "restore_signals": False}
            plain = subprocess.check_output(status, **options).decode()
            # without a wrapper: valgrind has a SIGCHLD of its own
            self.assertEqual(self.slotctl("run", "g", "-l1", *status, wrap=[], **options),
                             (0, plain, ""))

    def test_options_of_the_socket(self):
        option = ["--socket", self.slotd.socket]
        for args in ([*option, "ping"], ["ping", *option]):
            status, out, _ = self.slotctl(*args, path="/no/such/socket")
            self.assertEqual(status, 0)
            self.assertIn(self.slotd.socket, out)


class Signals(Case):
    def test_passed_on(self):
        for signo in PASSED_ON:
            with self.subTest(signal=signo.name):
                run = self.start("run", "g", "-l1", *NAMES_SIGNALS, signo.name)
                run.ready()
                run.signal(signo)
                run.expect(signo.name, "")
                self.assertEqual(run.end(), 7)

    def test_a_command_killed_by_what_was_passed_on(self):
        run = self.start("run", "g", "-l1", "sh", "-c", "echo ready $$; exec cat")
        run.ready()
        run.signal(signal.SIGTERM)
        self.assertEqual(run.end(), 128 + signal.SIGTERM)

    def test_while_waiting(self):
        self.holder()
        for command in ("run", "acquire"):
            for signo in PASSED_ON:
                with self.subTest(command=command, signal=signo.name):
                    rest = ["--", "echo", "ran"] if command == "run" else []
                    run = self.start(command, "g", "-l1", "-v", *rest)
                    run.log.wait_for(r"^slotctl: g: waiting; 1 held, \d+ waiting \(limit 1\)$")
                    run.signal(signo)
                    self.assertEqual(run.end(), 128 + signo)
                    run.expect("")

    def test_while_slotd_is_away(self):
        run = self.start("run", "g", "-l1", "-v", "true", path="/no/such/socket")
        run.log.wait_for("trying again")
        run.signal(signal.SIGTERM)
        self.assertEqual(run.end(), 128 + signal.SIGTERM)

    def test_nohup(self):
        """What is ignored from the start neither ends the wait nor reaches the command."""
        holder = self.holder()
        run = self.start("run", "g", "-l1", "-v", "--", *NAMES_SIGNALS, "SIGTERM",
                         preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        run.log.wait_for("g: waiting")
        run.signal(signal.SIGHUP)
        holder.expect("OK", "RELEASE g 1")
        run.ready()
        run.signal(signal.SIGHUP)
        run.signal(signal.SIGTERM)
        run.expect("SIGTERM", "")
        self.assertEqual(run.end(), 7)

    def terminal(self, *args):
        """Starts slotctl as the foreground job of a terminal.  -> it, the terminal's other side"""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)

        def take_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        run = self.start(*args, stdin=slave, stdout=slave, preexec_fn=take_terminal)
        os.close(slave)
        return run, master

    def test_the_terminals_are_not_passed_on(self):
        """^C reaches the command once: not a second time from slotctl."""
        run, terminal = self.terminal("run", "g", "-l1", *NAMES_SIGNALS, "SIGUSR1")
        self.assertRegex(read_line(terminal), "^ready")
        # stopped, it has not read its own before the command has; else the two would be one
        run.signal(signal.SIGSTOP)
        os.write(terminal, b"\x03")
        self.assertEqual(read_line(terminal), "^CSIGINT")
        # signals are read in the order of their numbers: a SIGINT passed on would come first
        run.signal(signal.SIGUSR1)
        run.signal(signal.SIGCONT)
        self.assertEqual(read_line(terminal), "SIGUSR1")
        self.assertEqual(run.end(), 7)

    def test_the_terminals_reach_a_command_in_another_session(self):
        run, terminal = self.terminal("run", "g", "-l1", "setsid", *NAMES_SIGNALS, "SIGINT")
        self.assertRegex(read_line(terminal), "^ready")
        os.write(terminal, b"\x03")
        self.assertEqual(read_line(terminal), "^CSIGINT")
        self.assertEqual(run.end(), 7)

    def test_the_terminals_end_a_wait(self):
        self.holder()
        run, terminal = self.terminal("run", "g", "-l1", "-v", "true")
        run.log.wait_for("g: waiting")
        os.write(terminal, b"\x03")
        self.assertEqual(run.end(), 128 + signal.SIGINT)


class WhoKeepsTheSlot(Case):
    def test_given_back_when_the_command_exits(self):
        run = self.start("run", "g", "-l1", *GATE)
        run.ready()
        self.assertFalse(self.is_free())
        run.go_on()
        self.assertEqual(run.end(), 3)
        self.assertTrue(self.is_free())

    def test_given_back_though_something_is_left_in_the_background(self):
        run = self.start("run", "g", "-l1", "sh", "-c", "exec 3<&0; cat <&3 >/dev/null & exit 3")
        self.assertEqual(run.end(), 3)
        self.assertTrue(self.is_free())
        run.go_on()

    def test_kept_by_what_a_killed_command_has_left(self):
        run = self.start("run", "g", "-l1", "sh", "-c",
                         "exec 3<&0; cat <&3 >/dev/null & kill -KILL $$")
        self.assertEqual(run.end(), 128 + 9)
        self.assertFalse(self.is_free())
        next_one = self.client()
        next_one.send("ACQUIRE g limit=1 wait=forever")
        run.go_on()
        next_one.expect(r"OK 1 \d+")

    def test_kept_by_the_command_when_slotctl_is_killed(self):
        run = self.start("run", "g", "-l1", *NAMES_SIGNALS, "SIGUSR1")
        pid = run.ready()
        with self.slotd.client() as client:
            run.signal(signal.SIGKILL)
            self.assertEqual(run.end(), 128 + 9)
            run.expect("SIGTERM")       # the command has been told, and works on
            client.expect("ERR full .*", "ACQUIRE g limit=1 wait=0")
            client.send("ACQUIRE g limit=1 wait=forever")
            os.kill(pid, signal.SIGUSR1)
            run.expect("SIGUSR1", "")
            client.expect(r"OK 1 \d+")

    def test_close(self):
        run = self.start("run", "g", "-l1", "--close", *NAMES_SIGNALS, "SIGUSR1")
        pid = run.ready()
        next_one = self.client()
        next_one.send("ACQUIRE g limit=1 wait=forever")
        run.signal(signal.SIGKILL)
        next_one.expect(r"OK 1 \d+")
        run.expect("SIGTERM")           # though the command is still there
        os.kill(pid, signal.SIGUSR1)
        run.expect("SIGUSR1", "")

    def test_a_busy_count(self):
        run = self.start("run", "g", "-l3", "--count", "2", *GATE)
        run.ready()
        with self.slotd.client() as client:
            client.expect(r"OK 3 \d+", "ACQUIRE g limit=3 wait=0")
        run.go_on()
        run.end()
        with self.slotd.client() as client:
            client.expect(r"OK 1,2,3 \d+", "ACQUIRE g limit=3 n=3 wait=0")


if __name__ == "__main__":
    unittest.main()
