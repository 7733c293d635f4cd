"""Live limits: set on one host, in force on all, through whatever becomes of Redis."""
import contextlib
import fcntl
import json
import mmap
import os
import random
import re
import signal
import struct
import tempfile
import time
import unittest

from fleet import UP, after_exchange, fleet, no_grace
from redis import Redis
from slotctl import Case
from slotd import TIMEOUT, WRAP, Client, Daemon, Failure

GROUP = "[group g]\nlimit = 2\n"


def until(condition, what):
    """Returns when it has become true by the work of others."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"never: {what}")


def set_live(slotd, words, group="g"):
    with slotd.client() as client:
        return client.expect(r"OK group=.*", f"LIVE {group} {words}")[0]


def status(slotd, group="g"):
    with slotd.client() as client:
        answer = client.ask(f"STATUS {group}")
    return dict(word.split("=", 1) for word in answer.split()[1:])


def is_in_force(daemons, limit, group="g"):
    return all(status(slotd, group)["limit"] == limit for slotd in daemons)


class Inside:
    """Counts the processes that are inside, in memory that they share.  It believes nothing that
    slotd says: each counts itself while it has a slot, and no longer."""

    NOW, PEAK, ENTERED, STOP = range(4)         # and when a slot was last granted under each limit

    def __init__(self):
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._lock = tempfile.TemporaryFile()

    def get(self, number):
        return struct.unpack_from("q", self._memory, 8 * number)[0]

    def set(self, number, value):
        struct.pack_into("q", self._memory, 8 * number, value)

    def close(self):
        self._memory.close()
        self._lock.close()

    @contextlib.contextmanager
    def _alone(self):
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        yield
        fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def enter(self, limit):
        with self._alone():
            now = self.get(self.NOW) + 1
            self.set(self.NOW, now)
            self.set(self.PEAK, max(now, self.get(self.PEAK)))
            self.set(self.ENTERED, self.get(self.ENTERED) + 1)
            self.set(8 + limit, time.monotonic_ns())

    def leave(self):
        with self._alone():
            self.set(self.NOW, self.get(self.NOW) - 1)

    def peak(self):
        """-> the most that were inside at once since the last time"""
        with self._alone():
            peak = self.get(self.PEAK)
            self.set(self.PEAK, self.get(self.NOW))
        return peak

    def last_under(self, limit):
        """When somebody entered under that limit: monotonic, in s."""
        return self.get(8 + limit) / 1e9

    def see(self, entries):
        """Returns when so many more have entered."""
        first = self.get(self.ENTERED)
        until(lambda: self.get(self.ENTERED) - first >= entries, f"{entries} more enter")


def work(path, inside):
    """A process that takes slots and gives them back."""
    with Client(path) as client:
        client.expect("OK .*", "HELLO detail=on")
        while not inside.get(inside.STOP):
            slot, limit = client.expect(r"OK (\d+) \d+ limit=(\d+)", "ACQUIRE g wait=forever").groups()
            inside.enter(int(limit))
            os.sched_yield()
            inside.leave()
            client.expect("OK", f"RELEASE g {slot}")


@contextlib.contextmanager
def workers(daemons, count):
    """-> what counts them, while they work"""
    inside, pids = Inside(), []
    for i in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                work(daemons[i % len(daemons)].socket, inside)
            finally:
                os._exit(0)
        pids.append(pid)
    try:
        yield inside
    finally:
        inside.set(inside.STOP, 1)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)
        inside.close()


class Load(unittest.TestCase):
    def setUp(self):
        seed = os.environ.get("SLOTD_SEED") or str(random.randrange(1 << 32))
        print(f"SLOTD_SEED={seed}")
        self.random = random.Random(seed)

    def change(self, redis, daemons, inside, old, new):
        """-> how long it was until the last slot was granted under the old limit, and until all
        hosts say that the new one counts, in ms"""
        inside.peak()
        start = time.monotonic()
        words = "pause=on" if new == 0 and self.random.random() < 0.5 else f"limit={new}"
        if words != "pause=on":
            set_live(self.random.choice(daemons), "pause=off")
        set_live(self.random.choice(daemons), words)
        until(lambda: is_in_force(daemons, str(new)), f"limit {new} on all hosts")
        said = time.monotonic() - start
        # what was granted before has been given back: by Redis's own count, which is ahead of ours
        owners = f"slotd:1:{{s{self.shard}}}:g:owners"
        until(lambda: redis.ask("HLEN", owners) <= new, f"drained to {new}")
        self.assertLessEqual(inside.peak(), max(old, new))
        if new > 0:
            inside.see(500 if not WRAP else 50)
            self.assertLessEqual(inside.peak(), new)
        else:
            entered = inside.get(inside.ENTERED)
            for slotd in daemons:
                after_exchange(slotd)
            self.assertEqual((inside.get(inside.ENTERED), inside.get(inside.NOW)), (entered, 0))
        return 1000 * max(0, inside.last_under(old) - start), 1000 * said

    def test_limit_under_load(self):
        """36 processes on three hosts, while the limit goes up and down: there are never more inside
        than the larger of two limits allows, nor, after the drain, than the new one."""
        with Redis() as redis, fleet(redis, 3, no_grace(redis) + GROUP) as daemons, \
                workers(daemons, 36) as inside:
            old, worst = 2, [0, 0]
            inside.see(100)
            key = redis.ask("KEYS", "*:g:records")[0].decode()
            self.shard = re.search(r"\{s(\d+)\}", key)[1]
            for new in (9, 3, 16, 1, 6, 0, 12, 2, 0, 5):
                took = self.change(redis, daemons, inside, old, new)
                worst = [max(pair) for pair in zip(worst, took)]
                old = new
            print(f"the last slot under the old limit: after {worst[0]:.1f} ms at most; "
                  f"said by all hosts: {worst[1]:.1f} ms")


class Fleet(unittest.TestCase):
    def enter(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def three(self, redis, lease=10000):
        return self.enter(fleet(redis, 3, no_grace(redis, lease) + GROUP))

    def waiters(self, daemons, count):
        clients = [self.enter(daemons[i % len(daemons)].client()) for i in range(count)]
        for client in clients:
            client.send("#a ACQUIRE g wait=forever", "#b PING")
            client.expect(".*#b OK pong|#a OK .*")
        return clients

    def granted(self, daemons):
        return sum(int(status(slotd)["held"]) for slotd in daemons)

    def test_raised(self):
        """Exactly as many are let in as there is more room, wherever they wait; by a word of Redis,
        as nobody renews a lease for so long."""
        redis = self.enter(Redis())
        daemons = self.three(redis, lease=400000)
        self.waiters(daemons, 12)
        until(lambda: self.granted(daemons) == 2, "two hold")
        set_live(daemons[1], "limit=7")
        until(lambda: self.granted(daemons) == 7, "seven hold")
        for slotd in daemons:
            after_exchange(slotd)
        self.assertEqual(self.granted(daemons), 7)

    def test_pause_ends(self):
        """Nobody says anything at its end, and who waits is let in."""
        redis = self.enter(Redis())
        daemons = self.three(redis, lease=400000)
        set_live(daemons[0], "pause=on for=300ms why=deploy")
        with daemons[1].client() as a, daemons[2].client() as b:
            a.expect(r"ERR full limit=0 .*", "ACQUIRE g wait=0")
            b.expect(r"OK 1 \d+", "ACQUIRE g wait=forever")
        until(lambda: is_in_force(daemons, "2"), "what is configured counts again")

    def test_known_by_all(self):
        """Also where nobody uses the group, and on a host that comes later."""
        redis = self.enter(Redis())
        daemons = self.three(redis)
        set_live(daemons[0], "limit=5 why=too%20slow")
        until(lambda: is_in_force(daemons, "5"), "all have heard")
        said = [status(slotd) for slotd in daemons]
        self.assertEqual({s["live_why"] for s in said}, {"too%20slow"})
        self.assertEqual(len({(s["live_by"], s["live_at"]) for s in said}), 1)
        self.assertRegex(said[2]["live_by"], r"^\S+@\S+$")
        self.assertEqual((said[1]["limit_from"], said[1]["live_left"]), ("live", "-"))
        late = self.enter(Daemon(no_grace(redis) + GROUP))
        late.log.wait_for(UP)
        self.assertEqual(status(late)["limit"], "5")
        with late.client() as client:
            client.expect("OK 1", "LIST g*")
            client.expect("group=g limit=5 limit_from=live .*")
            client.expect("OK 1", "HISTORY g")
            client.expect(r"at=\d+ by=\S+@\S+ uid=%d what=limit value=5 for=- why=too%%20slow"
                          % os.getuid())

    def test_history(self):
        redis = self.enter(Redis())
        daemons = self.three(redis)
        for limit in range(25):
            set_live(daemons[limit % 3], f"limit={limit}")
        with daemons[0].client() as client:
            found = client.ask_list("HISTORY g")
        self.assertEqual([re.search(r"value=(\d+)", line)[1] for line in found],
                         [str(limit) for limit in range(24, 4, -1)])

    def survives(self, lose, **options):
        with Redis(**options) as redis:
            config = redis.config(GROUP, lease=1000)
            with fleet(redis, 3, config, expect=["trying again", "nobody listens"]) as daemons:
                set_live(daemons[0], "limit=3 why=x")
                until(lambda: is_in_force(daemons, "3"), "all have heard")
                lose(redis, daemons)
                daemons[1].log.wait_for("a grace begins", 2)
                with daemons[1].client() as a, daemons[2].client() as b:
                    a.expect(r"OK 1,2,3 \d+", "ACQUIRE g n=3 wait=1m")
                    b.expect("ERR (full|timeout) limit=3 .*", "ACQUIRE g wait=300ms")
                self.assertTrue(is_in_force(daemons, "3"))

    def test_flushed(self):
        def flush(redis, daemons):
            redis.ask("FLUSHALL")
            with daemons[1].client() as client:         # somebody who uses it
                client.expect("ERR .*", "ACQUIRE g wait=1")
        self.survives(flush)

    def test_started_empty(self):
        def start(redis, _):
            redis.end()
            redis.start()
        self.survives(start)

    def test_not_put_back(self):
        """A host that was stopped while the limit was taken away does not bring it back."""
        redis = self.enter(Redis())
        daemons = self.three(redis)
        for slotd in daemons:
            slotd.expect += ["trying again", "did not arrive", "hung"]
        set_live(daemons[0], "limit=3")
        until(lambda: is_in_force(daemons, "3"), "all have heard")
        daemons[2].process.send_signal(signal.SIGSTOP)
        redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
        redis.ask("CLIENT", "KILL", "TYPE", "normal")
        until(lambda: "OK" in self.try_clear(daemons[0]), "it is taken away")
        daemons[2].process.send_signal(signal.SIGCONT)
        until(lambda: is_in_force(daemons, "2"), "what is configured counts again")
        for slotd in daemons:
            slotd.log.wait_for(UP, 2)
        self.assertTrue(is_in_force(daemons, "2"))

    def try_clear(self, slotd):
        with slotd.client() as client:
            return client.ask("LIVE g limit=none")

    def test_away(self):
        """What is set is known, and not changed."""
        redis = self.enter(Redis())
        daemons = self.three(redis)
        for slotd in daemons:
            slotd.expect += ["trying again"]
        set_live(daemons[0], "limit=3")
        until(lambda: is_in_force(daemons, "3"), "all have heard")
        redis.end()
        daemons[1].log.wait_for("trying again")
        with daemons[1].client() as client:
            client.expect(r"ERR unavailable retry=\d+ reason=\w+ .*", "LIVE g limit=4")
            client.expect(r"ERR unavailable retry=\d+ reason=\w+ .*", "HISTORY g")
            client.expect(r"OK group=g limit=3 .*", "LIVE g")
            client.expect(r"ERR unavailable retry=\d+ reason=\w+ .*", "LIVE h")     # perhaps

    def test_wrong_type(self):
        with Redis() as redis, fleet(redis, 1, no_grace(redis), ["WRONGTYPE"]) as (slotd,):
            set_live(slotd, "limit=3")
            key, = redis.ask("KEYS", "*:history")
            redis.ask("DEL", key)
            redis.ask("SET", key, "mine")
            with slotd.client() as client:
                client.expect("ERR backend .*", "LIVE g limit=4")
                client.expect("OK group=g limit=3 .*", "LIVE g")
                client.expect("ERR backend .*", "HISTORY g")
            self.assertEqual(redis.ask("GET", key), b"mine")


class Alone(Case):
    """Without Redis; and what slotctl makes of it."""
    config = GROUP + "[group h]\n"

    def say(self, *args):
        code, out, err = self.slotctl(*args)
        self.assertEqual((code, err), (0, ""))
        return out

    def test_set(self):
        self.assertEqual(self.say("limit", "g"),
                         "g: no live limit\n  the configured limit of 2 counts\n")
        self.assertEqual(self.say("limit", "h"),
                         "h: no live limit\n  no limit is configured: callers name one\n")
        clients = [self.client() for _ in range(4)]
        for client in clients:
            client.send("ACQUIRE g wait=forever")
        self.assertRegex(self.say("limit", "g", "3", "--why", "tour de force"),
                         r"^g: live limit 3, set by \S+@\S+ at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: "
                         r"tour de force\n"
                         r"  instead of the configured limit of 2\n"
                         r"  on this host alone, and until its slotd ends\n$")
        for client in clients[:3]:
            client.expect(r"OK [123] \d+")
        self.assertRegex(self.say("pause", "g", "--for", "10m"),
                         r"^g: paused for (10m00s|9m59s) more, set by .*\n"
                         r"  then the live limit of 3 counts\n")
        clients[0].close()
        self.assertRegex(self.say("why", "g"), r"(?s)paused.*by=\S+@\S+")
        self.assertRegex(self.say("resume", "g"), "^g: live limit 3, set by .*: tour de force\n")
        clients[3].expect(r"OK [123] \d+")
        found = json.loads(self.say("limit", "g", "--json"))
        self.assertEqual((found["limit"], found["paused"], found["why"], found["backend"]),
                         (3, "no", "tour de force", "memory"))
        self.assertEqual(self.say("limit", "g", "--clear"), self.say("limit", "g"))
        self.assertEqual([(line["what"], line["value"]) for line in json.loads(
            self.say("history", "g", "--json"))],
            [("limit", "none"), ("pause", "off"), ("pause", "on"), ("limit", 3)])
        self.assertRegex(self.say("history", "g"), r"(?m)^.* limit  3 +- +tour de force$")

    def test_drains(self):
        clients = [self.client() for _ in range(3)]
        for client in clients:
            client.send("ACQUIRE g wait=forever")
        self.say("limit", "g", "0")
        for client in clients[:2]:
            client.expect(r"OK [12] \d+")
        clients[0].expect("OK", "RELEASE g 1")
        self.assertEqual(status(self.slotd)["waiting"], "1")
        self.say("limit", "g", "none")
        clients[2].expect(r"OK 1 \d+")

    def test_wrong(self):
        for args in (("limit", "g", "x"), ("limit", "g", "1000001"), ("limit", "g", "-1"),
                     ("limit", "g", "1", "2"), ("limit", "g", "--for", "10m"), ("limit",),
                     ("limit", "g", "1", "--clear"), ("limit", "g", "1", "--for", "10"),
                     ("limit", "g", "1", "--why", ""), ("pause", "g", "--why", "x" * 101),
                     ("resume", "g", "--for", "10m"), ("history",)):
            with self.subTest(args=args):
                self.assertEqual(self.slotctl(*args)[0], 64)

    def test_forgotten(self):
        self.say("limit", "g", "3")
        self.slotd.stop(keep=True)
        self.slotd.start()
        self.assertEqual(status(self.slotd)["limit_from"], "config")

    def test_unknown_groups(self):
        slotd = self.daemon("[daemon]\nunknown_groups = refuse\n" + GROUP)
        with slotd.client() as client:
            client.expect("ERR nogroup .*", "LIVE q limit=3")
            client.expect("ERR nogroup .*", "LIVE q")
            client.expect("OK .*", "LIVE g limit=3")


if __name__ == "__main__":
    unittest.main(verbosity=2)
