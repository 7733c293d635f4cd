"""slotctl top on a real terminal: what it shows, its keys, and that it gives the terminal back."""
import os
import re
import signal
import unittest

from fleet import UP as CONNECTED
from fleet import fleet, no_grace
from redis import Redis
from screen import Terminal
from slotctl import Case
from slotd import SLOTCTL, WRAP, Daemon

DOWN, UP, END, ENTER, ESCAPE = "\x1bOB", "\x1bOA", "\x1bOF", "\r", "\x1b"
LEAVES = b"\x1b[?1049l"         # the alternate screen


class Top(Case):
    def setUp(self):
        super().setUp()
        self.a = self.client()
        self.a.expect("OK .*", "HELLO label=my%20job")
        self.a.expect("OK 1,2 .*", "ACQUIRE full limit=2 n=2 wait=0")
        self.a.send("#w ACQUIRE full wait=1h label=w%C3%A4hlt limit=2")
        self.a.expect("OK 1 .*", "ACQUIRE half limit=2 wait=0")

    def top(self, *args, rows=24, columns=100, **env):
        full = {**os.environ, "SLOTD_SOCKET": self.slotd.socket, "LC_ALL": "C.UTF-8",
                "TERM": "xterm-256color", **env}
        if "NO_COLOR" not in env:
            full.pop("NO_COLOR", None)
        return self.enterContext(Terminal([*WRAP, SLOTCTL, "top", "-d", "20ms", *args], full, rows,
                                          columns))

    def quit(self, term):
        term.press("q")
        self.assertEqual(term.end(), 0, term.raw.rpartition(LEAVES)[2].decode())

    def wait_for_order(self, term, *groups):
        """From above."""
        term.wait_for("STATE\n" + "".join(rf"{group} .*\n" for group in groups))

    def test_what_it_shows(self):
        term = self.top()
        term.wait_for(r"^slotd \d\S+, up .*, on .*\d\d:\d\d:\d\d$")
        term.wait_for(r"^3 groups, 1 full; 3 held, 1 waiting; \d clients; [\d.]+ grants/s$")
        term.wait_for(r"^memory: ")
        term.wait_for(r"^GROUP +USE +HELD/LIMIT +IN USE +IDLE +WAIT +OLDEST +GRANTS/S +STATE$")
        term.wait_for(r"^full +\[\|+\] +2/2 +- +0 +1 +[\d.]+\w+ +\S+ +full$")
        term.wait_for(r"^half +\[(\|+) +\] +1/2 +- +0 +0 +- ")
        term.wait_for(r"^two +\[ +\] +0/2 +- +0 +0 +- ")
        self.quit(term)
        self.assertIn(LEAVES, term.raw)

    def test_it_is_live(self):
        term = self.top()
        term.wait_for(r"^full .* 2/2 ")
        self.a.expect("#w ERR cancelled .*", "CANCEL #w")
        self.a.expect("OK", "RELEASE full 1")
        term.wait_for(r"^full .* 1/2 .* 0 +- ")
        self.quit(term)

    def test_grants_a_second(self):
        term = self.top()
        term.wait_for(r"^half .* 0\.0")
        self.a.expect("OK 2 .*", "ACQUIRE half limit=2")
        b = self.client()
        for _ in range(100000):         # some of these fall between two looks
            b.expect("OK 1 .*", "ACQUIRE two")
            b.expect("OK", "RELEASE two 1")
            if re.search(r"^two .* (?!0\.0)\d+\.\d(?: |$)", "\n".join(term.lines()), re.M):
                break
        else:
            self.fail("\n".join(term.lines()))
        self.quit(term)

    def test_sorting(self):
        term = self.top()
        self.wait_for_order(term, "full", "half", "two")        # those who wait first
        term.press("r")
        self.wait_for_order(term, "half", "two", "full")
        term.press("r<<<<<")
        self.wait_for_order(term, "full", "half", "two")        # by name
        term.press("r")
        self.wait_for_order(term, "two", "half", "full")
        self.quit(term)

    def test_the_cursor_stays_with_its_group(self):
        term = self.top()
        term.wait_for("^two ")
        term.press(DOWN)
        term.wait_for("^half ", term.selected)
        term.press("<<<<<r")
        self.wait_for_order(term, "two", "half", "full")
        term.wait_for("^half ", term.selected)
        term.press(UP)
        term.wait_for("^two ", term.selected)
        self.quit(term)

    def test_the_filter(self):
        term = self.top()
        term.wait_for("^two ")
        term.press("/al")
        term.wait_for(r"STATE\nhalf .*\n\n")
        term.wait_for("^filter: al$")
        term.press("\x7f\x7f[ft]*" + ENTER)
        term.wait_for(r"STATE\nfull .*\ntwo .*\n\n")
        term.wait_for(r"^\[\[ft\]\*\] ")
        term.press("/é日\x7f" + ENTER)
        term.wait_for(r"^\[\[ft\]\*é\] ")
        term.press("/" + ESCAPE)
        self.wait_for_order(term, "full", "half", "two")
        self.quit(term)

    def test_details(self):
        term = self.top()
        term.wait_for("^full ")
        term.press(ENTER)
        term.wait_for(r"^full  2/2 held  full$")
        term.wait_for(r"^2 slots held on (this host|all hosts)$")
        term.wait_for(rf"^ *\S* +1 +{os.getpid()} +{os.getuid()} .*my job")
        term.wait_for(r"^1 waiting on ")
        term.wait_for(r"^ *1 .*wählt$")
        self.a.expect("OK", "RELEASE full 1")
        term.wait_for(r"^\S* +1 .* wählt ")
        term.wait_for(r"^0 waiting on ")
        term.press("q")
        term.wait_for("^half ")
        self.quit(term)

    def test_a_fleet(self):
        with Redis() as redis, fleet(redis, 2, no_grace(redis) + "[group g]\nlimit = 4\n",
                                     (".*",)) as (one, two):
            with one.client() as a, two.client() as b:
                a.expect("OK 1 .*", "ACQUIRE g label=here")
                b.expect("OK 2 .*", "ACQUIRE g label=there")
                a.send("#w ACQUIRE g limit=2 wait=forever label=waits")
                term = self.top(SLOTD_SOCKET=one.socket)
                term.wait_for("^Redis is up$")
                term.wait_for(r"^g +\[\|+:+ +\] +1/4 +2 ")
                term.press("/g" + ENTER + ENTER)
                term.wait_for("^2 slots held on all hosts\nHOST .*COMMAND ")
                term.wait_for(r"^\S+ +1 .* here ")
                term.wait_for(r"^\S+ +2 .* there ")
                term.wait_for("^1 waiting on all hosts\nPLACE .*\n +1 .* waits$")
                two.process.send_signal(signal.SIGSTOP)
                try:
                    term.wait_for(r"held \(1 of 2 hosts answer\)")
                finally:
                    two.process.send_signal(signal.SIGCONT)
                term.wait_for("^2 slots held on all hosts")
                term.press("q/" + ESCAPE)
                redis.end()
                term.wait_for("^Redis is away: ")
                term.wait_for("^g .* Redis is away$")
                self.quit(term)

    def test_draining(self):
        term = self.top()
        term.wait_for("^full .*full$")
        self.a.expect("#w ERR unavailable .*", "DRAIN on")
        self.a.expect("OK draining=yes .*")
        term.wait_for("; this host is draining: nothing more is granted here$")
        term.wait_for("^full .*draining$")
        self.a.expect("OK draining=no .*", "DRAIN off")
        term.wait_for("^full .*full$")
        self.quit(term)

    def test_what_an_operator_has_set(self):
        term = self.top()
        term.wait_for("^half .* 1/2 ")
        for words, row in (("limit=5 why=more", r"^half .* 1/5 .* limit by \S"),
                           ("limit=0 why=no%20more", "^half .* 1/0 .* limit 0: no more$"),
                           ("limit=none", "^half .* 1/2 .*[^e]$"),
                           ("pause=on why=repair", "^half .* paused: repair$"),
                           ("pause=off", "^half .* 1/2 .*[^r]$")):
            self.a.expect("OK .*", f"LIVE half {words}")
            term.wait_for(row)
        self.quit(term)

    def test_grace(self):
        with Redis() as redis:
            config = redis.config(lease=1000, lease_more="grace_ms = 60000")
            with Daemon(config + "[group g]\nlimit = 4\n", expect=(".*",)) as one:
                one.log.wait_for(CONNECTED)
                with one.client() as a:
                    a.send("#w ACQUIRE g wait=forever")
                    term = self.top(SLOTD_SOCKET=one.socket)
                    term.wait_for("^Redis is new, or has lost data: nothing is granted for 5\\d")
                    term.wait_for("^g .* grace, 5\\S+ left$")
                    self.quit(term)

    def test_help(self):
        term = self.top()
        term.wait_for("^full ")
        term.press("h")
        term.wait_for("^Keys$")
        term.press(ESCAPE)
        term.wait_for("^full ")
        self.quit(term)

    def test_sizes(self):
        term = self.top(rows=24, columns=80)
        term.wait_for("^full .*full$")
        for rows, columns, pattern in (
                (40, 200, r"^full +\[\|{24}\] +2/2 .*full$"),
                (10, 40, r"^GROUP +HELD/LIMIT +WAIT +(OLDEST +)?STATE\nfull .*2/2 "),
                (4, 20, r"^GROUP .*\nfull +2/2$"), (2, 12, r"^GROUP.*\nf.*\+?.*2/2"), (1, 1, "^.$"),
                (24, 80, r"^full .*full$")):
            term.resize(rows, columns)
            term.wait_for(pattern)
            for line in term.lines():
                self.assertLessEqual(len(line), columns)
        self.quit(term)

    def test_wide_names_leave_the_columns_straight(self):
        for name in ("日本", "Zürich", "n" * 128, "e%CC%81"):
            name = "".join(f"%{byte:02X}" for byte in name.encode()) if "%" not in name else name
            self.a.expect("OK .*", f"ACQUIRE {name} limit=3")
        term = self.top(columns=90)
        term.wait_for("^日本 ")
        term.wait_for("^e\u0301 ")
        term.wait_for(r"^n+\+ ")
        with_bar = [row for row in term.screen.cells if "[" in row and "]" in row]
        self.assertEqual(len(with_bar), 7)
        self.assertEqual(len({row.index("[") for row in with_bar}), 1)
        self.quit(term)

    def test_a_terminal_of_ascii(self):
        self.a.expect("OK .*", "ACQUIRE Z%C3%BCrich limit=3")
        term = self.top(LC_ALL="C")
        term.wait_for(r"^Z%C3%BCrich ")
        self.quit(term)

    def test_a_thousand_groups(self):
        for first in range(0, 1000, 100):
            self.a.send(*[f"ACQUIRE g{i:03} limit=5" for i in range(first, first + 100)])
            for _ in range(100):
                self.a.expect("OK 1 .*")
        term = self.top()
        term.wait_for("^1003 groups")
        term.press(END)
        term.wait_for("^two ", term.selected)
        term.press("/g99" + ENTER)
        term.wait_for(r"STATE\ng990 ")
        self.quit(term)

    def test_signals_that_end_it(self):
        for signo, status in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP),
                              (signal.SIGINT, 0)):
            term = self.top()
            term.wait_for("^full ")
            os.kill(term.pid, signo)
            self.assertEqual(term.end(), status)
            self.assertIn(LEAVES, term.raw)

    def test_interrupt_from_the_keyboard(self):
        term = self.top()
        term.wait_for("^full ")
        term.press("\x03")
        self.assertEqual(term.end(), 0)

    @unittest.skipIf(WRAP, "valgrind does not stop")
    def test_stop_and_go_on(self):
        term = self.top()
        term.wait_for("^full ")
        term.press("\x1a")
        self.assertEqual(term.said(), "stopped")
        term.check_settings()
        self.assertIn(LEAVES, term.raw)
        term.resize(20, 90)             # the screen is empty, and its size another
        term.go_on()
        term.wait_for("^full .*full$")
        os.kill(term.pid, signal.SIGSTOP)
        self.assertEqual(term.said(), "stopped")
        term.resize(20, 90)             # empty, but no signal says so
        term.go_on()
        term.wait_for("^full .*full$")
        self.quit(term)

    def test_colors(self):
        color = re.compile(rb"\x1b\[[\d;]*[34]\d\b[\d;]*m")
        term = self.top()
        term.wait_for("^full ")
        self.quit(term)
        self.assertRegex(term.raw, color)
        for args, env in (([], {"NO_COLOR": "1"}), (["--no-color"], {}), ([], {"TERM": "vt220"})):
            term = self.top(*args, **env)
            term.wait_for("^full ")
            self.quit(term)
            self.assertNotRegex(term.raw, color)

    def test_slotd_goes_and_comes_back(self):
        term = self.top()
        term.wait_for("^full ")
        self.slotd.kill(keep=True)
        term.wait_for("slotd has been away for \\w+: .*; trying again")
        self.assertIn("full", "\n".join(term.lines()))  # as it was last
        self.slotd.start()
        term.wait_for("^1 group, .*\n^memory: ")
        self.quit(term)

    def test_slotd_hangs(self):
        term = self.top()
        term.wait_for("^full ")
        self.slotd.process.send_signal(signal.SIGSTOP)
        try:
            term.press("h")
            term.wait_for("^Keys$")
            term.press("q")
            term.wait_for("^full ")
            self.quit(term)
        finally:
            self.slotd.process.send_signal(signal.SIGCONT)

    def test_so_many_looks(self):
        self.assertEqual(self.top("-n", "2").end(), 0)

    def test_a_terminal_that_cannot(self):
        for name, said in (("dumb", "cannot move its cursor"), ("no-such", "is not known")):
            term = self.top(TERM=name)
            self.assertEqual(term.end(), 0)
            self.assertIn(said.encode(), term.raw)
            self.assertIn(b"HELD/LIMIT", term.raw)
            self.assertNotIn(b"\x1b[", term.raw)


if __name__ == "__main__":
    unittest.main()
