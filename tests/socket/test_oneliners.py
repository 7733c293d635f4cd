"""The clients of README's section "In any language": each takes and gives back a slot, says so if
it gets none, and stands in README word for word."""
import os
import re
import subprocess
import textwrap
import unittest

from slotd import TIMEOUT, Daemon

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLIENTS = os.path.join(TOP, "tests", "socket", "oneliners")
RUN = {"client.sh": "bash", "client.py": "python3", "client.pl": "perl", "client.js": "node"}


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def counters(client):
    """-> STATS as a dictionary"""
    return dict(line.split("=") for line in client.ask_list("STATS"))


class Oneliners(unittest.TestCase):
    def run_client(self, slotd, name):
        return subprocess.run([RUN[name], os.path.join(CLIENTS, name)], text=True, timeout=TIMEOUT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE,
                              env={**os.environ, "SLOTD_SOCKET": slotd.socket})

    def test_take_and_release(self):
        for name in RUN:
            with self.subTest(name), Daemon() as slotd, slotd.client() as watcher:
                watcher.expect(r"OK 1 \d+", "ACQUIRE example limit=3")
                run = self.run_client(slotd, name)
                self.assertEqual((run.returncode, run.stdout, run.stderr),
                                 (0, "working in slot 2\n", ""))
                now = counters(watcher)
                self.assertEqual((now["grants"], now["releases"]), ("2", "1"))

    def test_refused(self):
        for name in RUN:
            with self.subTest(name), Daemon("[daemon]\nunknown_groups = refuse\n") as slotd:
                run = self.run_client(slotd, name)
                self.assertNotEqual(run.returncode, 0)
                self.assertEqual(run.stdout, "")
                self.assertIn("no slot: nogroup ", run.stderr)

    def test_in_readme(self):
        readme = read("README.md")
        self.assertEqual(sorted(os.listdir(CLIENTS)), sorted(RUN))
        for name in RUN:
            text = read("tests", "socket", "oneliners", name)
            self.assertLessEqual(text.count("\n"), 10, name)
            section = re.search(r"^## In any language\n(.*?)^## ", readme, re.M | re.S)[1]
            self.assertIn(textwrap.indent(text, "    "), section, name)


if __name__ == "__main__":
    unittest.main()
