"""What concerns every host: who holds and who waits, taking a slot back, what nobody answers for."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import unittest

from crowded import processes
from fleet import UP, after_exchange, fleet, no_grace
from proxy import Proxy
from redis import Redis
from slotctl import GATE, Slotctl
from slotd import SLOTCTL, TIMEOUT, WRAP, Daemon, Failure
from user import CONFIG, needs_root, user

HOST = socket.gethostname()
COMPLETE = r"kind=fleet hosts=%d answered=%d redis=up complete=yes"


def words(line):
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


# A daemon that is given no time for a second by this machine is silent, too: unless a test has made
# one so, it asks again.

def ps(slotd, glob="", silent=False):
    """-> holders, waiters, and what the last line says"""
    with slotd.client() as client:
        while True:
            lines = [words(line) for line in client.ask_list(f"PS {glob}".rstrip())]
            if silent or lines[-1]["hosts"] == lines[-1]["answered"]:
                return ([line for line in lines if line["kind"] == "hold"],
                        [line for line in lines if line["kind"] == "wait"], lines[-1])


def slotctl(slotd, *args, silent=False):
    """-> exit status, standard output, standard error"""
    while True:
        done = subprocess.run([*WRAP, SLOTCTL, "--socket", slotd.socket, *args],
                              capture_output=True, text=True, check=False)
        if silent or "not answer" not in done.stderr:
            return done.returncode, done.stdout, done.stderr


def evict(client, words_, count):
    """Asks for an eviction of so many slots."""
    while " reason=silent " in (answer := client.ask(f"EVICT {words_}")):
        pass
    if answer != f"OK evicted={count}":
        raise Failure(f"EVICT {words_} was answered {answer!r}")


class Ps(unittest.TestCase):
    def test_everybody_is_named_everywhere(self):
        """3 daemons, 200 holders and 200 waiters, each a process of its own."""
        count = 200 if not WRAP else 20
        with Redis() as redis, fleet(redis, 3, no_grace(redis)) as daemons:
            take = [f"ACQUIRE crowd limit={count} wait=1m label=holds"]
            wait = [f"#w ACQUIRE crowd limit={count} wait=forever label=waits", "PING"]
            plan = [(daemons[i % 3].socket, take, 1) for i in range(count)]
            with processes(plan) as holders:
                plan = [(daemons[i % 3].socket, wait, 1) for i in range(count)]
                with processes(plan) as waiters:
                    for slotd in daemons:
                        status, out, said = slotctl(slotd, "ps", "--json", "crowd")
                        self.assertEqual((status, said), (0, ""))
                        rows = json.loads(out)
                        holds = [row for row in rows if row["kind"] == "hold"]
                        waits = [row for row in rows if row["kind"] == "wait"]
                        self.assertEqual(len(rows), 2 * count)
                        self.assertEqual(sorted(row["pid"] for row in holds), sorted(holders))
                        self.assertEqual(sorted(row["pid"] for row in waits), sorted(waiters))
                        self.assertEqual([row["slot"] for row in holds], list(range(1, count + 1)))
                        self.assertEqual([row["place"] for row in waits], list(range(1, count + 1)))
                        ages = [row["age"] for row in waits]
                        self.assertEqual(ages, sorted(ages, reverse=True))
                        self.assertEqual(len({row["daemon"] for row in holds}), 3)
                        for row in rows:
                            with open(f"/proc/{row['pid']}/comm", encoding="utf-8") as file:
                                self.assertEqual(row["command"], file.read().rstrip("\n"))
                            self.assertEqual(row["label"], f"{row['kind']}s")
                            self.assertEqual((row["host"], row["uid"]), (HOST, os.getuid()))
                        self.assertEqual({row["proven"] for row in holds}, {"yes"})

    def test_words(self):
        with Redis() as redis, fleet(redis, 2, no_grace(redis)) as (one, two):
            with one.client() as a, two.client() as b:
                token = a.expect(r"OK 1 (\d+)", "ACQUIRE g limit=1 wait=10s label=a%20%25b")[1]
                b.send("#w ACQUIRE g limit=1 wait=1h")
                a.expect("OK 1", "LIST g") or a.readline()
                a.readline()
                b.expect("OK pong", "PING")
                for slotd in one, two:
                    (hold,), (wait,), rest = ps(slotd, "g")
                    self.assertRegex(" ".join(f"{k}={v}" for k, v in hold.items()),
                                     rf"host={re.escape(HOST)} group=g kind=hold slot=1 token={token} "
                                     rf"pid={os.getpid()} uid=\d+ command=\S+ label=a%20%25b age=\d+ "
                                     r"lease_left=\d+ proven=yes daemon=[0-9a-f]{16} answering=yes")
                    self.assertRegex(" ".join(f"{k}={v}" for k, v in wait.items()),
                                     rf"host={re.escape(HOST)} group=g kind=wait place=1 n=1 limit=1 "
                                     rf"pid={os.getpid()} uid=\d+ command=\S+ label=- age=\d+ "
                                     r"left=\d+ daemon=[0-9a-f]{16} answering=yes")
                    self.assertNotEqual(hold["daemon"], wait["daemon"])
                    self.assertEqual(rest, {"kind": "fleet", "hosts": "2", "answered": "2",
                                            "redis": "up", "complete": "yes"})

    def test_places(self):
        """They count through all hosts, and those of one are in their order."""
        with Redis() as redis, fleet(redis, 3, no_grace(redis)) as daemons:
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(daemons[i % 3].client()) for i in range(10)]
                clients[9].expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                for i, client in enumerate(clients[:9]):
                    client.send(f"#w ACQUIRE g limit=1 wait=forever label={i}", "PING")
                    client.expect("OK pong")
                waits = ps(daemons[1], "g")[1]
                self.assertEqual([wait["place"] for wait in waits], list("123456789"))
                labels = [wait["label"] for wait in waits]
                for i in range(3):
                    self.assertEqual([label for label in labels if int(label) % 3 == i],
                                     [str(i), str(i + 3), str(i + 6)])

    def test_globs_and_names(self):
        """Any name and label arrives as it is, and none of them can make a line of its own."""
        name, label = 'Zürich"\\/%日本', 'kind=hold slot=9\\"$(x) ü'
        wire = "".join(f"%{byte:02X}" for byte in name.encode())
        with Redis() as redis, fleet(redis, 2, no_grace(redis)) as (one, two):
            with one.client() as a:
                a.expect(r"OK 1 \d+", f"ACQUIRE {wire} limit=1 wait=10s label="
                         + "".join(f"%{byte:02X}" for byte in label.encode()))
                a.expect(r"OK 1 \d+", "ACQUIRE other limit=1 wait=10s")
                for slotd in one, two:
                    status, out, _ = slotctl(slotd, "ps", "--json", "Z*")
                    self.assertEqual(status, 0)
                    row, = json.loads(out)
                    self.assertEqual((row["group"], row["label"]), (name, label))
                    self.assertEqual([hold["group"] for hold in ps(slotd, "oth*")[0]], ["other"])
                    self.assertEqual(ps(slotd, "[!o]ther")[0], [])
                    groups = [hold["group"] for hold in ps(slotd)[0]]
                    self.assertIn("other", groups)
                    self.assertEqual(groups, sorted(groups))

    def test_many_ask_at_once(self):
        """Questions that are asked together are each answered in full."""
        with Redis() as redis, fleet(redis, 3, no_grace(redis)) as daemons:
            with contextlib.ExitStack() as stack:
                a, b, *askers = [stack.enter_context(daemons[i % 3].client()) for i in range(8)]
                for client in a, b:
                    client.expect(r"OK \d \d+", "ACQUIRE g limit=2 wait=10s")
                for client in askers:
                    client.send(*[f"#{i} PS g" for i in range(5)])
                answered = 0
                for client in askers:
                    left = {f"#{i}" for i in range(5)}
                    while left:
                        tag, *rest = client.readline().split()
                        self.assertEqual(rest, ["OK", "3"])
                        left.remove(tag)
                        self.assertEqual([words(client.readline())["slot"] for _ in range(2)],
                                         ["1", "2"])        # on record at least
                        answered += int(words(client.readline())["answered"])
                self.assertGreater(answered, 30)

    def test_too_many_ask(self):
        """They are told so, and nobody else notices."""
        with Daemon() as slotd, slotd.client() as client, slotd.client() as other:
            client.send(*[f"#{i} PS" for i in range(100)])
            other.expect("OK pong", "PING")
            answers = [client.readline().split(" ", 1)[1] for _ in range(200 - 36)]
            self.assertEqual(answers.count("1"), 0)
            refused = [line for line in answers if line.startswith("ERR")]
            self.assertEqual(len(refused), 36)
            self.assertEqual({line.split(" ", 3)[2] for line in refused}, {"retry=1000"})
            self.assertIn("reason=asked", refused[0])

    def test_a_crowd_in_one_group(self):
        """10,000 holders: in pieces, and the asker reads its other answers meanwhile."""
        count = 10000 if not WRAP else 1000
        with Redis() as redis, fleet(redis, 2, no_grace(redis)) as (one, two):
            with one.client() as a, two.client() as b:
                for first in range(0, count, 50):
                    a.expect(r"OK .*", f"ACQUIRE crowd limit={count} n=50 wait=10s")
                b.send("#p PS crowd", "#q PING")
                b.expect("#q OK pong")
                b.expect(f"#p OK {count + 1}")
                for _ in range(count + 1):
                    b.readline()
                slots = [int(hold["slot"]) for hold in ps(two, "crowd")[0]]
                self.assertEqual(slots, list(range(1, count + 1)))

    def test_memory(self):
        with Daemon() as slotd, slotd.client() as client:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            client.send("#w ACQUIRE g limit=1 wait=forever")
            holds, waits, rest = ps(slotd)
            self.assertEqual((len(holds), len(waits)), (1, 1))
            self.assertEqual(holds[0]["lease_left"], "-")
            self.assertEqual(rest, {"kind": "fleet", "hosts": "1", "answered": "1",
                                    "redis": "none", "complete": "yes"})
            status, out, said = slotctl(slotd, "ps")
            self.assertEqual((status, said), (0, ""))
            self.assertRegex(out, r"\AHOST +GROUP +SLOT +PLACE .*\n\S+ +g +1 +- .*\n\S+ +g +- +1 .*\n\Z")

    def test_the_asker_goes(self):
        with Redis() as redis, fleet(redis, 2, no_grace(redis)) as (one, two):
            two.process.send_signal(signal.SIGSTOP)
            client = one.client()
            client.send("#p PS", "PING")
            client.expect("OK pong")
            client.close()
            self.assertEqual(ps(one, silent=True)[2]["answered"], "1")
            two.process.send_signal(signal.SIGCONT)


class Silent(unittest.TestCase):
    """Daemons that do not answer."""

    def check(self, slotd, daemon, hosts):
        (hold,), (wait, own), rest = ps(slotd, "g", silent=True)
        self.assertEqual((own["place"], own["label"], own["answering"]), ("2", "two", "yes"))
        self.assertEqual(rest, {"kind": "fleet", "redis": "up", **hosts})
        for row in hold, wait:
            self.assertEqual((row["host"], row["daemon"], row["answering"]), (HOST, daemon, "no"))
            self.assertEqual({row[key] for key in ("pid", "uid", "command", "label")}, {"-"})
            self.assertGreater(int(row["lease_left"]), 0)
            self.assertLessEqual(int(row["lease_left"]), 60000)
        self.assertEqual((hold["slot"], hold["token"], hold["proven"]), ("1", "-", "-"))
        self.assertEqual((wait["place"], wait["n"], wait["limit"]), ("1", "1", "1"))

    @staticmethod
    def crowd(redis, one, two, stack):
        """A holder and a waiter at one, a waiter at two.  -> which daemon one is"""
        a, b = stack.enter_context(one.client()), stack.enter_context(two.client())
        a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
        a.send("#w ACQUIRE g limit=1 wait=1h", "PING")
        a.expect("OK pong")
        b.send("#w ACQUIRE g limit=1 wait=1h label=two")
        queued(redis, "g", 2)
        return ps(one, "g")[0][0]["daemon"]

    def test_stopped(self):
        with Redis() as redis, fleet(redis, 2, no_grace(redis, 60000)) as (one, two):
            with contextlib.ExitStack() as stack:
                daemon = self.crowd(redis, one, two, stack)
                one.process.send_signal(signal.SIGSTOP)
                hosts = {"hosts": "2", "answered": "1", "complete": "no"}
                self.check(two, daemon, hosts)
                status, out, said = slotctl(two, "ps", "g", silent=True)
                self.assertEqual(status, 0)
                self.assertEqual(said, "slotctl: 1 of 2 hosts does not answer: of it this is what "
                                 "Redis has on record\n")
                with two.client() as client:
                    client.expect(r"ERR unavailable retry=\d+ reason=silent slot 1 is of a slotd on "
                                  rf"{re.escape(HOST)} that does not answer: .*", "EVICT g 1")
                    client.expect(r"ERR unavailable retry=1000 reason=silent .*", "EVICT g 2")
                status, out, said = slotctl(two, "evict", "g", "1", silent=True)
                self.assertEqual((status, out), (69, ""))
                self.assertRegex(said, r"\Aslotctl: g: slot 1 is of .*; try again in \S+\n\Z")
                one.process.send_signal(signal.SIGCONT)
                holds, waits, rest = ps(two, "g")
                self.assertEqual((holds[0]["answering"], waits[0]["answering"], rest["complete"]),
                                 ("yes", "yes", "yes"))

    def test_dead(self):
        with Redis() as redis, fleet(redis, 2, no_grace(redis, 60000)) as (one, two):
            with contextlib.ExitStack() as stack:
                daemon = self.crowd(redis, one, two, stack)
                one.kill(keep=True)
                self.check(two, daemon, {"hosts": "1", "answered": "1", "complete": "yes"})
                one.start()

    def test_redis_is_away(self):
        with Redis(tcp=True) as redis, Proxy(redis.url) as proxy:
            config = redis.config(url=proxy.url, lease=10000, lease_more="grace_ms = 0")
            with Daemon(config, expect=["trying again"]) as one, \
                    Daemon(redis.config(lease=10000, lease_more="grace_ms = 0")) as two:
                for slotd in one, two:
                    slotd.log.wait_for(UP)
                with one.client() as a, two.client() as b:
                    a.expect(r"OK 1 \d+", "ACQUIRE g limit=2 wait=10s")
                    b.expect(r"OK 2 \d+", "ACQUIRE g limit=2 wait=10s")
                    self.assertEqual(len(ps(one, "g")[0]), 2)
                    proxy.to("unix:///nowhere")
                    one.log.wait_for("trying again")
                    holds, _, rest = ps(one, "g")
                    self.assertEqual([hold["slot"] for hold in holds], ["1"])
                    self.assertEqual(rest, {"kind": "fleet", "hosts": "1", "answered": "1",
                                            "redis": "away", "complete": "no"})
                    status, out, said = slotctl(one, "ps", "--json")
                    self.assertEqual((status, len(json.loads(out))), (0, 1))
                    self.assertEqual(said, "slotctl: slotd cannot reach Redis: this is the part of "
                                     "this host alone\n")
                    a.expect("ERR unavailable retry=1000 reason=away .*", "EVICT g 2")
                    a.expect("ERR unavailable retry=1000 reason=away .*", "AUDIT")
                    a.expect("OK evicted=1", "EVICT g 1")


class Foreign(unittest.TestCase):
    """Whatever is published where daemons listen, they go on."""

    def test_messages(self):
        nobody = ".".join(["00000000000000aa"] * 3)
        with Redis() as redis, fleet(redis, 2, no_grace(redis)) as (one, two):
            with one.client() as a:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                own, = (channel.decode() for channel in redis.ask("PUBSUB", "CHANNELS", "slotd:1:d:*")
                        if one.log.find(channel.decode()[10:26]))
                for text in ("", "Q", "Q ", "x", f"Q {nobody}", f"Q {nobody} 0000000000000001 ",
                             f"Q {nobody} 0000000000000001 FROB", f"Q {nobody} 0000000000000001 PS",
                             f"Q {nobody} 0000000000000001 QUIT", f"Q {nobody} 0000000000000001 RELEASE g 1",
                             f"Q {nobody} 0000000000000001 PS\nPS", f"Q {nobody} 0000000000000001 " + "x" * 5000,
                             f"A {nobody} 0000000000000001 00000000 1 h\nh g 1 x", b"\xff\0\n" * 100):
                    self.assertEqual(redis.ask("PUBLISH", "slotd:1:fleet", text), 2)
                # answers that nobody has asked for, for many questions that there may be
                for i in range(300):
                    for rest in ("00000000 1 host\nh g 77 x=1\n", "00000007 1 host\nh g 77 x=1\n",
                                 "00000000 1 " + "h" * 300 + "\n", "00000000 2 host\n", ""):
                        redis.ask("PUBLISH", own, f"A {nobody} {i:016x} {rest}")
                for slotd in one, two:
                    holds, _, rest = ps(slotd, "g")
                    self.assertEqual(([hold["slot"] for hold in holds], rest["answered"]), (["1"], "2"))

    def test_an_answer_that_is_made_up(self):
        """Of one that does answer, lines which are none are left out."""
        with Redis() as redis, fleet(redis, 1, no_grace(redis)) as (one,):
            own, = redis.ask("PUBSUB", "CHANNELS", "slotd:1:d:*")
            nobody = ".".join(["00000000000000aa"] * 3)
            with Listener(redis, "slotd:1:fleet") as listener, one.client() as a:
                a.send("PS g")
                question = listener.message().decode()
                found = re.fullmatch(r"Q (\S+) ([0-9a-f]{16}) PS g", question)
                self.assertEqual(own.decode(), "slotd:1:d:" + found[1])
                lines = ["h g 5 token=9 pid=- uid=0 label=x", "h g", "w g 1", "z g 1 x", "h g -1 x",
                         "h g 99999999999999999999 x", "h g 1 \x7f", "h g 6 " + "x" * 2000, "\0", ""]
                redis.ask("PUBLISH", own, f"A {nobody} {found[2]} 00000000 1 elsewhere\n"
                          + "\n".join(lines))
                a.expect("OK 2")
                a.expect("host=elsewhere group=g kind=hold slot=5 token=9 pid=- uid=0 label=x "
                         "daemon=00000000000000aa answering=yes")
                a.expect(COMPLETE % (2, 2))


def key(redis, group, name):
    found, = redis.ask("KEYS", f"slotd:1:*:{group}:{name}")
    return found


def queued(redis, group, count):
    """Returns when Redis has so many waiters of the group; a slotd alone keeps its own to itself."""
    end = time.monotonic() + TIMEOUT
    while sum(redis.ask("ZCARD", name) for name in redis.ask("KEYS", f"slotd:1:*:{group}:queue")) != count:
        if time.monotonic() > end:
            raise Failure(f"not {count} waiters are queued")


class Listener:
    """One more that has subscribed to a channel."""

    def __init__(self, redis, channel):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(redis.path)
        self.file = self.socket.makefile("rb")
        self.socket.sendall(f"SUBSCRIBE {channel}\r\n".encode())
        self.message()

    def message(self):
        """-> the last part of the next message"""
        count = int(self.file.readline()[1:])
        for _ in range(count):
            line = self.file.readline()
            text = self.file.read(int(line[1:]) + 2)[:-2] if line[:1] == b"$" else line
        return text

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()


class Evict(unittest.TestCase):
    def test_on_another_host(self):
        """The holder is told, and the next one has the slot when the margin is over."""
        with Redis() as redis, fleet(redis, 2, no_grace(redis)) as (one, two):
            with one.client() as a, two.client() as b:
                a.expect("OK .*", "HELLO events=on")
                token = a.expect(r"OK 1 (\d+)", "ACQUIRE g limit=1 wait=10s")[1]
                b.send("#w ACQUIRE g limit=1 wait=1m")
                after_exchange(two)
                evict(b, "g 1 token=5", 0)
                evict(b, "g 2", 0)
                evict(b, "unknown 1", 0)
                b.expect("ERR badvalue key=slot .*", "EVICT g 0")
                evict(b, f"g 1 token={token}", 1)
                a.expect(f"!LOST g 1 {token} evict")
                a.expect("OK .* ending=1 .*", "STATUS g")       # it rests
                newer = int(b.expect(r"#w OK 1 (\d+)")[1])
                self.assertGreater(newer, int(token))
                a.expect("ERR lost .*", f"RELEASE g 1 token={token}")
                a.expect("ERR nothold .*", "RELEASE g 1")
                evict(a, "g 1", 1)
                b.expect("ERR lost .*", "RELEASE g 1")

    def test_of_several_slots(self):
        with Redis() as redis, fleet(redis, 2, no_grace(redis)) as (one, two):
            with one.client() as a, two.client() as b:
                a.expect(r"OK 1,2,3 \d+", "ACQUIRE g limit=5 n=3 wait=10s")
                a.expect(r"OK 4 \d+", "ACQUIRE g limit=5 wait=10s")
                b.expect(r"OK 5 \d+", "ACQUIRE g limit=5 wait=10s")
                a.expect("ERR badvalue key=slot .*", "EVICT g 5,2")
                evict(a, "g 5", 1)
                evict(b, "g 2", 3)
                holds = ps(two, "g")[0]
                self.assertEqual([hold["slot"] for hold in holds], ["4"])
                evict(a, "g 4", 1)
                b.expect(r"OK 1,2,3,4,5 \d+", "ACQUIRE g limit=5 n=5 wait=10s")

    def test_a_command(self):
        """What runs under slotctl run is ended, and labels itself."""
        with Redis() as redis, fleet(redis, 2, no_grace(redis)) as (one, two):
            with Slotctl(one.socket, "run", "g", "-l", "1", "--", *GATE) as run:
                run.ready()
                hold, = ps(two, "g")[0]
                self.assertEqual((hold["pid"], hold["label"]), (str(run.process.pid), "sh"))
                self.assertEqual(slotctl(two, "evict", "g", "2"), (1, "", "slotctl: g: nobody holds slot 2\n"))
                self.assertEqual(slotctl(two, "evict", "g", "x")[0], 64)
                self.assertEqual(slotctl(two, "evict", "g", "1", "--token", "x")[0], 64)
                self.assertEqual(slotctl(two, "evict", "g")[0], 64)
                self.assertEqual(slotctl(two, "evict", "g", "1", "--token", "7")[0], 1)
                self.assertEqual(slotctl(two, "evict", "g", "1", "--json", "--token", hold["token"]),
                                 (0, '{"evicted": 1}\n', ""))
                self.assertEqual(run.end(), 125)

    def test_labels(self):
        label = "ü" * 31 + "x" + "üü"
        with Daemon() as slotd:
            for command, expected in (("/bin/cat", "cat"), ("./../bin//cat", "cat"),
                                      (label, "%C3%BC" * 31 + "x"), ("a\x01\x7f \udcffb", "a??%20?b")):
                with contextlib.ExitStack() as stack:
                    holder = stack.enter_context(slotd.client())
                    holder.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
                    stack.enter_context(Slotctl(slotd.socket, "run", "g", "-l", "1", "--", command))
                    with slotd.client() as client:
                        while not (waiters := client.ask_list("WAITERS g")):
                            pass
                    self.assertEqual(words(waiters[0])["label"], expected)

    @needs_root
    def test_who_may(self):
        with Daemon(CONFIG + "admin_groups = 4001\n[group g]\nlimit = 1\nadmin_users = 2001\n") as slotd:
            with slotd.client() as holder:
                for uid, groups, allowed in ((2001, [], True), (2002, [4001], True), (2002, [], False)):
                    holder.expect(r"OK 1 \d+", "ACQUIRE g wait=10s")
                    with user(slotd, uid, groups=groups) as client:
                        client.expect("OK evicted=1" if allowed else "ERR denied rule=admin .*",
                                      "EVICT g 1")
                        client.expect("OK 1" if 4001 in groups else "ERR denied rule=admin .*",
                                      "AUDIT fix")
                        if 4001 in groups:
                            client.readline()
                        client.expect("OK 1", "AUDIT")
                        client.readline()
                    holder.expect("ERR lost .*" if allowed else "OK", "RELEASE g 1")


class Audit(unittest.TestCase):
    CLEAN = (0, "", "")

    def test_of_the_dead(self):
        """What no lease protects any more is freed by a fix, and by nothing else where nobody asks."""
        with Redis() as redis, fleet(redis, 2, no_grace(redis, 4000)) as (one, two):
            with one.client() as a:
                a.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2 wait=10s")
                a.send("#w ACQUIRE g limit=2 wait=1h")
                after_exchange(one)
                with two.client() as b:
                    b.send("#w ACQUIRE g limit=2 wait=1h")
                    queued(redis, "g", 2)
                    self.assertEqual(slotctl(two, "audit"), self.CLEAN)
                queued(redis, "g", 1)
                one.kill(keep=True)
            status, out, said = slotctl(two, "audit", "--json")
            self.assertEqual((status, said), (1, ""))
            rows = [row for row in json.loads(out) if row["group"] == "g"]
            self.assertEqual([(row["kind"], row.get("slot")) for row in rows],
                             [("hold", 1), ("hold", 2), ("wait", None)])
            for row in rows:
                self.assertEqual(row["host"], HOST)
                self.assertGreater(row["lease_left"], 0)
            status, out, said = slotctl(two, "audit", "--fix")
            self.assertEqual(status, 1)
            self.assertRegex(said, r"\Aslotctl: \d+ are left, which a lease protects for up to \S+ more; "
                             r"then slotd frees them\n\Z")
            self.assertRegex(out, r"(?m)^g +hold +1 ")
            # the clock of a group moves as somebody speaks: here it is two, who does the rest
            while slotctl(two, "audit")[0] != 0:
                pass
            self.assertEqual(slotctl(two, "audit", "--fix"), self.CLEAN)
            self.assertEqual(redis.ask("KEYS", "slotd:1:*:g:owners"), [])
            one.start()

    def test_of_a_host_that_is_stopped(self):
        with Redis() as redis, fleet(redis, 2, no_grace(redis, 60000)) as (one, two):
            with one.client() as a:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                one.process.send_signal(signal.SIGSTOP)
                status, out, said = slotctl(two, "audit", "--json", silent=True)
                self.assertEqual(status, 1)
                self.assertIn("g", [row["group"] for row in json.loads(out)])
                self.assertIn("1 of 2 hosts does not answer", said)
                self.assertEqual(slotctl(two, "audit", "--fix", silent=True)[0], 1)
                one.process.send_signal(signal.SIGCONT)
                a.expect("OK", "RELEASE g 1")           # it was not taken
                self.assertEqual(slotctl(two, "audit"), self.CLEAN)

    def test_of_many_slots(self):
        """More than are read in one step."""
        with Redis() as redis, fleet(redis, 2, no_grace(redis, 60000)) as (one, two):
            with one.client() as a, two.client() as b:
                for _ in range(27):
                    a.expect(r"OK .*", "ACQUIRE g limit=10000 n=50 wait=10s")
                self.assertEqual(slotctl(two, "audit"), self.CLEAN)
                one.kill(keep=True)
                slots = [words(line)["slot"] for line in b.ask_list("AUDIT") if " slot=" in line
                         and "group=g " in line]
                self.assertEqual(slots, [str(slot) for slot in range(1, 27 * 50 + 1)])
            one.start()

    def test_of_records_that_do_not_agree(self):
        with Redis() as redis, fleet(redis, 1, redis.config(lease=60000, lease_more="grace_ms = 0\n"
                                                            "idle_ms = 0")) as (one,):
            with one.client() as a:
                a.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2 wait=10s")
                a.send("#w ACQUIRE g limit=2 wait=1h")
                queued(redis, "g", 1)
                self.assertEqual(slotctl(one, "audit"), self.CLEAN)
                queue, owners, leases = (key(redis, "g", name) for name in ("queue", "owners", "leases"))
                member, = redis.ask("ZRANGE", queue, 0, -1)
                redis.ask("ZREM", queue, member)
                redis.ask("HSET", owners, "2", "nobody 5")
                status, out, said = slotctl(one, "audit", "--json")
                self.assertEqual((status, said), (1, ""))
                texts = [row["text"] for row in json.loads(out)]
                self.assertEqual([re.sub("daemon .* and", "daemon D and", text) for text in sorted(texts)],
                                 ["slot 2: it is in the list of daemon D and not its",
                                  "waiters in the queue: 1 are recorded and 0 are there"])
                status, out, said = slotctl(one, "audit", "--fix")
                self.assertEqual((status, said), (1, "slotctl: records that do not agree stay as they are\n"))
                redis.ask("ZADD", queue, 0, member)
                redis.ask("HSET", owners, "2", redis.ask("HGET", owners, "1"))
                self.assertEqual(slotctl(one, "audit"), self.CLEAN)
                redis.ask("SET", leases, "x")
                status, out, said = slotctl(one, "audit", "--json")
                row, = json.loads(out)
                self.assertEqual((row["kind"], status), ("record", 1))
                self.assertIn("WRONGTYPE", row["text"])
                a.close()
                one.expect.append("WRONGTYPE")

    def test_memory(self):
        with Daemon() as slotd:
            self.assertEqual(slotctl(slotd, "audit"), self.CLEAN)
            self.assertEqual(slotctl(slotd, "audit", "--fix", "--json"), (0, "[]\n", ""))


if __name__ == "__main__":
    unittest.main()
