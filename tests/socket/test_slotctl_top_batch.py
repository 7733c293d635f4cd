"""slotctl top without a terminal: batch, once, and for programs."""
import json
import re
import signal
import subprocess
import unittest

from slotctl import Case

TITLE = ["GROUP", "HELD/LIMIT", "IN USE", "IDLE", "WAIT", "OLDEST", "GRANTS/S", "STATE"]


class Batch(Case):
    def setUp(self):
        super().setUp()
        self.a = self.client()
        self.a.expect("OK 1,2 .*", "ACQUIRE full%C3%BC limit=2 n=2 wait=0")
        self.a.send("#w ACQUIRE full%C3%BC wait=1h limit=2")
        self.a.expect("OK .*", "STATUS full%C3%BC")

    def tables(self, text):
        """-> of each table: the lines above, and the rows as lists of cells"""
        for block in text.rstrip("\n").split("\n\n"):
            lines = block.split("\n")
            yield lines[:3], [re.split(r" {2,}", line.strip()) for line in lines[3:]]

    def check(self, out):
        for above, (title, *rows) in self.tables(out):
            self.assertRegex(above[0], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  slotd \d\S*, up .*, on /")
            self.assertRegex(above[1], r"^2 groups, 1 full; 2 held, 1 waiting; ")
            self.assertRegex(above[2], r"^memory: ")
            self.assertEqual(title, TITLE)
            self.assertEqual(rows[0][:5], ["fullü", "2/2", "-", "0", "1"])
            self.assertEqual(rows[0][7], "full")
            self.assertEqual(rows[1][:6], ["two", "0/2", "-", "0", "0", "-"])
            self.assertEqual(rows[1][7], "-")

    def test_once(self):
        for args in (["-1"], ["--once"], ["-b", "-n", "1"], ["--batch", "--count=1"]):
            status, out, said = self.slotctl("top", *args)
            self.assertEqual((status, said), (0, ""))
            self.check(out)
            self.assertEqual(len(list(self.tables(out))), 1)

    def test_full_is_what_its_row_says(self):
        """Also where nobody waits."""
        self.slotd = self.daemon("[group g]\nlimit = 1\n")
        self.holder("g")
        above, (_, row) = next(self.tables(self.slotctl("top", "-1")[1]))
        self.assertRegex(above[1], "^1 group, 1 full; 1 held, 0 waiting; ")
        self.assertEqual(row[-1], "full")

    def test_several(self):
        status, out, said = self.slotctl("top", "-b", "-n3", "-d", "10ms")
        self.assertEqual((status, said), (0, ""))
        self.check(out)
        rates = [above[1].split("; ")[-1] for above, _ in self.tables(out)]
        self.assertEqual(rates, ["- grants/s", "0.0 grants/s", "0.0 grants/s"])

    def test_a_glob(self):
        _, out, _ = self.slotctl("top", "-1", "tw*")
        self.assertEqual([rows[1][0] for _, rows in self.tables(out)], ["two"])
        self.assertEqual(len(list(self.tables(out))[0][1]), 2)

    def test_no_terminal(self):
        status, out, said = self.slotctl("top")
        self.assertEqual((status, said),
                         (0, "slotctl: standard input and output are no terminal: once, as with -1"))
        self.check(out)

    def test_json(self):
        run = self.start("top", "--json", "-d", "10ms")
        first = json.loads(run.line())
        self.assertRegex(first["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
        self.assertIsNone(first["grants_per_s"])
        self.assertEqual(first["stats"]["waiters"], 1)
        self.assertEqual([(g["group"], g["held"], g["state"]) for g in first["groups"]],
                         [("fullü", 2, "full"), ("two", 0, "")])
        self.assertEqual(json.loads(run.line())["grants_per_s"], 0)
        self.a.expect("OK 1 .*", "ACQUIRE two")
        while (two := json.loads(run.line())["groups"][1])["held"] != 1:
            pass
        self.assertEqual(two["grants"], 1)
        self.assertGreater(two["grants_per_s"], 0)
        run.signal(signal.SIGINT)
        self.assertEqual(run.end(), 128 + signal.SIGINT)

    def test_slotd_is_started_anew(self):
        run = self.start("top", "--json", "-d", "10ms")
        self.assertEqual(len(json.loads(run.line())["groups"]), 2)
        self.slotd.kill(keep=True)
        run.log.wait_for("^slotctl: .*")
        self.slotd.start()
        while len(json.loads(run.line())["groups"]) != 1:
            pass

    def test_nobody_is_there(self):
        status, out, said = self.slotctl("top", "-b", path="/nowhere")
        self.assertEqual((status, out), (69, ""))
        self.assertIn("does not listen", said)

    def test_usage(self):
        for args, said in ((["-n", "0"], "--count 0: not a number from 1"), (["-d", "1"], "needs a unit"),
                           (["a", "b"], "b: one word too many"), (["-x"], "-x: no such option here")):
            status, out, text = self.slotctl("top", *args)
            self.assertEqual((status, out), (64, ""))
            self.assertIn(said, text)

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            for args in (["-1"], ["--json"]):
                run = self.start("top", *args, stdin=subprocess.DEVNULL, stdout=full)
                self.assertEqual(run.end(), 71)


if __name__ == "__main__":
    unittest.main()
