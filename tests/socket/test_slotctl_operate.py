"""slotctl why, drain, reload: what an operator asks, and is told."""
import json
import os
import unittest

from fleet import fleet, no_grace
from redis import Redis
from slotctl import Case
from user import CONFIG, needs_root

GROUP = "[group g]\nlimit = 2\n"


class Why(Case):
    config = GROUP

    def test_sentences(self):
        self.assertEqual(self.slotctl("why", "g"),
                         (0, "nothing stands in the way: 0 of 2 slots are in use\n"
                             "  cause=none limit=2 in_use=0\n", ""))
        self.holder(limit=2)
        self.assertEqual(self.slotctl("why", "g", "-l", "1"),
                         (0, "1 slots are in use, and the request's own limit is 1; the group's would "
                             "let it in\n  cause=ownlimit limit=1 in_use=1 n=1\n", ""))
        waiter = self.client()
        waiter.send("#w ACQUIRE g n=2 wait=forever label=a%20b")
        waiter.expect("#p OK pong", "#p PING")
        status, said, _ = self.slotctl("why", "--count", "2", "g")
        self.assertEqual(status, 0)
        self.assertRegex(said, r"^1 of 2 slots are in use, and it asks for 2\n"
                               r"  cause=full limit=2 in_use=1 n=2\n"
                               r"1 wait before it; the first, process \d+ on \S+, asked for 2 .* ago\n"
                               r"  cause=queue ahead=1 host=\S+ n=2 pid=\d+ uid=\d+ label=a b age=\d+\n$")

    def test_json(self):
        status, said, _ = self.slotctl("why", "g", "--json", "--count", "3")
        self.assertEqual((status, json.loads(said)), (0, [{
            "cause": "toobig", "n": 3, "limit": 2,
            "text": "3 slots at once are more than the limit of 2: that many are never free"}]))

    def test_names(self):
        for name in ("100%", "Zürich", "a=b", "*", "-"):
            self.assertEqual(self.slotctl("why", "-l", "1", name)[1].splitlines()[1],
                             "  cause=none limit=1 in_use=0")
        self.assertEqual(self.slotctl("why", "a b")[0], 64)
        self.assertEqual(self.slotctl("why")[0], 64)


class Stopped(Case):
    config = GROUP

    def test_pause(self):
        said = r"the group is paused by \S+@\S+: db is down$"
        self.assertEqual(self.slotctl("pause", "g", "--why", "db is down")[0], 0)
        for args in (["run", "g", "-n", "true"], ["acquire", "g", "-n"]):
            status, out, wrong = self.slotctl(*args)
            self.assertEqual((status, out), (75, ""))
            self.assertRegex(wrong, "^slotctl: g: " + said)
        self.assertRegex(self.slotctl("run", "g", "-w", "20ms", "true")[2],
                         "^slotctl: g: no slot became free in 20ms: " + said)
        self.assertEqual(self.slotctl("run", "g", "-nqE", "9", "true"), (9, "", ""))
        run = self.start("run", "g", "-v", "true")
        run.log.wait_for(r"^slotctl: g: waiting; 0 held, 1 waiting \(paused by \S+@\S+: db is down\)$")
        self.assertEqual(self.slotctl("resume", "g")[0], 0)
        self.assertEqual(run.end(), 0)
        self.slotd.log.wait_for(r"group g: it is paused by process \d+ of \S+@\S+: db is down$")
        self.slotd.log.wait_for(r"group g: its pause is ended by process \d+ of \S+@\S+$")

    def test_limit(self):
        self.assertEqual(self.slotctl("limit", "g", "0")[0], 0)
        self.assertRegex(self.slotctl("run", "g", "-n", "true")[2],
                         r"^slotctl: g: the group is limited to 0 live by \S+@\S+$")


class Drain(Case):
    config = GROUP

    def test_on_and_off(self):
        holder = self.holder(limit=2)
        self.assertEqual(self.slotctl("drain"),
                         (0, "this host is not drained: slotd grants slots here\n", ""))
        self.assertEqual(json.loads(self.slotctl("drain", "--json")[1]), {"draining": "no", "held": 1})
        self.assertEqual(self.slotctl("run", "g", "true"), (0, "", ""))
        self.assertEqual(self.slotctl("drain", "on"),
                         (0, "slotd grants nothing here any more; 1 holds are left\n", ""))
        self.assertEqual(self.slotctl("drain")[1],
                         "slotd grants nothing here any more; 1 holds are left\n")
        self.assertEqual(self.slotctl("run", "g", "true"),
                         (69, "", "slotctl: g: nothing can be granted: this host is drained: slotd grants "
                                  "nothing here any more; try again in 1s"))
        self.assertRegex(self.slotctl("status", "g")[1], r"(?m)^draining +yes$")
        holder.expect("OK", "RELEASE g 1")
        self.assertEqual(self.slotctl("drain", "off"), (0, "slotd grants slots here again\n", ""))
        self.assertEqual(self.slotctl("run", "g", "true"), (0, "", ""))
        self.assertEqual(json.loads(self.slotctl("drain", "on", "--json")[1]), {"draining": "yes", "held": 0})
        self.assertEqual(self.slotctl("drain", "of"),
                         (64, "", "slotctl: of: neither on nor off (try slotctl drain --help)"))


class Reload(Case):
    config = GROUP

    def write(self, config):
        with open(self.slotd.config, "w", encoding="utf-8") as file:
            file.write(config)

    def test_good(self):
        self.write(GROUP + "[group h]\nlimit = 1\n")
        self.assertEqual(self.slotctl("reload"),
                         (0, "reloaded: 2 sections of groups, 1 of them changed\n", ""))
        self.assertEqual(self.slotctl("list", "--names")[1], "g\nh\n")
        self.slotd.expect.append("restart is needed")
        self.write(GROUP + "[lease]\nlease_ms = 2000\n")
        self.assertEqual(self.slotctl("reload"),
                         (0, "reloaded: 1 sections of groups, 1 of them changed\n"
                             "a restart is needed for: lease_ms,grace_ms\n", ""))
        self.assertEqual(json.loads(self.slotctl("reload", "--json")[1]),
                         {"groups": 1, "changed": 0, "restart": "lease_ms,grace_ms", "overridden": 0,
                          "live": None})

    def test_live(self):
        self.client().expect("OK .*", "LIVE g limit=7")
        self.assertEqual(self.slotctl("reload"), (
            0, "reloaded: 1 sections of groups, 0 of them changed\n"
               "a live limit goes before the configured one in 1 of them: g\n", ""))

    def test_mistake(self):
        self.slotd.expect += ["slotd.conf:", "not reloaded"]
        self.write("[group g]\nlimit = 0\nwait_ms = never\n")
        self.assertEqual(self.slotctl("reload"), (
            78, "", f"slotctl: {self.slotd.config}:2: limit = 0 is not a number from 1 to 1000000\n"
                    "slotctl: nothing has changed; mistakes: 2"))


class Shared(Case):
    def setUp(self):
        redis = self.enterContext(Redis())
        self.slotd, = self.enterContext(fleet(redis, 1, no_grace(redis, 10000) + GROUP))

    def test_times_have_units(self):
        self.holder("g", 2)
        said = self.slotctl("status", "g")[1]
        self.assertRegex(said, r"(?m)^lease_left +\d+(\.\d)?m?s$")
        self.assertRegex(said, r"(?m)^grace_left +0ms$")


class Away(Case):
    def setUp(self):
        redis = self.enterContext(Redis())
        self.slotd, = self.enterContext(fleet(redis, 1, no_grace(redis, 10000), ["away"]))
        redis.end()
        self.slotd.log.wait_for("away")

    def test_who_wants_no_slot(self):
        for args in (["limit", "g", "1"], ["pause", "g"], ["history", "g"]):
            status, out, wrong = self.slotctl(*args)
            self.assertEqual((status, out), (69, ""))
            self.assertRegex(wrong, "^slotctl: g: (?!nothing can be granted).*try again in")
        self.assertRegex(self.slotctl("audit")[2], "^slotctl: (?!request:).*try again in")


@needs_root
class Denied(Case):
    config = CONFIG + "[group g]\nlimit = 1\nallow_users = 2002\n"

    def other(self, *args):
        return self.slotctl(*args, user=2001, group=2001, extra_groups=[])

    def setUp(self):
        super().setUp()
        os.chmod(self.slotd.dir, 0o755)

    def test_denied(self):
        self.assertEqual(self.other("run", "g", "true"),
                         (77, "", "slotctl: g: permission denied: uid 2001 is not among the users of "
                                  "[group g]"))
        self.assertEqual(self.other("run", "h", "--limit", "1", "true"), (0, "", ""))
        for command in (["reload"], ["drain", "on"], ["drain", "off"]):
            status, said, wrong = self.other(*command)
            self.assertEqual((status, said), (77, ""))
            self.assertRegex(wrong, "^slotctl: permission denied: uid 2001 is no admin of this slotd")
        self.assertIn("cause=denied uid=2001 rule=allow_users", self.other("why", "g")[1])
        self.assertEqual(self.slotctl("run", "g", "true"), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
