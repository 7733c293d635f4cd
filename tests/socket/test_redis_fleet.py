"""Several slotd and one Redis: a limit that holds across all of them, in the order of asking."""
import contextlib
import os
import random
import re
import select
import signal
import socket
import time
import unittest

from crowd import contend
from fleet import UP, after_asking, after_exchange, fleet, no_grace
from redis import Redis
from slotd import TIMEOUT, Daemon, Failure

WRAPPED = bool(os.environ.get("SLOTD_WRAP"))


def queued(redis, group, count):
    """Returns when Redis has so many waiters of the group."""
    end = time.monotonic() + TIMEOUT
    while sum(redis.ask("ZCARD", key) for key in redis.ask("KEYS", f"*:{group}:*queue")) != count:
        if time.monotonic() > end:
            raise Failure(f"not {count} waiters are queued")


class Contention(unittest.TestCase):
    def setUp(self):
        seed = os.environ.get("SLOTD_SEED") or str(random.randrange(1 << 32))
        print(f"SLOTD_SEED={seed}")
        self.random = random.Random(seed)

    def test_limit_holds(self):
        """60 clients of three daemons: never more than 5 inside, nor one number twice."""
        acquires = 20000 if not WRAPPED else 1000
        with Redis() as redis, fleet(redis, 3, no_grace(redis)) as daemons:
            self.assertGreater(contend(daemons, 60, "load", 5, acquires, self.random), 1)
            with daemons[0].client() as client:     # no slot is leaked
                client.expect(r"OK 1,2,3,4,5 \d+", "ACQUIRE load limit=5 n=5 wait=1m")

    def test_limit_holds_through_breaks(self):
        """Connections are killed and the script is forgotten, again and again."""
        acquires = 3000 if not WRAPPED else 500
        with Redis() as redis, fleet(redis, 3, no_grace(redis)) as daemons:
            for slotd in daemons:
                slotd.expect.append("trying again")

            def disturb(n):
                if n % 100 == 0:
                    redis.ask(*self.random.choice((("CLIENT", "KILL", "TYPE", "normal"),
                                                   ("CLIENT", "KILL", "TYPE", "pubsub"),
                                                   ("SCRIPT", "FLUSH"))))

            self.assertGreater(contend(daemons, 60, "load", 5, acquires, self.random, disturb), 1)
            with daemons[0].client() as client:     # no slot is leaked
                client.expect(r"OK 1,2,3,4,5 \d+", "ACQUIRE load limit=5 n=5 wait=1m")

    def test_within_one_host(self):
        """64 clients for 8 slots, one daemon: Redis hears of fewer than 0.02 exchanges a grant.  It
        hears of those at the beginning, until the daemon has 8; some dozens, whatever follows."""
        acquires = 20000 if not WRAPPED else 2000
        with Redis() as redis, fleet(redis, 1, no_grace(redis, 10000)) as daemons:
            redis.ask("CONFIG", "RESETSTAT")
            self.assertGreater(contend(daemons, 64, "load", 8, acquires, self.random), 1)
            self.assertLess(redis.calls()["evalsha"], 0.02 * 20000)


class Order(unittest.TestCase):
    def test_first_come_first_served(self):
        """Waiters of three daemons are granted in the order in which they asked: each asks when the
        one before it stands in the queue that all share, however slow this machine is."""
        count = 300 if not WRAPPED else 30
        with Redis() as redis, fleet(redis, 4, no_grace(redis)) as daemons:
            with contextlib.ExitStack() as stack, contextlib.closing(select.epoll()) as epoll:
                holder = stack.enter_context(daemons[3].client())
                holder.expect(r"OK 1 \d+", "ACQUIRE line limit=1 wait=10s")
                waiting = {}
                for i in range(count):
                    client = stack.enter_context(daemons[i % 3].client())
                    epoll.register(client.socket, select.EPOLLIN)
                    waiting[client.socket.fileno()] = (i, client)
                    client.send("ACQUIRE line limit=1 wait=forever")
                    queued(redis, "line", i + 1)
                    self.assertEqual(epoll.poll(0), [])         # nobody is answered meanwhile
                order = []
                holder.close()
                while len(order) < count:
                    events = epoll.poll(TIMEOUT)
                    self.assertEqual(len(events), 1, f"after {order}")
                    i, client = waiting[events[0][0]]
                    client.expect(r"OK 1 \d+")
                    order.append(i)
                    epoll.unregister(client.socket)
                    client.close()
                self.assertEqual(order, list(range(count)))

    def test_larger_is_not_starved(self):
        with Redis() as redis, fleet(redis, 2, redis.config()) as (one, two):
            with one.client() as a, two.client() as b, one.client() as c:
                a.expect(r"OK 1,2 \d+", "ACQUIRE g limit=3 n=2 wait=10s")
                b.send("ACQUIRE g limit=3 n=2 wait=10s")
                after_exchange(two)
                c.send("ACQUIRE g limit=3 wait=10s")            # a slot is free, but b was first
                a.expect("OK", "RELEASE g 1")
                b.expect(r"OK 1,3 \d+")
                a.expect("OK", "RELEASE g 2")
                c.expect(r"OK 2 \d+")

    def test_headroom(self):
        """Callers of limit 3 leave 2 of 5 to the others, wherever they are."""
        with Redis() as redis, fleet(redis, 2, redis.config()) as (one, two):
            with one.client() as a, two.client() as b:
                a.expect(r"OK 1,2,3 \d+", "ACQUIRE g limit=3 n=3 wait=10s")
                b.expect("ERR full limit=3 .*", "ACQUIRE g limit=3 wait=0")
                b.expect(r"OK 4,5 \d+", "ACQUIRE g limit=5 n=2 wait=10s")
                a.expect("ERR full limit=5 .*", "ACQUIRE g limit=5 wait=0")
                b.expect("OK", "RELEASE g 4")
                a.expect("ERR full limit=3 .*", "ACQUIRE g limit=3 wait=0")

    def test_idle_slots_are_recalled(self):
        with Redis() as redis, fleet(redis, 2, redis.config(lease_more="idle_ms = 60000")) as (one, two):
            with one.client() as a, two.client() as b:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                a.expect("OK", "RELEASE g 1")
                a.expect("OK .* held=0 idle=1 .*", "STATUS g")
                b.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=0")
                b.expect("OK", "RELEASE g 1")
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")


class Differs(unittest.TestCase):
    def test_limit_and_lease(self):
        """Each of two daemons names the other's host, in STATUS and once in its log."""
        host = re.escape(socket.gethostname())

        def config(redis, limit, lease):
            return redis.config(f"[group g]\nlimit = {limit}\n[group h]\nlimit = 9\n", lease=lease,
                                lease_more="grace_ms = 0")

        with Redis() as redis, Daemon(config(redis, 2, 4000)) as one, \
                Daemon(config(redis, 3, 8000)) as two:
            limit = rf"group g: the limit is {{}} here, and {{}} on {host}: give all the same"
            lease = rf"lease_ms is {{}} here, and {{}} on {host}: give all the same"
            warnings = {one: (limit.format(2, 3), lease.format(4000, 8000)),
                        two: (limit.format(3, 2), lease.format(8000, 4000))}
            one.expect.append("another slotd has .* a lease_ms of 8000")
            for slotd, patterns in warnings.items():
                slotd.expect += patterns
                slotd.log.wait_for(UP)
            with one.client() as a, two.client() as b:
                a.expect("OK .* differs=- .*", "STATUS g")
                a.expect(r"OK 1 \d+", "ACQUIRE g wait=10s")
                a.expect("OK .* differs=- .*", "STATUS g")             # it is alone
                b.expect(r"OK 2 \d+", "ACQUIRE g wait=10s")
                b.expect(f"OK .* differs={host}:limit=2,{host}:lease_ms=4000 .*", "STATUS g")
                one.log.wait_for(warnings[one][1])                  # as it renews its lease
                a.expect(f"OK .* differs={host}:limit=3,{host}:lease_ms=8000 .*", "STATUS g")
                a.expect(r"OK 1 \d+", "ACQUIRE h wait=10s")
                b.expect(r"OK 2 \d+", "ACQUIRE h wait=10s")
                b.expect(f"OK .* differs={host}:lease_ms=4000 .*", "STATUS h")
                b.expect(r"OK 3 \d+", "ACQUIRE g wait=10s")         # both hear of g once more
                a.expect("ERR full limit=2 .*", "ACQUIRE g wait=0")
            for slotd, patterns in warnings.items():
                for pattern in patterns:
                    self.assertEqual(len(slotd.log.wait_for(pattern)), 1)


class Death(unittest.TestCase):
    def test_of_a_client(self):
        """A push moves the slot to the next, on another host."""
        with Redis() as redis, fleet(redis, 2, no_grace(redis, 60000)) as (one, two):
            with one.client() as a, two.client() as b:
                for _ in range(20):
                    a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                    b.send("ACQUIRE g limit=1 wait=10s")
                    a.close()
                    b.expect(r"OK 1 \d+")
                    b.expect("OK", "RELEASE g 1")
                    a = one.client()
                a.close()

    def test_of_a_daemon(self):
        """Its slots come back after the lease, and not before."""
        lease = 2.0
        with Redis() as redis, fleet(redis, 2, redis.config(lease=2000)) as (one, two):
            with one.client() as a, two.client() as b:
                a.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2 wait=10s")
                b.send("ACQUIRE g limit=2 n=2 wait=1m")
                after_exchange(two)
                killed = time.monotonic()
                one.kill(keep=True)
                b.expect(r"OK 1,2 \d+")
                self.assertGreater(time.monotonic() - killed, lease / 2)    # it renews each quarter
                one.start()
                with one.client() as c:
                    b.expect("OK", "RELEASE g 1,2")
                    c.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2 wait=10s")

    def test_of_a_daemon_that_is_told_to_stop(self):
        """What it kept idle is free at once, what its clients held when the lease ends."""
        lease = 4
        with Redis() as redis, fleet(redis, 2, no_grace(redis, lease * 1000)) as (one, two):
            with one.client() as a, two.client() as b:
                a.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2 wait=10s")
                b.send("#g ACQUIRE g limit=2 n=2 wait=1m")
                after_exchange(two)
                a.expect(r"OK 1 \d+", "ACQUIRE idle limit=1")
                a.expect("OK", "RELEASE idle 1")
                stopped = time.monotonic()
                one.stop(keep=True)
                b.expect(r"OK 1 \d+", "ACQUIRE idle limit=1 wait=0")
                b.expect(r"#g OK 1,2 \d+")
                self.assertGreater(time.monotonic() - stopped, lease / 2)   # it renews each quarter
                one.start()

    def test_of_redis(self):
        """It comes back empty, while the holder's daemon cannot say a word: nobody else is let in
        before that has claimed its slot, or lost it."""
        with Redis() as redis, fleet(redis, 2, redis.config(lease=4000)) as (one, two):
            for slotd in one, two:
                slotd.expect.append("trying again")
            with one.client() as a, two.client() as b:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                one.process.send_signal(signal.SIGSTOP)
                redis.end()
                redis.start()
                two.log.wait_for(UP, 2)
                b.send("ACQUIRE g limit=1 wait=30s")
                after_asking(two, "g")
                one.process.send_signal(signal.SIGCONT)
                one.log.wait_for(UP, 2)
                a.expect("OK", "RELEASE g 1")           # it was not lost
                b.expect(r"OK 1 \d+")

    def test_of_connections(self):
        """Broken ones cost a moment, and nobody his slot or his place."""
        with Redis() as redis, fleet(redis, 2, redis.config(lease=4000)) as (one, two):
            for slotd in one, two:
                slotd.expect.append("trying again")
            with one.client() as a, two.client() as b, two.client() as c:
                a.expect("OK .*", "HELLO events=on")
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                b.send("ACQUIRE g limit=1 wait=30s")
                after_exchange(two)
                c.send("ACQUIRE g limit=1 wait=30s")
                for i, kind in enumerate(("pubsub", "normal"), 2):
                    redis.ask("CLIENT", "KILL", "TYPE", kind)
                    for slotd in one, two:
                        slotd.log.wait_for(UP, i)
                a.expect("OK", "RELEASE g 1")
                b.expect(r"OK 1 \d+")
                b.expect("OK", "RELEASE g 1")
                c.expect(r"OK 1 \d+")


class Quiet(unittest.TestCase):
    """What daemons send: EVALSHA, and PUBLISH for their heartbeats."""

    @staticmethod
    def sent(redis):
        calls = redis.calls()
        own = ("evalsha", "publish", "subscribe", "script|load", "auth", "select", "ping")
        return sum(calls.get(name, 0) for name in own)

    def test_nobody_polls(self):
        """50 clients of three daemons wait 10 s for one slot: fewer than 5 commands a second."""
        with Redis() as redis, fleet(redis, 3, no_grace(redis, 10000)) as daemons:
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(daemons[i % 3].client()) for i in range(51)]
                clients[0].expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                for client in clients[1:]:
                    client.send("ACQUIRE g limit=1 wait=1m")
                for slotd in daemons:
                    after_exchange(slotd)
                redis.ask("CONFIG", "RESETSTAT")
                redis.ask("BLPOP", "nothing", 10)               # answers after 10 s
                sent = self.sent(redis)
                self.assertLess(sent, 50)
                self.assertGreater(sent, 0)                     # else we counted nothing


if __name__ == "__main__":
    unittest.main()
