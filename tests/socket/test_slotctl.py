"""slotctl's command line against a real daemon: usage, messages, exit codes, help."""
import grp
import os
import signal
import subprocess
import unittest

from slotctl import Case


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
        self.slotd = self.daemon("[daemon]\nunknown_groups = refuse\nmax_holds = 4\n"
                                 "[group known]\n")
        self.assertEqual(self.slotctl("run", "known", "true"),
                         (78, "", "slotctl: known: no limit is configured for this group: "
                                  "say --limit N"))
        self.assertEqual(self.slotctl("run", "knwon", "-l1", "true"),
                         (78, "", "slotctl: knwon: no such group; the most similar one is known"))
        self.assertEqual(self.slotctl("run", "known", "-l2", "--count", "3", "true"),
                         (78, "", "slotctl: known: --count 3 can never be granted: the limit is 2"))
        self.assertEqual(self.slotctl("run", "known", "-l9", "--count", "5", "true"),
                         (78, "", "slotctl: known: --count 5 can never be granted: max_holds is 4"))

    def test_usage(self):
        for args, said in (
                ([], "the command is missing"),
                (["frob"], "frob: no such command"),
                (["--frob"], "--frob: no such option"),
                (["run"], "the group is missing"),
                (["run", "", "-l1", "true"], "the group is missing"),
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
                (["run", "g", "--hold", "0s", "true"], "--hold 0s: it must be more than 0"),
                (["pause", "g", "--for", "0s"], "--for 0s: it must be more than 0"),
                (["resume", "g", "--for", "2s"], "--for: no such option here"),
                (["evict", "g", "0"], "0: not the number of a slot, from 1"),
                (["run", "g", "-E", "256", "true"], "--conflict-exit-code 256: not an exit code"),
                (["run", "g", "--on-lost=panic", "true"], "panic: neither term nor warn"),
                (["run", "g", "--strict", "--on-lost=warn", "true"], "--strict: not with"),
                (["run", "g", "--json", "true"], "--json: no such option here"),
                (["acquire", "g", "--close"], "--close: no such option here"),
                (["acquire", "g", "true"], "true: one word too many"),
                (["status"], "the group is missing"),
                (["list", "a", "b"], "b: one word too many"),
                (["ping", "g"], "g: one word too many"),
                (["run", "a b", "-l1", "true"], "a b: the group's name"),
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


if __name__ == "__main__":
    unittest.main()
