"""What slotd tells Prometheus: METRICS, and what slotctl metrics makes of it."""
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

from fleet import fleet, no_grace
from metrics import defined, family, parse
from redis import Redis
from slotctl import Case
from slotd import Daemon

PROMTOOL = shutil.which("promtool")
WITH_REDIS_ONLY = {"slotd_in_use_slots", "slotd_disagreeing_hosts", "slotd_grace_left_seconds"}


def needs_redis(name):
    return name in WITH_REDIS_ONLY or name.startswith("slotd_redis_")


def metrics(client):
    return parse(client.ask_list("METRICS"))


class Metrics(unittest.TestCase):
    def check(self, lines, names):
        """Every one of those metrics, each begun once, and of its labels; no other."""
        helped = [line.split()[2] for line in lines if line.startswith("# HELP ")]
        typed = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
        self.assertEqual(sorted(helped), sorted(names))
        self.assertEqual(typed, {name: defined()[name][0] for name in names})
        met = set()
        for name, *labels in parse(lines):
            met.add(family(name))
            keys = [label.partition("=")[0] for label in labels if not label.startswith("le=")]
            self.assertEqual(keys, defined()[family(name)][1], name)
        self.assertEqual(met, set(names))

    def test_all_there_with_memory(self):
        with Daemon("[group g]\nlimit = 2\n") as slotd, slotd.client() as client:
            self.check(client.ask_list("METRICS"), [n for n in defined() if not needs_redis(n)])

    def test_all_there_with_redis(self):
        with Redis() as redis, fleet(redis, 2, no_grace(redis)) as (one, _), one.client() as client:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=2")
            lines = client.ask_list("METRICS")
            self.check(lines, list(defined()))
            found = parse(lines)
            self.assertEqual(found["slotd_redis_up",], 1)
            self.assertEqual(found["slotd_redis_connects_total",], 1)
            self.assertEqual(found["slotd_redis_errors_total", "kind=hung"], 0)
            self.assertEqual(found["slotd_in_use_slots", "group=g"], 1)
            self.assertEqual(found["slotd_exchange_seconds_count",],
                             sum(n for key, n in found.items() if key[0] == "slotd_exchanges_total"))

    @unittest.skipUnless(PROMTOOL, "there is no promtool: install prometheus")
    def test_promtool_has_nothing_to_say(self):
        with Redis() as redis, fleet(redis, 1, no_grace(redis)) as [slotd], slotd.client() as client:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=2")
            done = subprocess.run([PROMTOOL, "check", "metrics"], text=True, stdout=subprocess.PIPE,
                                  input="\n".join([*client.ask_list("METRICS"), ""]),
                                  stderr=subprocess.STDOUT)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_a_group_that_is_configured_is_there_with_zeros(self):
        config = "[group g]\nlimit = 2\n[group api-*]\nlimit = 3\n"
        with Daemon(config) as slotd, slotd.client() as client:
            found = metrics(client)
            self.assertEqual(found["slotd_limit_slots", "group=g"], 2)
            self.assertEqual(found["slotd_held_slots", "group=g"], 0)
            self.assertEqual(found["slotd_acquires_total", "group=g", "result=granted"], 0)
            self.assertEqual(found["slotd_hold_seconds_bucket", "group=g", "le=+Inf"], 0)
            self.assertNotIn(("slotd_held_slots", "group=api-*"), found)

    def test_a_story(self):
        with Daemon() as slotd, slotd.client() as a, slotd.client() as b, slotd.client() as looker:
            a.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2")
            b.expect("ERR full .*", "ACQUIRE g limit=2 wait=0")
            b.expect("ERR timeout .*", "ACQUIRE g limit=2 wait=1")
            b.expect("ERR toobig .*", "ACQUIRE g limit=2 n=3")
            b.send("#w ACQUIRE g limit=2 wait=forever")
            b.expect("OK pong", "PING")
            before = metrics(looker)
            self.assertEqual(before["slotd_waiters", "group=g"], 1)
            self.assertGreaterEqual(before["slotd_oldest_wait_seconds", "group=g"], 0)
            self.assertEqual(before["slotd_held_slots", "group=g"], 2)
            a.expect("OK", "RELEASE g 2")           # n > 1: by the backend
            b.expect(r"#w OK 2 \d+")
            b.expect("OK", "RELEASE g 2")
            b.expect(r"OK 2 \d+ *", "ACQUIRE g limit=2 hold=1")
            looker.expect(r"OK 2 \d+", "ACQUIRE g limit=2 wait=1m")         # its hold has ended
            found = metrics(looker)
            self.assertEqual(found["slotd_waiters", "group=g"], 0)
            self.assertEqual(found["slotd_oldest_wait_seconds", "group=g"], 0)
            self.assertEqual(found["slotd_limit_slots", "group=g"], 2)
            results = {key[2]: n for key, n in found.items()
                       if key[:2] == ("slotd_acquires_total", "group=g") and n > 0}
            self.assertEqual(results, {"result=granted": 4, "result=full": 1, "result=timeout": 1,
                                       "result=refused": 1})
            self.assertEqual(sum(n for key, n in found.items()
                                 if key[:2] == ("slotd_grants_total", "group=g")), 4)
            self.assertEqual(found["slotd_wait_seconds_count", "group=g"], 4)
            self.assertEqual(found["slotd_losses_total", "group=g", "reason=hold"], 1)
            self.assertEqual(found["slotd_hold_seconds_count", "group=g"], 2)
            self.assertEqual(found["slotd_clients",], 3)

    def test_names_without_end(self):
        config = "[metrics]\nmax_groups = 3\n[group own]\nlimit = 1\n"
        with Daemon(config) as slotd, slotd.client() as client, slotd.client() as other:
            for i in range(50):
                client.expect(r"OK 1 \d+", f"ACQUIRE job-{i} limit=2")
            client.expect(r"OK 1 \d+", "ACQUIRE _other limit=7")
            client.expect(r"OK 1 \d+", "ACQUIRE own")
            other.send("ACQUIRE own wait=forever", "#w ACQUIRE job-49 limit=1 wait=forever")
            other.expect("#1 OK pong", "#1 PING")
            found = metrics(client)
            groups = {key[1] for key in found if key[0] == "slotd_held_slots"}
            self.assertEqual(groups, {f"group={name}" for name in
                                      ("_other", "own", "job-0", "job-1", "job-2")})
            self.assertEqual(found["slotd_held_slots", "group=_other"], 48)
            self.assertEqual(found["slotd_waiters", "group=_other"], 1)
            self.assertEqual(found["slotd_acquires_total", "group=_other", "result=granted"], 48)
            self.assertNotIn(("slotd_limit_slots", "group=_other"), found)
            self.assertEqual(found["slotd_waiters", "group=own"], 1)

    def test_reload(self):
        config = "[metrics]\nmax_groups = 1\n"
        with Daemon(config, expect=["neither", "not reloaded"]) as slotd, slotd.client() as client:
            client.expect(r"OK 1 \d+", "ACQUIRE first limit=1")
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            before = metrics(client)
            self.assertEqual(before["slotd_last_reload_success",], 1)
            self.assertEqual(before["slotd_last_reload_time_seconds",],
                             before["slotd_start_time_seconds",])
            self.assertEqual(before["slotd_held_slots", "group=_other"], 1)
            self.rewrite(slotd, config + "[group g]\nlimit = 5\n")
            client.expect("OK groups=1 changed=1 .*", "RELOAD")
            found = metrics(client)
            self.assertEqual(found["slotd_limit_slots", "group=g"], 5)
            self.assertEqual(found["slotd_held_slots", "group=g"], 1)
            self.assertEqual(found["slotd_held_slots", "group=_other"], 0)
            self.rewrite(slotd, config + "what\n")
            client.expect("ERR config .*", "RELOAD")
            found = metrics(client)
            self.assertEqual(found["slotd_last_reload_success",], 0)
            self.assertEqual(found["slotd_limit_slots", "group=g"], 5)
            client.expect("OK draining=yes .*", "DRAIN on")
            self.assertEqual(metrics(client)["slotd_draining",], 1)

    @staticmethod
    def rewrite(slotd, config):
        with open(slotd.config, "w", encoding="utf-8") as file:
            file.write(config)

    def test_what_an_operator_sets(self):
        with Daemon("[group g]\nlimit = 4\n") as slotd, slotd.client() as client:
            def shown():
                found = metrics(client)
                return [found[f"slotd_{name}", "group=g"]
                        for name in ("limit_slots", "limit_live", "paused")]

            self.assertEqual(shown(), [4, 0, 0])
            client.expect("OK .*", "LIVE g limit=7")
            self.assertEqual(shown(), [7, 1, 0])
            client.expect("OK .*", "LIVE g pause=on")
            self.assertEqual(shown(), [0, 1, 1])
            client.expect("OK .*", "LIVE g pause=off")
            self.assertEqual(shown(), [7, 1, 0])
            client.expect("OK .*", "LIVE g limit=none")
            self.assertEqual(shown(), [4, 0, 0])

    def test_a_client_that_is_dropped(self):
        with Daemon("[daemon]\nmax_clients_per_uid = 1\n", expect=["max_clients_per_uid"]) as slotd, \
                slotd.client() as client:
            with slotd.client() as other:
                other.expect("ERR clients .*")
            found = metrics(client)
            self.assertEqual(found["slotd_dropped_clients_total", "reason=max_clients_per_uid"], 1)


class Slotctl(Case):
    config = "[group own]\nlimit = 3\n"
    HOSTILE = 'a"}\\n{Zürich/日本'

    def setUp(self):
        super().setUp()
        self.directory = self.enterContext(tempfile.TemporaryDirectory())
        self.file = os.path.join(self.directory, "slotd.prom")
        on_wire = "".join(f"%{byte:02X}" for byte in self.HOSTILE.encode())
        self.client().expect(r"OK 1 \d+", f"ACQUIRE {on_wire} limit=3")

    def write(self):
        self.assertEqual(self.slotctl("metrics", "--output", self.file), (0, "", ""))
        with open(self.file, encoding="utf-8") as file:
            return file.read()

    def test_hostile_names(self):
        status, out, said = self.slotctl("metrics")
        self.assertEqual((status, said), (0, ""))
        self.assertEqual(parse(out.splitlines())["slotd_held_slots", f"group={self.HOSTILE}"], 1)
        if PROMTOOL:
            subprocess.run([PROMTOOL, "check", "metrics"], input=out, text=True, check=True)

    def test_output_takes_the_place_of_a_file(self):
        self.addCleanup(os.umask, os.umask(0o027))
        first = self.write()
        self.assertTrue(first.endswith("\n"))
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o640)
        with open(self.file, encoding="utf-8") as reader:     # of what was there before
            self.client().expect(r"OK 1 \d+", "ACQUIRE own")
            second = self.write()
            self.assertEqual(reader.read(), first)
        self.assertEqual(parse(second.splitlines())["slotd_held_slots", "group=own"], 1)
        self.assertEqual(os.listdir(self.directory), ["slotd.prom"])

    def test_a_file_that_cannot_be_written_stays(self):
        status, out, said = self.slotctl("metrics", "--output", "/proc/slotd.prom")
        self.assertEqual((status, out), (71, ""))
        self.assertRegex(said, "^slotctl: /proc/slotd.prom: ")

    def test_no_other_than_a_regular_file_is_replaced(self):
        link, fifo = os.path.join(self.directory, "link"), os.path.join(self.directory, "fifo")
        os.symlink(self.file, link)
        os.mkfifo(fifo)
        for there in link, fifo, self.directory:
            kind = stat.S_IFMT(os.lstat(there).st_mode)
            status, out, said = self.slotctl("metrics", "--output", there)
            self.assertEqual((status, out), (71, ""))
            self.assertIn(f"slotctl: {there}: no regular file", said)
            self.assertEqual(stat.S_IFMT(os.lstat(there).st_mode), kind)
        self.assertEqual(sorted(os.listdir(self.directory)), ["fifo", "link"])

    def test_output_to_standard_output(self):
        status, out, said = self.slotctl("metrics", "--output", "-")
        self.assertEqual((status, said), (0, ""))
        self.assertIn("slotd_held_slots", out)
        self.assertFalse(os.path.exists("-"))

    def test_without_slotd_the_file_stays(self):
        before = self.write()
        status, _, said = self.slotctl("--socket", "/nowhere", "metrics", "--output", self.file)
        self.assertEqual(status, 69)
        self.assertIn("does not listen", said)
        with open(self.file, encoding="utf-8") as file:
            self.assertEqual(file.read(), before)

    def test_a_full_disk_leaves_nothing(self):
        # as a full disk: no file may be larger than a page
        status, _, said = self.slotctl("metrics", "--output", self.file, before=[
            "sh", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$@"', "sh"])
        self.assertEqual(status, 71)
        self.assertRegex(said, "File too large")
        self.assertEqual(os.listdir(self.directory), [])


if __name__ == "__main__":
    unittest.main()
