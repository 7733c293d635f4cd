"""The program slotd: options, exit statuses, one daemon for a socket, a clean end."""
import grp
import os
import pty
import re
import select
import signal
import stat
import subprocess
import tempfile
import unittest

from slotd import SLOTD, TIMEOUT, WRAP, Daemon, wait_end


def run(*words, before=()):
    """-> exit status, standard output, standard error"""
    env = {k: v for k, v in os.environ.items() if k not in ("JOURNAL_STREAM", "NOTIFY_SOCKET")}
    done = subprocess.run([*before, *WRAP, SLOTD, *words], text=True, capture_output=True,
                          timeout=TIMEOUT, stdin=subprocess.DEVNULL, env=env)
    return done.returncode, done.stdout, done.stderr


class CommandLine(unittest.TestCase):
    def test_help_and_version(self):
        status, out, err = run("--help")
        self.assertEqual((status, err), (0, ""))
        for option in ("--config", "--socket", "--check-config", "--help", "--version"):
            self.assertIn(option, out)
        status, out, err = run("--version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^slotd \d+\.\d+\.\d+\n$")

    def test_wrong_use(self):
        for words in (("--frob",), ("--config",), ("word",), ("--socket", ""),
                      ("--config", "/dev/null", "--socket", "x" * 108)):
            status, out, err = run(*words)
            self.assertEqual((status, out), (64, ""), words)
            self.assertNotEqual(err, "")

    def test_page_names_every_option(self):
        with open("daemon/slotd.8", encoding="utf-8") as file:
            page = file.read()
        options = set(re.findall(r"--([a-z-]+)", run("--help")[1]))
        self.assertEqual(options, set(re.findall(r"(?m)^\.It Fl -([a-z-]+)", page)))


class Configuration(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="slotd-start-")
        self.addCleanup(directory.cleanup)
        self.dir = directory.name
        self.conf = os.path.join(self.dir, "conf")

    def write(self, text):
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(text)

    def test_good(self):
        self.write("[group x]\nlimit = 5\n")
        self.assertEqual(run("--check-config", "--config", self.conf), (0, "", ""))

    def test_every_mistake_is_told(self):
        self.write("[daemon]\nlog_levle = info\n[group x]\nlimit = 0\n")
        expected = (f"{self.conf}:2: [daemon] has no key log_levle; did you mean log_level?\n"
                    f"{self.conf}:4: limit = 0 is not a number from 1 to 1000000\n")
        self.assertEqual(run("--check-config", "--config", self.conf), (78, "", expected))
        path = os.path.join(self.dir, "s")
        status, out, err = run("--config", self.conf, "--socket", path)
        self.assertEqual((status, out), (78, ""))
        self.assertEqual(re.sub(r"(?m)^\S+Z slotd\[\d+\] error: ", "", err), expected)
        self.assertEqual(os.listdir(self.dir), ["conf"])        # nothing has been begun

    def test_no_such_file(self):
        self.assertEqual(run("--check-config", "--config", f"{self.dir}/none"),
                         (78, "", f"{self.dir}/none: No such file or directory\n"))

    def test_socket_that_cannot_be(self):
        for path, why in ((f"{self.dir}/none/s", "the directory for the socket"), (self.dir, "")):
            status, _, err = run("--config", "/dev/null", "--socket", path)
            self.assertEqual(status, 1, err)
            self.assertIn(path, err)
            self.assertIn(why, err)
        os.unlink(f"{self.dir}.lock")

    def test_what_is_no_socket_is_not_removed(self):
        self.write("[group x]\n")
        status, _, err = run("--config", "/dev/null", "--socket", self.conf)
        self.assertEqual(status, 1, err)
        self.assertIn(self.conf, err)
        self.assertTrue(os.path.isfile(self.conf))


class OneDaemon(unittest.TestCase):
    def test_second_is_refused(self):
        with Daemon() as slotd, slotd.client() as client:
            client.expect("OK 1 .*", "ACQUIRE g limit=1")
            status, _, err = run("--config", "/dev/null", "--socket", slotd.socket)
            self.assertEqual(status, 1)
            self.assertRegex(err, rf"{re.escape(slotd.socket)}\.lock: another slotd .*pid \d+")
            if not WRAP:
                self.assertIn(f"pid {slotd.process.pid}", err)
            client.expect("OK pong", "PING")    # and the first has not noticed

    def test_stale_socket_is_replaced(self):
        slotd = Daemon()
        self.addCleanup(slotd.kill)
        slotd.kill(keep=True)
        self.assertTrue(stat.S_ISSOCK(os.lstat(slotd.socket).st_mode))
        slotd.start()
        with slotd.client() as client:
            client.expect("OK pong", "PING")
        slotd.stop()

    def test_identity(self):
        def read():
            with open(f"{slotd.socket}.lock", encoding="ascii") as file:
                return re.fullmatch(r"pid (\d+) *\ninstall ([0-9a-f]{16})\ngeneration (\d+) *\n",
                                    file.read()).groups()
        slotd = Daemon()
        self.addCleanup(slotd.kill)
        _, install, generation = read()
        slotd.stop(keep=True)
        slotd.start()
        pid, again, next_generation = read()
        self.assertEqual((again, int(next_generation)), (install, int(generation) + 1))
        self.assertEqual(int(pid), slotd.process.pid)
        slotd.stop()

    def test_mode_and_group(self):
        mine = grp.getgrgid(os.getegid())
        for group in (mine.gr_name, str(mine.gr_gid)):
            with Daemon(f"[daemon]\nsocket_mode = 0606\nsocket_group = {group}\n") as slotd:
                found = os.lstat(slotd.socket)
                self.assertEqual(stat.S_IMODE(found.st_mode), 0o606)
                self.assertEqual(found.st_gid, mine.gr_gid)

    def test_a_group_that_cannot_be(self):
        """No socket stays: clients would be denied, and not try again."""
        before = ["setpriv", "--bounding-set=-chown"] if os.getuid() == 0 else []
        other = next(n for n in range(54321, 65535) if n not in [os.getegid(), *os.getgroups()])
        for group, why in (("no-such-group", "there is no group no-such-group"),
                           (other, "socket_group: Operation not permitted")):
            with tempfile.TemporaryDirectory(prefix="slotd-start-") as directory:
                with open(f"{directory}/conf", "w", encoding="utf-8") as file:
                    file.write(f"[daemon]\nsocket_group = {group}\n")
                status, _, err = run("--config", f"{directory}/conf", "--socket", f"{directory}/s",
                                     before=before)
                self.assertEqual(status, 1, err)
                self.assertIn(why, err)
                self.assertEqual(sorted(os.listdir(directory)), ["conf", "s.lock", "s.page"])


class End(unittest.TestCase):
    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            slotd = Daemon()
            self.addCleanup(slotd.kill)
            with slotd.client() as holder, slotd.client() as waiter:
                holder.expect("OK 1 .*", "ACQUIRE g limit=1")
                waiter.send("#w ACQUIRE g limit=1 wait=forever")
                waiter.expect("OK pong", "PING")
                slotd.stop(keep=True, sig=number)
                waiter.expect("#w ERR shutdown .*")
                waiter.expect_eof()
                holder.expect_eof()
            self.assertFalse(os.path.exists(slotd.socket))
            with self.assertRaises(FileNotFoundError):
                slotd.client()

    def test_hangup(self):
        with Daemon() as slotd, slotd.client() as holder:
            holder.expect("OK 1 .*", "ACQUIRE g limit=1")
            slotd.process.send_signal(signal.SIGHUP)
            slotd.log.wait_for("info: reloaded: 0 sections of groups, 0 of them changed")
            holder.expect("OK", "RELEASE g 1")

    def test_hangup_of_a_terminal(self):
        ours, terminal = pty.openpty()
        self.addCleanup(os.close, ours)
        with tempfile.TemporaryDirectory(prefix="slotd-start-") as directory:
            slotd = subprocess.Popen([*WRAP, SLOTD, "--config", "/dev/null", "--socket",
                                      f"{directory}/s"], stderr=terminal)
            self.addCleanup(slotd.kill)
            os.close(terminal)
            said = b""
            while b"listens on" not in said:
                self.assertTrue(select.select([ours], [], [], TIMEOUT)[0], said)
                said += os.read(ours, 4096)
            slotd.send_signal(signal.SIGHUP)
            self.assertEqual(wait_end(slotd, "slotd"), 0)
            self.assertEqual(sorted(os.listdir(directory)), ["s.lock", "s.page"])


if __name__ == "__main__":
    unittest.main()
