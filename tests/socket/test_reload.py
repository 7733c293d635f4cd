"""RELOAD and SIGHUP: what the file says is in force at once, nobody is disconnected, and a file with a
mistake changes nothing.  DRAIN: this host grants nothing more."""
import os
import re
import signal
import unittest

from fleet import after_exchange, fleet, no_grace
from redis import Redis
from slotd import Daemon
from user import CONFIG, needs_root, user

LIMIT = "[daemon]\nlog_level = info\n[group g]\nlimit = %d\n"


def write(slotd, config):
    with open(slotd.config, "w", encoding="utf-8") as file:
        file.write(config)


def reload(slotd, config):
    """-> what stands behind OK"""
    write(slotd, config)
    with slotd.client() as client:
        return client.expect(r"OK (groups=\d+ changed=\d+ restart=\S+) .*", "RELOAD")[1]


def waiting(slotd, group):
    with slotd.client() as client:
        return int(client.expect(r"OK .* waiting=(\d+) .*", f"STATUS {group}")[1])


class Case(unittest.TestCase):
    def enterContext(self, manager):        # unittest has it since Python 3.11
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def daemon(self, config="", **options):
        return self.enterContext(Daemon(config, **options))

    def client(self, slotd):
        return self.enterContext(slotd.client())

    def granted(self, client, n):
        """That many grants come, and no more.  -> their slots"""
        slots = [int(client.expect(r"#\d+ OK (\d+) \d+")[1]) for _ in range(n)]
        client.expect("#p OK pong", "#p PING")
        return slots


class Limits(Case):
    def test_raised(self):
        """Exactly the difference is let in, the oldest first."""
        slotd = self.daemon(LIMIT % 2)
        a = self.client(slotd)
        a.send(*(f"#{i} ACQUIRE g wait=forever" for i in range(6)))
        self.assertEqual(self.granted(a, 2), [1, 2])
        write(slotd, LIMIT % 4)
        self.client(slotd).expect("OK groups=1 changed=1 restart=- .*", "RELOAD")
        self.assertEqual([a.expect(r"#(\d) OK \d \d+")[1] for _ in range(2)], ["2", "3"])
        self.assertEqual(self.granted(a, 0), [])
        self.assertEqual(waiting(slotd, "g"), 2)
        slotd.log.wait_for("info: reloaded: 1 sections of groups, 1 of them changed")

    def test_lowered(self):
        """What is held stays; it drains to the new limit."""
        slotd = self.daemon(LIMIT % 3)
        a = self.client(slotd)
        a.send(*(f"#{i} ACQUIRE g wait=forever" for i in range(5)))
        self.granted(a, 3)
        self.assertEqual(reload(slotd, LIMIT % 1), "groups=1 changed=1 restart=-")
        self.client(slotd).expect("ERR full limit=1 .*", "ACQUIRE g wait=0")
        for slot in (1, 3):
            a.expect("OK", f"RELEASE g {slot}")
            self.assertEqual(self.granted(a, 0), [])
        a.expect("OK", "RELEASE g 2")
        a.expect(r"#3 OK 1 \d+")

    def test_idle_slots_go_back(self):
        slotd = self.daemon(LIMIT % 3)
        a = self.client(slotd)
        a.expect(r"OK 1,2,3 \d+", "ACQUIRE g n=3")
        a.expect("OK holds=1 waits=0", "RELEASE *")
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.expect("OK", "RELEASE g 1")
        reload(slotd, LIMIT % 1)
        a.expect("OK .* held=0 idle=0 .*", "STATUS g")
        a.expect(r"OK 1 \d+", "ACQUIRE g wait=0")
        a.expect("ERR full limit=1 .*", "ACQUIRE g wait=0")

    def test_more_than_there_is(self):
        slotd = self.daemon(LIMIT % 3)
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.send("#n ACQUIRE g n=3 wait=forever")
        a.expect("#p OK pong", "#p PING")
        reload(slotd, LIMIT % 2)
        a.expect("#n ERR toobig limit=2 n=3 .*")

    def test_section_that_goes(self):
        """Who has named a limit waits on; who has not is told that there is none."""
        slotd = self.daemon(LIMIT % 1)
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.send("#a ACQUIRE g wait=forever", "#b ACQUIRE g limit=1 wait=forever")
        a.expect("#p OK pong", "#p PING")
        self.assertEqual(reload(slotd, "[daemon]\nunknown_groups = refuse\n[group h]\n"),
                         "groups=1 changed=2 restart=-")
        a.expect("#a ERR nolimit .*")
        a.expect("ERR nogroup closest=h .*", "ACQUIRE g limit=1")
        a.expect("OK", "RELEASE g 1")
        a.expect(r"#b OK 1 \d+")

    def test_glob(self):
        slotd = self.daemon("[group a*]\nlimit = 1\n[group ab]\nlimit = 1\n")
        a = self.client(slotd)
        for group in ("ab", "ac"):
            a.expect(r"OK 1 \d+", f"ACQUIRE {group}")
            a.send(f"#{group} ACQUIRE {group} wait=forever")
        self.assertEqual(reload(slotd, "[group a*]\nlimit = 2\n[group ab]\nlimit = 1\n"),
                         "groups=2 changed=1 restart=-")
        a.expect(r"#ac OK 2 \d+")
        self.assertEqual(reload(slotd, "[group a*]\nlimit = 2\n"), "groups=1 changed=1 restart=-")
        a.expect(r"#ab OK 2 \d+")

    def test_live(self):
        """A live limit counts as before; who has changed the other is told so."""
        slotd = self.daemon("".join(f"[group {name}]\nlimit = 1\n" for name in ("a,b", "g", "h", "i", "j")))
        a = self.client(slotd)
        for request in ("LIVE a,b limit=3", "LIVE g limit=3 why=more", "LIVE h pause=on", "LIVE i limit=2"):
            a.expect("OK .*", request)
        write(slotd, "".join(f"[group {name}]\nlimit = 2\n" for name in ("a,b", "g", "h", "i", "j")))
        answer = a.expect(r"OK groups=5 changed=5 restart=- overridden=3 live=(\S+)", "RELOAD")[1]
        self.assertEqual(sorted(answer.split(",")), ["a%2Cb", "g", "h"])
        slotd.log.wait_for("info: group g: the configured limit of 2 counts for nothing while the live one "
                           "of 3 is set, by ")
        for n in range(3):
            a.expect(r"OK \d \d+", "ACQUIRE g wait=0")
        a.expect("ERR full limit=3 .*", "ACQUIRE g wait=0")
        a.expect("OK .*", "LIVE g limit=none")
        a.expect(r"OK .* overridden=2 .*", "RELOAD")

    def test_max_waiters_and_waits(self):
        slotd = self.daemon("[group g]\nlimit = 1\n")
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.send("#a ACQUIRE g wait=forever", "#b ACQUIRE g wait=forever")
        reload(slotd, "[group g]\nlimit = 1\nmax_waiters = 2\nwait_ms = 0\n")
        a.expect("#c ERR queuefull waiting=2 max=2 .*", "#c ACQUIRE g wait=forever")
        a.expect("ERR full limit=1 .*", "ACQUIRE g")


class Daemons(Case):
    def test_mistake(self):
        """Nothing changes, by either way; each mistake is told where it is."""
        slotd = self.daemon(LIMIT % 1, expect=[r"slotd\.conf:", "not reloaded"])
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.send("#w ACQUIRE g wait=forever")
        write(slotd, "[daemon]\nlog_level = debug\n[group g]\nlimit = 2\nlimt = 3\nwait_ms = x\n")
        a.expect(rf"ERR config wrong=2 {re.escape(slotd.config)}:5: \[group\] has no key limt; "
                 "did you mean limit\\?", "RELOAD")
        a.expect("OK group=g limit=1 .* waiting=1 .*", "STATUS g")
        slotd.log.wait_for(r"error: .*slotd\.conf:6: wait_ms = x is not a number")
        slotd.log.wait_for("error: not reloaded, and nothing has changed; mistakes: 2")
        slotd.process.send_signal(signal.SIGHUP)
        slotd.log.wait_for("error: not reloaded, and nothing has changed; mistakes: 2", 2)
        a.expect("OK group=g limit=1 .* waiting=1 .*", "STATUS g")
        self.assertEqual(slotd.log.find("debug: "), [])
        os.unlink(slotd.config)
        a.expect("ERR config wrong=1 .*slotd.conf: No such file or directory", "RELOAD")
        a.expect("OK", "RELEASE g 1")
        a.expect(r"#w OK 1 \d+")

    def test_hangup(self):
        slotd = self.daemon(LIMIT % 1)
        a = self.client(slotd)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.send("#w ACQUIRE g wait=forever")
        write(slotd, "[daemon]\nlog_level = debug\n[group g]\nlimit = 2\n")
        slotd.process.send_signal(signal.SIGHUP)
        a.expect(r"#w OK 2 \d+")
        self.client(slotd).expect("OK pong", "PING")
        slotd.log.wait_for("debug: client=.*: connected")

    def test_bounds(self):
        slotd = self.daemon("", expect=["max_clients"])
        a, b = self.client(slotd), self.client(slotd)
        for client in (a, b):
            client.expect("OK pong", "PING")
        reload(slotd, "[daemon]\nmax_clients_per_uid = 2\n")
        self.client(slotd).expect(r"ERR clients max=2 uid=\d+ .*")
        write(slotd, "[daemon]\nmax_clients_per_uid = 3\nmax_groups = 1\nmax_holds = 1\n")
        a.expect("OK .*", "RELOAD")
        self.client(slotd).expect("OK pong", "PING")
        a.expect(r"OK 1 \d+", "ACQUIRE g limit=2")
        a.expect("ERR holds max=1 .*", "ACQUIRE g limit=2")
        b.expect("ERR groups max=1 .*", "ACQUIRE h limit=2")
        write(slotd, "[daemon]\nmax_clients = 2\n")
        a.expect("OK .*", "RELOAD")
        self.client(slotd).expect(r"ERR clients max=2 .*")
        for client in (a, b):                           # who is there stays
            client.expect("OK pong", "PING")
        write(slotd, "")
        a.expect("OK .*", "RELOAD")
        self.client(slotd).expect("OK pong", "PING")
        b.expect(r"OK 1 \d+", "ACQUIRE h limit=2")

    def test_restart(self):
        """Keys that wait for one are named each time, and are not taken."""
        slotd = self.daemon(LIMIT % 1, expect=["a restart is needed"])
        more = "[lease]\nlease_ms = 20000\n[redis]\nurl = redis://nowhere.invalid\n"
        wanted = "groups=1 changed=%d restart=socket_mode,url,lease_ms,grace_ms"
        config = (LIMIT % 2).replace("[group", "socket_mode = 0600\n[group") + more
        self.assertEqual(reload(slotd, config), wanted % 1)
        self.assertEqual(reload(slotd, config), wanted % 0)
        slotd.log.wait_for("warning: reloaded, but a restart is needed for socket_mode,url,lease_ms")
        self.client(slotd).expect("OK group=g limit=2 .* backend=memory .*", "STATUS g")
        self.assertEqual(reload(slotd, LIMIT % 2), "groups=1 changed=0 restart=-")

    def test_manager(self):
        slotd = self.daemon()
        slotd.process.send_signal(signal.SIGHUP)
        told = ""
        while "READY=1" not in told.split("\n"):
            told += slotd._notify.recv(4096).decode() + "\n"
        self.assertRegex(told, r"^(STATUS=.*\n)*RELOADING=1\nMONOTONIC_USEC=\d+\n(STATUS=.*\n)*READY=1\n")


@needs_root
class Rights(Case):
    def test_change(self):
        slotd = self.daemon(CONFIG + "[group g]\nlimit = 5\n")
        with user(slotd, 2001) as a:
            a.expect("ERR denied rule=admin uid 2001 is no admin of this slotd", "RELOAD")
            a.expect("ERR denied rule=admin .*", "DRAIN on")
            a.expect(r"OK 1 \d+", "ACQUIRE g")
            reload(slotd, CONFIG + "admin_groups = 3001\n[group g]\nlimit = 5\nallow_users = 2002\n")
            a.expect("ERR denied rule=allow_users .*", "ACQUIRE g")
            a.expect("OK", "RELEASE g 1")               # what is held stays so
            with user(slotd, 2001, groups=[3001]) as b:
                b.expect("OK groups=1 changed=0 restart=- .*", "RELOAD")
            reload(slotd, CONFIG + "[group g]\nlimit = 5\n")
            a.expect(r"OK \d \d+", "ACQUIRE g")


class Shared(Case):
    """With Redis, and another host."""

    def setUp(self):
        redis = self.enterContext(Redis())
        self.config = lambda limit: no_grace(redis) + f"\n[group g]\nlimit = {limit}\n"
        self.slotds = self.enterContext(fleet(redis, 2, self.config(1), ["the limit is"]))

    def ask(self, client, line):
        """An ACQUIRE that waits, and has been told to Redis"""
        client.send(line)
        client.expect("#p OK pong", "#p PING")
        for slotd in self.slotds:
            after_exchange(slotd)

    def test_raised(self):
        a, b = (self.client(slotd) for slotd in self.slotds)
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        for i, client in enumerate((b, a, b)):
            self.ask(client, f"#{i} ACQUIRE g wait=forever")
        reload(self.slotds[1], self.config(2))
        b.expect(r"#0 OK 2 \d+")
        self.slotds[1].log.wait_for(r"warning: group g: the limit is 2 here, and 1 on ")
        reload(self.slotds[0], self.config(2))
        a.expect("OK", "RELEASE g 1")
        a.expect(r"#1 OK 1 \d+")                        # before b's second: its place was kept
        b.expect("OK", "RELEASE g 2")
        b.expect(r"#2 OK 2 \d+")

    def test_lowered(self):
        a, b = (self.client(slotd) for slotd in self.slotds)
        for slotd in self.slotds:
            reload(slotd, self.config(3))
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        b.expect(r"OK 2 \d+", "ACQUIRE g")
        a.expect(r"OK 3 \d+", "ACQUIRE g")
        for slotd in self.slotds:
            reload(slotd, self.config(1))
        self.ask(a, "#w ACQUIRE g wait=forever")
        a.expect("OK", "RELEASE g 1")
        b.expect("OK", "RELEASE g 2")
        b.expect("ERR full limit=1 .*", "ACQUIRE g wait=0")
        a.expect("#p OK pong", "#p PING")
        a.expect("OK", "RELEASE g 3")
        a.expect(r"#w OK 1 \d+")


class Drain(Case):
    def test_drain(self):
        slotd = self.daemon(LIMIT % 1)
        a, b = self.client(slotd), self.client(slotd)
        a.expect("OK draining=no held=0", "DRAIN")
        a.expect(r"OK 1 (\d+)", "ACQUIRE g")
        token = a.expect(r"OK 1 (\d+)", "ACQUIRE h limit=1")[1]
        a.expect("OK", "RELEASE g 1")                   # idle
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        b.send("#w ACQUIRE g wait=forever", "#v ACQUIRE h limit=1 wait=1h")
        b.expect("#p OK pong", "#p PING")
        a.expect("OK draining=yes held=2", "DRAIN on")
        answers = sorted(b.readline() for _ in range(2))
        for answer, tag in zip(answers, "vw"):
            self.assertRegex(answer, f"^#{tag} ERR unavailable retry=1000 reason=drain this host is drained")
        b.expect("ERR unavailable retry=1000 reason=drain .*", "ACQUIRE new limit=1 wait=0")
        b.expect(f"OK 1 {token}", f"RESUME h 1 {token}")
        b.expect("OK", "RELEASE h 1")
        b.expect("OK .* idle=0 .* draining=yes .*", "STATUS h")
        a.expect("OK", "RELEASE g 1")
        reload(slotd, LIMIT % 2)                        # goes on
        a.expect("OK draining=yes held=0", "DRAIN")
        a.expect("OK draining=no held=0", "DRAIN off")
        b.expect(r"OK 1 \d+", "ACQUIRE g")
        slotd.log.wait_for(r"info: uid \d+, process \d+, drains this host")

    def test_ends_with_a_restart(self):
        slotd = self.daemon()
        self.client(slotd).expect("OK draining=yes held=0", "DRAIN on")
        slotd.stop(keep=True)
        slotd.start()
        self.client(slotd).expect("OK draining=no held=0", "DRAIN")

    def test_slots_go_to_other_hosts(self):
        redis = self.enterContext(Redis())
        config = no_grace(redis) + "\nidle_ms = 600000\n[group g]\nlimit = 1\n"
        a, b = (self.client(slotd) for slotd in self.enterContext(fleet(redis, 2, config)))
        a.expect(r"OK 1 \d+", "ACQUIRE g")
        a.expect("OK", "RELEASE g 1")
        a.expect("OK .* idle=1 .*", "STATUS g")
        a.expect(r"OK draining=yes held=\d", "DRAIN on")
        a.expect("OK .* idle=0 .*", "STATUS g")
        b.expect(r"OK 1 \d+", "ACQUIRE g wait=10s")
        a.expect("ERR unavailable .* reason=drain .*", "ACQUIRE g wait=10s")


if __name__ == "__main__":
    unittest.main()
