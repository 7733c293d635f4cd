"""slotctl --watch: the table, and then what changes in it and nothing else."""
import json
import re
import signal
import time
import unittest

from slotctl import Case, MadeUpSlotd


class Watch(Case):
    def watch(self, *args, **options):
        return self.start(*args, "--watch", "--interval", "10ms", **options)

    def row(self, run):
        """-> the sign of the next row and its cells; what is not there yet has no sign"""
        line = run.line()
        found = re.fullmatch(r"(?:\d\d:\d\d:\d\d ([-+~]) | {11})(.*)", line)
        self.assertTrue(found, f"{line!r}; {run.log.lines}")
        return found[1], re.split(r" {2,}", found[2].strip())

    def interrupt(self, run):
        run.signal(signal.SIGINT)
        self.assertEqual(run.end(), 0)
        run.log.join()
        self.assertEqual(run.process.stdout.read(), b"")

    def test_list(self):
        run = self.watch("list")
        self.assertEqual(self.row(run)[1][:3], ["GROUP", "LIMIT", "HELD"])
        self.assertEqual(self.row(run), (None, ["two", "2", "0", "0", "0", "0", "-"]))
        a = self.client()
        a.expect("OK 1 .*", "ACQUIRE two wait=0")
        self.assertEqual(self.row(run), ("~", ["two", "2", "1", "0", "0", "0", "-"]))
        a.expect("OK 1 .*", "ACQUIRE another limit=3 wait=0")
        self.assertEqual(self.row(run), ("+", ["another", "3", "1", "0", "0", "0", "-"]))
        a.expect("OK", "RELEASE another 1")
        self.assertEqual(self.row(run), ("-", ["another", "3", "1", "0", "0", "0", "-"]))
        self.interrupt(run)

    def test_waiters(self):
        """Ages and places are no changes; of some that look alike the older one goes."""
        a, b = self.holder("w"), self.client()
        waits = [self.client() for _ in range(3)]
        for client in waits:
            client.send("ACQUIRE w limit=1 wait=1h")
            b.expect(".*", "PING")
        b.expect(".* waiting=3 .*", "STATUS w")
        run = self.watch("waiters", "w")
        self.row(run)
        self.assertEqual([self.row(run)[1][0] for _ in waits], ["1", "2", "3"])
        for one, other in ((a, waits[0]), (waits[0], waits[1])):
            one.expect("OK", "RELEASE w 1")
            other.expect("OK 1 .*")
            sign, cells = self.row(run)
            self.assertEqual((sign, cells[0]), ("-", "1"))
        self.interrupt(run)

    def test_who_it_is_by_age(self):
        made_up = self.enterContext(MadeUpSlotd())
        run = self.watch("waiters", "w", path=made_up.path)
        connection = made_up.accept()
        self.addCleanup(connection.close)
        start = time.monotonic()
        for ages in ((500000, 1000), (1000,), (1000, -5)):
            tag, _ = made_up.request(connection, "WAITERS")
            passed = int((time.monotonic() - start) * 1000)
            lines = [f"place={i} n=1 limit=1 pid=7 uid=0 label=- age={max(0, age + passed)} left=-\n"
                     for i, age in enumerate(ages)]
            connection.sendall(f"{tag} OK {len(lines)}\n{''.join(lines)}".encode())
        self.row(run)
        self.assertEqual([self.row(run)[1][0] for _ in range(2)], ["0", "1"])
        sign, cells = self.row(run)
        self.assertEqual((sign, cells[5]), ("-", "8m20s"))
        sign, cells = self.row(run)
        self.assertEqual((sign, cells[0]), ("+", "1"))
        self.interrupt(run)

    def test_ps(self):
        a = self.client()
        a.expect("OK 1 .*", "ACQUIRE two label=first")
        run = self.watch("ps")
        title = self.row(run)[1]
        self.assertEqual(self.row(run)[1][-1], "first")
        a.expect("OK 2 .*", "ACQUIRE two label=second")
        sign, cells = self.row(run)
        self.assertEqual((sign, cells[title.index("SLOT")], cells[-1]), ("+", "2", "second"))
        a.send("#w ACQUIRE two wait=forever label=third")
        sign, cells = self.row(run)
        self.assertEqual((sign, cells[title.index("PLACE")], cells[-1]), ("+", "1", "third"))
        a.expect("OK", "RELEASE two 2")
        rows = [self.row(run) for _ in range(3)]
        self.assertEqual([(sign, cells[-1]) for sign, cells in rows],
                         [("-", "second"), ("-", "third"), ("+", "third")])
        self.interrupt(run)

    def test_holders_in_json(self):
        a = self.client()
        a.expect("OK 1 .*", "ACQUIRE j limit=9 label=%22x")
        run = self.watch("holders", "j", "--json")
        first = json.loads(run.line())
        self.assertEqual((first["change"], first["slot"], first["label"]), ("+", 1, '"x'))
        self.assertRegex(first["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
        a.expect("OK 2 .*", "ACQUIRE j limit=9")
        second = json.loads(run.line())
        self.assertEqual((second["change"], second["slot"]), ("+", 2))
        a.expect("OK", "RELEASE j 1")
        gone = json.loads(run.line())
        self.assertEqual((gone["change"], gone["token"]), ("-", first["token"]))
        self.interrupt(run)

    def test_status(self):
        a = self.client()
        words = a.ask("STATUS two").split()[1:]
        run = self.watch("status", "two")
        self.assertIn((None, ["held", "0"]), [self.row(run) for _ in words])
        a.expect("OK 1,2 .*", "ACQUIRE two n=2")
        self.assertEqual(self.row(run), ("~", ["held", "2"]))
        a.send("#w ACQUIRE two wait=forever")
        self.assertEqual(self.row(run), ("~", ["waiting", "1"]))
        sign, cells = self.row(run)
        self.assertEqual((sign, cells[0]), ("~", "oldest_wait"))
        a.expect("#w ERR cancelled .*", "CANCEL #w")
        self.assertEqual(self.row(run), ("~", ["waiting", "0"]))
        self.assertEqual(self.row(run), ("~", ["oldest_wait", "-"]))
        self.interrupt(run)

    def test_status_in_json(self):
        run = self.watch("status", "two", "--json")
        self.assertEqual(json.loads(run.line())["held"], 0)
        a = self.client()
        a.expect("OK 1 .*", "ACQUIRE two")
        changed = json.loads(run.line())
        self.assertEqual((changed["change"], changed["held"], changed["limit"]), ("~", 1, 2))
        self.interrupt(run)

    def test_slotd_is_started_anew(self):
        run = self.watch("list", "two")
        self.row(run)
        self.assertEqual(self.row(run)[1][2], "0")
        self.slotd.kill(keep=True)
        run.log.wait_for("slotctl: .*")
        self.slotd.start()
        run.log.wait_for(f"^slotctl: slotd answers on {self.slotd.socket} again$")
        a = self.client()
        a.expect("OK 1 .*", "ACQUIRE two wait=0")
        self.assertEqual(self.row(run)[1][2], "1")
        self.interrupt(run)
        self.assertEqual(len(run.log.lines), 2, run.log.lines)

    def test_nobody_is_there_at_first(self):
        status, out, said = self.slotctl("list", "--watch", path="/nowhere")
        self.assertEqual((status, out), (69, ""))
        self.assertIn("does not listen", said)

    def test_usage(self):
        for args, said in ((["list", "--watch", "--names"], "--watch: not with --names"),
                           (["list", "--watch", "--interval", "0s"], "--interval 0s: it must be more than 0"),
                           (["ping", "--watch"], "--watch: no such option here")):
            status, _, text = self.slotctl(*args)
            self.assertEqual(status, 64)
            self.assertIn(said, text)

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            self.assertEqual(self.start("list", "--watch", stdout=full).end(), 71)


if __name__ == "__main__":
    unittest.main()
