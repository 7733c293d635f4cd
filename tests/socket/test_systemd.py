"""What slotd and systemd say to each other, without a systemd that runs: the units as its tools judge
them, a socket handed over, readiness told."""
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

from redis import Redis
from slotd import SLOTCTL, SLOTD, TIMEOUT, WRAP, Client, Log, wait_end

UNITS = "systemd"


def run(*command):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=TIMEOUT)
    return done.returncode, done.stdout


class InDirectory(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="slotd-systemd-")
        self.addCleanup(directory.cleanup)
        self.dir = directory.name

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)


class Units(InDirectory):
    def setUp(self):
        super().setUp()
        shutil.copy(os.path.join(UNITS, "slotd.socket"), self.dir)
        with open(os.path.join(UNITS, "slotd.service"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("\nExecStart=/usr/local/sbin/slotd\n", text)
        text = text.replace("/usr/local/bin/slotctl", SLOTCTL)
        self.write("slotd.service", text.replace("/usr/local/sbin/slotd", SLOTD))

    def test_verify_is_silent(self):
        self.assertEqual(run("systemd-analyze", "verify", "--man=no", self.path("slotd.socket"),
                             self.path("slotd.service")), (0, ""))

    def test_exposure(self):
        status, output = run("systemd-analyze", "security", "--offline=true", "--threshold=20",
                             "--no-pager", self.path("slotd.service"))
        self.assertEqual(status, 0, output)

    def test_user(self):
        os.mkdir(self.path("etc"))
        status, output = run("systemd-sysusers", f"--root={self.dir}",
                             os.path.abspath(os.path.join(UNITS, "slotd.sysusers")))
        self.assertEqual(status, 0, output)
        with open(self.path("etc/passwd"), encoding="utf-8") as file:
            self.assertRegex(file.read(), r"(?m)^slotd:")
        with open(self.path("etc/group"), encoding="utf-8") as file:
            self.assertRegex(file.read(), r"(?m)^slotd:")


class Service(InDirectory):
    """A slotd that is told of a manager by its environment."""

    def start(self, *command, **environment):
        names = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "JOURNAL_STREAM")
        env = {k: v for k, v in os.environ.items() if k not in names}
        self.process = subprocess.Popen(command, env=dict(env, **environment), text=True,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.log = Log(self.process.stderr)
        self.addCleanup(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.join()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(wait_end(self.process, "slotd"), 0, str(self.log))
        self.log.join()

    def until(self, notify, pattern):
        """-> the lines that are told until one matches as a whole, with that one"""
        lines = []
        while not lines or not re.fullmatch(pattern, lines[-1]):
            lines += notify.recv(4096).decode().split("\n")
        return lines

    def notifications(self, address):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(notify.close)
        notify.settimeout(TIMEOUT)
        notify.bind(address)
        return notify

    def tell_and_end(self, address, name):
        notify = self.notifications(address)
        self.start(*WRAP, SLOTD, "--config", "/dev/null", "--socket", self.path("s"),
                   NOTIFY_SOCKET=name)
        self.until(notify, "READY=1")
        with Client(self.path("s")) as client:        # ready means: one can connect
            client.expect("OK pong", "PING")
        self.terminate()
        self.assertIn("STOPPING=1", self.until(notify, r"EXTEND_TIMEOUT_USEC=\d+"))

    def test_notify_by_path(self):
        self.tell_and_end(self.path("notify"), self.path("notify"))

    def test_notify_by_abstract_name(self):
        name = f"slotd-test-{os.getpid()}"
        self.tell_and_end(f"\0{name}", f"@{name}")

    def test_status(self):
        notify = self.notifications(self.path("notify"))
        self.start(*WRAP, SLOTD, "--config", "/dev/null", "--socket", self.path("s"),
                   NOTIFY_SOCKET=self.path("notify"))
        self.until(notify, "READY=1")
        with Client(self.path("s")) as client:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            client.send("#w ACQUIRE g limit=1 wait=forever")
            told = self.until(notify, "STATUS=groups 1, holds 1, waiters 1; this host alone")
            client.expect("OK", "RELEASE g 1")
            client.expect(r"#w OK 1 \d+")
            told += self.until(notify, "STATUS=groups 1, holds 1, waiters 0; this host alone")
            client.expect("OK draining=yes .*", "DRAIN on")
            told += self.until(notify, "STATUS=draining: .*")
        told = [line for line in told if line.startswith("STATUS=")]
        self.assertEqual(sorted(set(told)), sorted(told))       # once each: what changes
        self.terminate()

    def test_status_of_redis(self):
        notify = self.notifications(self.path("notify"))
        redis = Redis(running=False)
        self.addCleanup(redis.close)
        self.start(*WRAP, SLOTD, "--config", self.write("conf", redis.config()), "--socket",
                   self.path("s"), NOTIFY_SOCKET=self.path("notify"))
        self.until(notify, "STATUS=.*; Redis cannot be reached")
        redis.start()
        self.until(notify, "STATUS=.*; Redis is up.*")
        self.terminate()

    def test_watchdog(self):
        notify = self.notifications(self.path("notify"))
        self.start("sh", "-c", 'export WATCHDOG_PID=$$; exec "$@"', "sh", *WRAP, SLOTD, "--config",
                   "/dev/null", "--socket", self.path("s"), NOTIFY_SOCKET=self.path("notify"),
                   WATCHDOG_USEC="200000")
        self.until(notify, "READY=1")
        for _ in range(3):
            self.until(notify, "WATCHDOG=1")
        self.terminate()

    def test_a_watchdog_of_another_process(self):
        notify = self.notifications(self.path("notify"))
        self.start(*WRAP, SLOTD, "--config", "/dev/null", "--socket", self.path("s"),
                   NOTIFY_SOCKET=self.path("notify"), WATCHDOG_USEC="200000", WATCHDOG_PID="1")
        self.assertNotIn("WATCHDOG=1", self.until(notify, "STATUS=.*"))
        self.terminate()

    def activate(self, config, *options):
        """Starts slotd by the first connection to a socket of systemd-socket-activate.  -> it"""
        path = self.path("activated")
        self.start("systemd-socket-activate", "-l", path, "--fdname=slotd", *WRAP, SLOTD,
                   "--config", self.write("conf", config), *options)
        self.log.wait_for("Listening on")
        self.before = os.lstat(path)
        return Client(path)

    def test_activation(self):
        with self.activate("") as client, Client(self.path("activated")) as other:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            other.send("ACQUIRE g limit=1 wait=forever")
            client.expect("OK", "RELEASE g 1")
            other.expect(r"OK 1 \d+")
            self.assertTrue(os.path.exists(self.path("activated.lock")))
            self.terminate()
        after = os.lstat(self.path("activated"))
        self.assertTrue(stat.S_ISSOCK(after.st_mode))
        self.assertEqual((after.st_ino, after.st_mode), (self.before.st_ino, self.before.st_mode))
        self.assertEqual(self.log.find(" (warning|error): "), [])

    def test_keys_without_effect_are_named(self):
        with self.activate("[daemon]\nsocket_mode = 0600\n", "--socket", self.path("other")) as client:
            client.expect("OK pong", "PING")
            for key in ("socket", "socket_mode"):
                self.log.wait_for(f" warning: {key} has no effect")
            self.assertEqual(self.log.find("socket_group"), [])
            self.assertFalse(os.path.exists(self.path("other")))
            self.terminate()

    def test_a_socket_for_another_process_is_not_ours(self):
        notify = self.notifications(self.path("notify"))
        self.start(*WRAP, SLOTD, "--config", "/dev/null", "--socket", self.path("s"),
                   LISTEN_PID="1", LISTEN_FDS="1", NOTIFY_SOCKET=self.path("notify"))
        self.until(notify, "READY=1")
        with Client(self.path("s")) as client:
            client.expect("OK pong", "PING")
        self.terminate()

    def test_what_else_is_handed_over_is_refused(self):
        for n, why in (("1", "not a listening AF_UNIX stream socket"), ("2", "one socket is expected")):
            with self.subTest(n=n):
                self.start("sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS={n} exec "$@" 3</dev/null', "sh",
                           *WRAP, SLOTD, "--config", "/dev/null", "--socket", self.path("s"))
                self.assertEqual(wait_end(self.process, "slotd"), 1)
                self.log.wait_for(why)


if __name__ == "__main__":
    unittest.main()
