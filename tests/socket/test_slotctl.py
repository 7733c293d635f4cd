"""slotctl against a real daemon: exit codes, signals, who keeps the slot, tables and JSON.

Wrapped commands say on their standard output when they are where the test wants them, and go on
when their standard input says so: these are all the barriers."""
import fcntl
import grp
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import unittest

from slotd import SLOTCTL, TIMEOUT, WRAP, Daemon, Failure, Log, wait_end

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
             signal.SIGUSR2)
CONFIG = "[group two]\nlimit = 2\n"

# Prints the name of each signal that comes; ends with 7 at the one named by its argument.
NAMES_SIGNALS = [sys.executable, "-c", """
import os, signal, sys
every = {getattr(signal, "SIG" + name) for name in "TERM INT HUP QUIT USR1 USR2".split()}
signal.pthread_sigmask(signal.SIG_BLOCK, every)
print("ready", os.getpid(), flush=True)
while True:
    name = signal.Signals(signal.sigwait(every)).name
    print(name, flush=True)
    if name == sys.argv[1]:
        sys.exit(7)
"""]
GATE = ["sh", "-c", "echo ready $$; read gate; exit 3"]


class Slotctl:
    """A slotctl that runs; stdin, stdout and stderr are pipes unless given."""

    def __init__(self, path, *args, before=(), wrap=WRAP, env=None, **options):
        full = {**os.environ, "SLOTD_SOCKET": path, "LC_ALL": "C.UTF-8", **(env or {})}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options}
        self.process = subprocess.Popen([*before, *wrap, SLOTCTL, *args], env=full, bufsize=0,
                                        stderr=subprocess.PIPE, **pipes)
        self.log = Log(os.fdopen(os.dup(self.process.stderr.fileno()), encoding="utf-8"))
        self.process.stderr.close()

    def line(self):
        """The next line of its standard output (or its command's); "" at the end."""
        return read_line(self.process.stdout.fileno())

    def expect(self, *lines):
        for line in lines:
            found = self.line()
            if found != line:
                raise Failure(f"expected {line!r}, got {found!r}; stderr:\n{self.log}")

    def ready(self):
        """Waits until the command runs.  -> its pid"""
        line = self.line()
        if not re.fullmatch(r"ready \d+", line):
            raise Failure(f"not ready but {line!r}; stderr:\n{self.log}")
        return int(line.split()[1])

    def go_on(self):
        self.process.stdin.close()

    def signal(self, signo):
        self.process.send_signal(signo)

    def end(self):
        """-> its exit status, 128 + n if it died by a signal"""
        status = wait_end(self.process, f"slotctl, stderr {self.log.lines},")
        return status if status >= 0 else 128 - status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_line(fd):
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([fd], [], [], TIMEOUT)[0]:
            raise Failure(f"no line after {TIMEOUT:.0f} s; have {line!r}")
        try:
            byte = os.read(fd, 1)
        except OSError:         # a terminal that everybody has closed
            byte = b""
        if not byte:
            break
        line += byte
    return line.decode().rstrip("\r\n")


class Case(unittest.TestCase):
    def setUp(self):
        self.slotd = self.daemon(CONFIG)

    def daemon(self, config="", **options):
        return self.enterContext(Daemon(config, **options))

    def enterContext(self, manager):        # unittest has it since Python 3.11
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def client(self):
        return self.enterContext(self.slotd.client())

    def start(self, *args, path=None, **options):
        return self.enterContext(Slotctl(path or self.slotd.socket, *args, **options))

    def slotctl(self, *args, **options):
        """-> exit status, standard output, standard error"""
        with tempfile.TemporaryFile() as out:
            run = self.start(*args, stdin=subprocess.DEVNULL, stdout=out, **options)
            status = run.end()
            run.log.join()
            out.seek(0)
            return status, out.read().decode(), "\n".join(run.log.lines)

    def holder(self, group="g", limit=1):
        client = self.client()
        client.expect(r"OK 1 \d+", f"ACQUIRE {group} limit={limit} wait=0")
        return client

    def is_free(self, group="g"):
        """Whether a slot of limit 1 can be had now."""
        with self.slotd.client() as client:
            answer = client.ask(f"ACQUIRE {group} limit=1 wait=0")
            self.assertRegex(answer, "^(OK 1 |ERR full )")
            client.expect(".*", "RELEASE *")
            return answer.startswith("OK")


class ExitStatus(Case):
    def test_the_commands_own(self):
        self.assertEqual(self.slotctl("run", "g", "--limit", "1", "--",
                                      "sh", "-c", "echo out; exit 3"), (3, "out\n", ""))
        self.assertEqual(self.slotctl("run", "two", "true"), (0, "", ""))

    def test_killed_by_a_signal(self):
        status, _, _ = self.slotctl("run", "g", "-l1", "sh", "-c", "kill -KILL $$")
        self.assertEqual(status, 128 + 9)
        self.client().expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=forever")

    def test_options_before_and_behind_the_group(self):
        for args in (["--limit=1", "g", "printf", "%s", "-n"],
                     ["g", "-l", "1", "--", "printf", "%s", "-n"],
                     ["-l1", "--", "g", "printf", "%s", "-n"]):
            self.assertEqual(self.slotctl("run", *args), (0, "-n", ""))

    def test_no_slot_in_time(self):
        holder = self.holder()
        self.assertEqual(self.slotctl("run", "g", "-l1", "-n", "true"),
                         (75, "", "slotctl: g: no slot is free (limit 1)"))
        self.assertEqual(self.slotctl("run", "g", "-l1", "--wait", "20ms", "true"),
                         (75, "", "slotctl: g: no slot became free in 20ms (limit 1)"))
        self.assertEqual(self.slotctl("run", "g", "-l1", "-w", "0", "-q", "true"), (75, "", ""))
        self.assertEqual(self.slotctl("run", "g", "-l1", "-nqE", "9", "true"), (9, "", ""))
        self.assertEqual(self.slotctl("run", "g", "-l1", "-nqE", "69", "true"), (69, "", ""))
        self.assertEqual(self.slotctl("run", "g", "-l1", "-nqE", "0", "echo", "ran"), (0, "", ""))
        self.assertEqual(self.slotctl("acquire", "g", "-l1", "-nqE", "0"), (0, "", ""))
        holder.expect("OK", "RELEASE g 1")

    def test_queue_full(self):
        self.slotd = self.daemon("[group q]\nlimit = 1\nmax_waiters = 1\n")
        holder = self.holder("q")
        holder.send("#w ACQUIRE q wait=forever")
        holder.expect(r"(?s)OK group=q .*waiting=1.*", "STATUS q")
        self.assertEqual(self.slotctl("run", "q", "true"),
                         (75, "", "slotctl: q: 1 wait already, and no more may"))

    def test_no_daemon(self):
        nowhere = os.path.join(self.slotd.dir, "nowhere")
        said = f"slotctl: slotd does not listen on {nowhere}: No such file or directory"
        for args in (["ping"], ["list"], ["status", "g"]):
            self.assertEqual(self.slotctl(*args, path=nowhere), (69, "", said))
        self.assertEqual(self.slotctl("run", "g", "-n", "true", path=nowhere), (69, "", said))

    def test_a_daemon_that_does_not_answer(self):
        self.slotd.process.send_signal(signal.SIGSTOP)
        try:
            status, _, said = self.slotctl("run", "g", "-l1", "-n", "true")
        finally:
            self.slotd.process.send_signal(signal.SIGCONT)
        self.assertEqual(status, 69)
        self.assertEqual(said, f"slotctl: {self.slotd.socket}: slotd did not answer in time")

    def test_denied(self):
        # root's right to open everything must go; who is not root has none
        before = []
        if os.getuid() == 0:
            before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        # its owner may not write, whatever the group may; the group that may is named
        mine = grp.getgrgid(os.stat(self.slotd.socket).st_gid).gr_name
        for args, mode, group in ((["run", "g", "-l1", "true"], 0, "slotd"), (["ping"], 0, "slotd"),
                                  (["ping"], 0o020, mine)):
            os.chmod(self.slotd.socket, mode)
            status, _, said = self.slotctl(*args, before=before)
            self.assertEqual(status, 77)
            self.assertEqual(said, f"slotctl: permission denied on {self.slotd.socket}: "
                                   f"join group {group}, then start a new session")

    def test_no_limit(self):
        self.slotd = self.daemon("[daemon]\nunknown_groups = refuse\n[group known]\n")
        self.assertEqual(self.slotctl("run", "known", "true"),
                         (78, "", "slotctl: known: no limit is configured for this group: "
                                  "say --limit N"))
        self.assertEqual(self.slotctl("run", "knwon", "-l1", "true"),
                         (78, "", "slotctl: knwon: no such group; the most similar one is known"))
        self.assertEqual(self.slotctl("run", "known", "-l2", "--count", "3", "true"),
                         (78, "", "slotctl: known: --count 3 can never be granted: the limit is 2"))

    def test_usage(self):
        for args, said in (
                ([], "the command is missing"),
                (["frob"], "frob: no such command"),
                (["--frob"], "--frob: no such option"),
                (["run"], "the group is missing"),
                (["run", "g"], "the command to run is missing"),
                (["run", "g", "--"], "the command to run is missing"),
                (["run", "g", "-xn", "true"], "-xn: no such option"),
                (["run", "g", "-nx", "true"], "-nx: no such option"),
                (["run", "g", "--close=1", "true"], "--close=1: no such option"),
                (["run", "g", "-nw"], "-nw: a value is missing"),
                (["run", "g", "--limit"], "--limit: a value is missing"),
                (["run", "g", "--limit", "0", "true"], "--limit 0: not a number from 1 to 1000000"),
                (["run", "g", "-l", "4294967297", "true"], "4294967297: not a number"),
                (["run", "g", "-l", "-1", "true"], "-1: not a number"),
                (["run", "g", "--count", "65", "true"], "--count 65: not a number from 1 to 64"),
                (["run", "g", "--wait", "5", "true"],
                 "--wait 5: a time needs a unit.*seconds or milliseconds"),
                (["run", "g", "--wait", "5d", "true"], "5d: not a time"),
                (["run", "g", "--wait", "1.5s", "true"], "1.5s: not a time"),
                (["run", "g", "--wait", "99999999999999999999h", "true"], "not a time"),
                (["run", "g", "--wait", "9000h", "true"], "not a time"),
                (["run", "g", "--kill-after", "5", "true"], "a time needs a unit"),
                (["run", "g", "--hold", "0s", "true"], "not a time"),
                (["run", "g", "-E", "256", "true"], "--conflict-exit-code 256: not an exit code"),
                (["run", "g", "--on-lost=panic", "true"], "panic: neither term nor warn"),
                (["run", "g", "--json", "true"], "--json: no such option here"),
                (["acquire", "g", "--close"], "--close: no such option here"),
                (["acquire", "g", "true"], "true: one word too many"),
                (["status"], "the group is missing"),
                (["list", "a", "b"], "b: one word too many"),
                (["ping", "g"], "g: one word too many"),
                (["run", "a b", "-l1", "true"], "a b: the group's name"),
                (["run", "", "-l1", "true"], "the group's name"),
                (["run", "g", "-l1", "--label", "x" * 65, "true"], "--label: not 1 to 64 bytes"),
                (["holders", "x" * 129], "the group's name")):
            with self.subTest(args=args):
                status, out, text = self.slotctl(*args)
                self.assertEqual((status, out), (64, ""), text)
                self.assertRegex(text, f"^slotctl: .*{said}")

    def test_a_command_that_cannot_run(self):
        self.assertEqual(self.slotctl("run", "g", "-l1", "/no/such/command"),
                         (127, "", "slotctl: /no/such/command: No such file or directory"))
        self.assertTrue(self.is_free())
        self.assertEqual(self.slotctl("run", "g", "-l1", "/"),
                         (126, "", "slotctl: /: Permission denied"))
        self.assertTrue(self.is_free())

    def test_stdout_that_is_full(self):
        for args in (["list"], ["ping"], ["acquire", "g", "-l1"], ["run", "--help"], ["-V"]):
            with open("/dev/full", "wb") as full:
                run = self.start(*args, stdin=subprocess.DEVNULL, stdout=full)
                self.assertEqual(run.end(), 71)
        self.assertTrue(self.is_free())

    def test_help_and_version(self):
        for args in (["--version"], ["-V"], ["run", "--version"]):
            status, out, _ = self.slotctl(*args)
            self.assertRegex(out, r"\Aslotctl \d+\.\d+\.\d+\n\Z")
            self.assertEqual(status, 0)
        for args in (["--help"], ["run", "-h"], ["run", "g", "--help"], ["list", "--help"]):
            status, out, _ = self.slotctl(*args)
            self.assertEqual(status, 0)
            self.assertRegex(out, r"\Ausage: slotctl ")
            self.assertLessEqual(max(map(len, out.splitlines())), 100)


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


class Loss(Case):
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
        run.log.wait_for(r"^slotctl: g: the slot is lost \(disconnected\); "
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


class MadeUpSlotd(unittest.TestCase):
    """A slotd of the test's own, for what the real one does not do at the right moment."""

    def request(self, connection, verb):
        """Reads lines up to one with that verb, answering HELLO.  -> its tag, its words"""
        while True:
            tag, *words = read_line(connection.fileno()).split()
            if words[0] == verb:
                return tag, words
            connection.sendall(f"{tag} OK version=0 protocol=1 features=detail,events\n".encode())

    def test_asks_again_for_what_is_left_of_the_time(self):
        with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listener:
            path = os.path.join(directory, "s")
            listener.bind(path)
            listener.listen()
            listener.settimeout(TIMEOUT)
            with Slotctl(path, "run", "g", "-l1", "-w", "1h", "echo", "ran") as run:
                left = []
                for answer in ("", "ERR clients max=1 no more\n", "{tag} ERR shutdown stopping\n",
                               "{tag} ERR nomem no memory\n", "{tag} OK 1 7 limit=1\n"):
                    connection, _ = listener.accept()
                    with connection:
                        tag, words = self.request(connection, "ACQUIRE")
                        left.append(int(dict(word.split("=") for word in words[2:])["wait"]))
                        connection.sendall(answer.format(tag=tag).encode())
                        if "OK" in answer:
                            run.expect("ran")
                            tag, words = self.request(connection, "RELEASE")
                            self.assertEqual(words, ["RELEASE", "g", "1", "token=7"])
                            connection.sendall(f"{tag} OK\n".encode())
                            self.assertEqual(run.end(), 0)
                self.assertEqual(left[0], 3600000)
                for before, after in zip(left, left[1:]):       # 50 ms: the shortest pause
                    self.assertLessEqual(after, before - 50)


class Acquire(Case):
    def test_holds_while_stdin_is_open(self):
        run = self.start("acquire", "g", "-l1")
        self.assertRegex(run.line(), r"\A1 \d+\Z")
        self.assertFalse(self.is_free())
        run.process.stdin.write(b"what comes is ignored\n")
        run.go_on()
        self.assertEqual(run.end(), 0)
        self.assertTrue(self.is_free())

    def test_lost(self):
        run = self.start("acquire", "g", "-l2", "--count", "2", "--hold", "20ms")
        self.assertRegex(run.line(), r"\A1,2 \d+\Z")
        self.assertEqual(run.end(), 125)
        run.log.wait_for(r"g: the slot is lost \(hold\)")

    def test_slotd_dies(self):
        run = self.start("acquire", "g", "-l1")
        run.line()
        self.slotd.kill(keep=True)
        self.assertEqual(run.end(), 125)
        self.slotd.start()

    def test_ended_by_a_signal(self):
        run = self.start("acquire", "g", "-l1")
        run.line()
        run.signal(signal.SIGTERM)
        self.assertEqual(run.end(), 128 + signal.SIGTERM)
        self.assertTrue(self.is_free())

    def test_as_a_coprocess(self):
        script = """
            coproc "$0" acquire g -l1; pid=$COPROC_PID
            read -r slot token <&"${COPROC[0]}" && echo "$slot"
            eval "exec ${COPROC[1]}>&-"
            wait "$pid" && echo done
        """
        out = subprocess.run(["bash", "-c", script, SLOTCTL], check=True, stdout=subprocess.PIPE,
                             env=dict(os.environ, SLOTD_SOCKET=self.slotd.socket)).stdout
        self.assertEqual(out, b"1\ndone\n")


class Show(Case):
    NAME = 'Zürich"\\/日本'         # what a group may be called; and the same on the wire
    ON_WIRE = "".join(f"%{byte:02X}" for byte in NAME.encode())

    def setUp(self):
        super().setUp()
        self.a = self.client()
        self.a.expect(r"OK .*", "HELLO label=my%20job")
        self.a.expect(r"OK 1,2 \d+", f"ACQUIRE {self.ON_WIRE} limit=3 n=2 wait=0")
        self.a.send(f"#w ACQUIRE {self.ON_WIRE} limit=2 wait=forever label=w%C3%A4hlt")
        self.a.send(f"#v ACQUIRE {self.ON_WIRE} limit=2 wait=1h")
        self.a.expect(r"OK .* waiting=2 .*", f"STATUS {self.ON_WIRE}")

    def json(self, *args):
        status, out, said = self.slotctl(*args, "--json")
        self.assertEqual((status, said), (0, ""))
        return json.loads(out)

    def test_json(self):
        groups = self.json("list")
        self.assertEqual([group["group"] for group in groups], [self.NAME, "two"])
        group = next(group for group in groups if group["group"] == self.NAME)
        self.assertEqual((group["held"], group["waiting"]), (2, 2))
        self.assertIsInstance(group["oldest_wait"], int)
        self.assertEqual(self.json("list", "no*"), [])
        self.assertEqual(self.json("list", "tw?")[0]["limit"], 2)
        self.assertIsNone(self.json("status", "two")["oldest_wait"])
        self.assertEqual(self.json("status", self.NAME)["group"], self.NAME)

        one, two = self.json("holders", self.NAME)
        self.assertEqual((one["slot"], two["slot"], one["label"]), (1, 2, "my job"))
        self.assertIsInstance(one["token"], str)
        self.assertRegex(one["token"], r"\A\d+\Z")
        self.assertEqual(one["pid"], os.getpid())
        self.assertEqual(self.json("holders", "two"), [])

        first, second = self.json("waiters", self.NAME)
        self.assertEqual((first["place"], first["label"], first["left"]), (1, "wählt", None))
        self.assertEqual((second["place"], second["label"]), (2, "my job"))
        self.assertGreater(second["left"], 3000000)
        self.assertEqual({type(value) for value in self.json("stats").values()}, {int})
        self.assertRegex(self.json("ping")["version"], r"\A\d+\.\d+")

    def test_a_label_that_looks_like_a_number(self):
        b = self.client()
        b.expect(r"OK .*", "ACQUIRE n limit=2 label=12")
        b.expect(r"OK .*", "ACQUIRE n limit=2 label=%2D")
        self.assertEqual([holder["label"] for holder in self.json("holders", "n")], ["12", "-"])

    def columns(self, *args, **options):
        """-> the rows of a table, split at two blanks, with its title first"""
        status, out, said = self.slotctl(*args, **options)
        self.assertEqual((status, said), (0, ""))
        return [re.split(r" {2,}", line.strip()) for line in out.splitlines()]

    def test_tables(self):
        title, *rows = self.columns("list")
        self.assertEqual(title, ["GROUP", "LIMIT", "HELD", "IDLE", "ENDING", "WAITING", "OLDEST"])
        self.assertEqual({row[0] for row in rows}, {self.NAME, "two"})
        self.assertIn(["two", "2", "0", "0", "0", "0", "-"], rows)

        title, one, two = self.columns("holders", self.NAME)
        self.assertEqual(title, ["SLOT", "PID", "UID", "AGE", "TOKEN", "LABEL"])
        self.assertEqual((one[0], one[1], one[5]), ("1", str(os.getpid()), "my job"))
        self.assertRegex(one[3], r"\A[\d.]+m?s\Z")

        title, first, second = self.columns("waiters", self.NAME)
        self.assertEqual(title, ["PLACE", "N", "LIMIT", "PID", "UID", "AGE", "LEFT", "LABEL"])
        self.assertEqual((first[0], first[6], first[7]), ("1", "-", "wählt"))
        self.assertRegex(second[6], r"\A(59m\d\ds|1h00m)\Z")

        rows = dict(self.columns("status", self.NAME))
        self.assertEqual((rows["group"], rows["held"], rows["waiting"]), (self.NAME, "2", "2"))
        self.assertEqual(len(self.columns("holders", "two")), 1)
        self.assertTrue(all(re.fullmatch(r"\d+", value) for _, value in self.columns("stats")))

    def test_aligned_by_width_on_the_screen(self):
        """The wide characters of a name count twice."""
        _, out, _ = self.slotctl("list")
        ends = set()
        for line in out.splitlines()[1:]:
            head = re.match(r"\S+ +\d+", line)[0]
            ends.add(len(head) + sum(char in "日本" for char in head))
        self.assertEqual(len(ends), 1, out)

    def test_what_the_terminal_cannot_show(self):
        rows = self.columns("list", env={"LC_ALL": "C"})
        self.assertIn('Z%C3%BCrich"\\/%E6%97%A5%E6%9C%AC', [row[0] for row in rows])

    def test_names(self):
        status, out, _ = self.slotctl("list", "--names", env={"LC_ALL": "C"})
        self.assertEqual((status, set(out.splitlines())), (0, {self.NAME, "two"}))


class Completion(Case):
    FILE = os.path.join(TOP, "client/slotctl.bash")

    def complete(self, line, locale="C.UTF-8"):
        script = """source "$1"; COMP_LINE=$2 COMP_POINT=${#2}
                    _slotctl "$0"; printf "%s\\n" "${COMPREPLY[@]}" """
        env = dict(os.environ, SLOTD_SOCKET=self.slotd.socket, LC_ALL=locale)
        done = subprocess.run(["bash", "-c", script, SLOTCTL, self.FILE, line], env=env, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # outside of readline compopt says that it has nothing to do
        said = done.stderr.decode().splitlines()
        self.assertEqual([line for line in said if "compopt" not in line], [])
        return done.stdout.decode().split()

    def test_syntax(self):
        subprocess.run(["bash", "-n", self.FILE], check=True)

    def test_commands_and_options(self):
        self.assertEqual(self.complete("slotctl "), ["run", "acquire", "list", "status", "holders",
                                                     "waiters", "stats", "ping"])
        self.assertEqual(self.complete("slotctl sta"), ["status", "stats"])
        self.assertEqual(self.complete("slotctl run --li"), ["--limit"])
        self.assertEqual(self.complete("slotctl run two --on"), ["--on-lost"])
        self.assertEqual(self.complete("slotctl run two --on-lost "), ["term", "warn"])
        self.assertEqual(self.complete("slotctl run two --on-lost=w"), ["warn"])
        self.assertEqual(self.complete("slotctl run two --wait "), [])

    def test_the_options_are_those_of_help(self):
        for command in ["", *self.complete("slotctl ")]:
            out = self.slotctl(*command.split(), "--help")[1]
            self.assertEqual(sorted(self.complete(f"slotctl {command} --")),
                             sorted(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", out, re.M)), command)

    def test_groups(self):
        a = self.client()
        a.expect(r"OK .*", "ACQUIRE db:write limit=1")
        a.expect(r"OK .*", "ACQUIRE $(touch%25x)&;'Z%C3%BCrich limit=1")
        self.assertEqual(self.complete("slotctl status t"), ["two"])
        self.assertEqual(self.complete("slotctl --socket x run --limit 3 t"), [])
        line = f"slotctl --socket {self.slotd.socket} run --limit 3 t"
        self.assertEqual(self.complete(line), ["two"])
        self.assertEqual(self.complete("slotctl run db:w"), ["write"])
        self.assertEqual(self.complete("slotctl run $"), ["\\$\\(touch%x\\)\\&\\;\\'Zürich"])
        self.assertEqual(self.complete("slotctl ping t"), [])

    def test_the_wrapped_command(self):
        self.assertIn("mkdir", self.complete("slotctl run two -- mkdi"))
        self.assertIn("mkdir", self.complete("slotctl run -l 1 two mkdi"))
        self.assertEqual(self.complete("slotctl run two mkdir --"), [])


class Page(Case):
    def test_every_option_is_on_it(self):
        with open(os.path.join(TOP, "client/slotctl.1"), encoding="utf-8") as file:
            page = set(re.findall(r"(?:Fl |, )-([a-z-]+)", file.read()))
        for command in ("", "run", "acquire", "list", "ping"):
            out = self.slotctl(*command.split(), "--help")[1]
            missing = set(re.findall(r"--([a-z-]+) ", out)) - page
            self.assertEqual(missing, set())


if __name__ == "__main__":
    unittest.main()
