"""What slotctl prints of a daemon, for people and programs; its completion; its manual page."""
import json
import os
import re
import subprocess
import unittest

from slotctl import TOP, Case
from slotd import SLOTCTL


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

    def test_what_would_turn_the_line_round(self):
        b = self.client()
        b.expect("OK .*", "ACQUIRE turned limit=1 label=%E2%80%AEtxt%E2%81%A6")
        self.assertEqual(self.columns("holders", "turned")[1][-1], "%E2%80%AEtxt%E2%81%A6")

    def test_names(self):
        status, out, _ = self.slotctl("list", "--names", env={"LC_ALL": "C"})
        self.assertEqual((status, set(out.splitlines())), (0, {self.NAME, "two"}))


class Completion(Case):
    FILE = os.path.join(TOP, "client/slotctl/slotctl.bash")

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
        self.assertEqual(self.complete("slotctl "), [
            "run", "acquire", "list", "status", "holders", "waiters", "stats", "ping", "ps",
            "top", "why", "limit", "pause", "resume", "history", "evict", "audit",
            "drain", "reload", "grace", "metrics"])
        self.assertEqual(self.complete("slotctl sta"), ["status", "stats"])
        self.assertEqual(self.complete("slotctl run --li"), ["--limit"])
        self.assertEqual(self.complete("slotctl run two --on"), ["--on-lost"])
        self.assertEqual(self.complete("slotctl run two --on-lost "), ["term", "warn"])
        self.assertEqual(self.complete("slotctl run two --on-lost=w"), ["warn"])
        self.assertEqual(self.complete("slotctl run two --wait "), [])
        self.assertEqual(self.complete("slotctl drain o"), ["on", "off"])
        self.assertEqual(self.complete("slotctl grace "), ["end"])
        self.assertEqual(self.complete("slotctl drain on "), [])

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
        with open(os.path.join(TOP, "client/slotctl/slotctl.1"), encoding="utf-8") as file:
            page = set(re.findall(r"(?:Fl |, )-([a-z-]+)", file.read()))
        for command in ("", "run", "acquire", "list", "ping"):
            out = self.slotctl(*command.split(), "--help")[1]
            missing = set(re.findall(r"--([a-z-]+) ", out)) - page


if __name__ == "__main__":
    unittest.main()
