"""Redis forgets, in every way it can: what is held stays held, who waits keeps his place, nobody is
let in above the limit, and service goes on after the grace."""
import contextlib
import os
import shutil
import unittest

from fleet import after_exchange, fleet
from page import Strict
from proxy import Proxy
from redis import Redis

LEASE = int(2000 * float(os.environ.get("SLOTD_TEST_SLOW", "1")))
BEGINS, OVER = "a grace begins", "the grace is over"
LIMIT, WAITERS = 9, 6


class Forgets(unittest.TestCase):
    """Nine slots held through three daemons, most by clients that read the lease page, one not; six
    more clients wait."""

    @contextlib.contextmanager
    def held(self, *args, before=None):
        """-> the server, the proxy that the daemons reach it through.  before(server) is called when
        the group has been in use, and nothing of what is held later is."""
        with Redis(*args, tcp=True) as redis, Proxy(redis.url) as proxy, contextlib.ExitStack() as stack:
            config = redis.config(url=proxy.url, lease=LEASE)
            self.daemons = stack.enter_context(fleet(redis, 3, config))
            for slotd in self.daemons:
                slotd.expect.append("trying again")
            with self.daemons[0].client() as early:
                early.expect(r"OK 1,2,3 \d+", f"ACQUIRE g limit={LIMIT} n=3 wait=10s")
                if before is not None:
                    before(redis)
            self.holds, self.waiters = [], []
            for i in range(LIMIT - 1):
                client = stack.enter_context(Strict(self.daemons[i % 3].socket))
                self.holds.append(client.acquire(f"ACQUIRE g limit={LIMIT} wait=10s"))
            self.raw = stack.enter_context(self.daemons[2].client())
            self.raw.expect("OK .*", "HELLO events=on")
            self.raw_slot = self.raw.expect(r"OK (\d+) \d+", f"ACQUIRE g limit={LIMIT} wait=10s")[1]
            for i in range(WAITERS):
                slotd = self.daemons[i % 3]
                self.waiters.append(stack.enter_context(slotd.client()))
                self.waiters[-1].send(f"ACQUIRE g limit={LIMIT} wait=2m")
                after_exchange(slotd)
                # an order that is told anew is only as exact as messages are quick
                redis.ask("BLPOP", "nothing", 0.1)
            yield redis, proxy

    def graces(self):
        return [len(slotd.log.find(BEGINS)) for slotd in self.daemons]

    def newcomer(self, pattern):
        for slotd in self.daemons:
            with slotd.client() as client:
                client.expect(pattern, f"ACQUIRE g limit={LIMIT} wait=0")

    def check(self, graces):
        """Every daemon has had one grace more than it had; and nobody has noticed anything else."""
        for slotd, count in zip(self.daemons, graces):
            slotd.log.wait_for(BEGINS, count + 1)
        self.newcomer("ERR (unavailable|full) .*")
        for slotd, count in zip(self.daemons, graces):
            slotd.log.wait_for(OVER, count + 1)
        self.go_on()
        self.assertEqual(self.graces(), [count + 1 for count in graces])

    def go_on(self):
        """All is as it was: and each slot that is given back is that of the next in line."""
        for slotd in self.daemons:
            with slotd.client() as client:
                client.expect(r"OK 1 \d+", "ACQUIRE fresh limit=1 wait=30s")
        self.newcomer(f"ERR full limit={LIMIT} .*")
        for hold in self.holds:
            self.assertGreater(hold.left(), 0)
            self.assertFalse(hold.client.is_readable())
        self.assertFalse(self.raw.is_readable())
        self.raw.expect("OK", f"RELEASE g {self.raw_slot}")
        self.waiters[0].expect(rf"OK {self.raw_slot} \d+")
        for hold, waiter in zip(self.holds, self.waiters[1:]):
            hold.client.expect("OK", f"RELEASE g {hold.slots} token={hold.token}")
            waiter.expect(rf"OK {hold.slots} \d+")
        with self.daemons[1].client() as client:
            client.expect(f"OK .* in_use={LIMIT} .*", "STATUS g")

    def test_restarted_empty(self):
        with self.held() as (redis, _):
            graces = self.graces()
            redis.end()
            redis.start()
            self.check(graces)

    def test_old_rdb(self):
        with self.held(before=lambda redis: redis.ask("SAVE")) as (redis, _):
            graces = self.graces()
            redis.end()
            redis.start()
            self.check(graces)

    def test_old_aof(self):
        def keep(redis):
            shutil.copytree(redis.dir, redis.dir + "-old", ignore=shutil.ignore_patterns("*.sock"))

        with self.held("--appendonly", "yes", "--appendfsync", "always", before=keep) as (redis, _):
            graces = self.graces()
            redis.end()
            shutil.rmtree(os.path.join(redis.dir, "appendonlydir"))
            shutil.move(os.path.join(redis.dir + "-old", "appendonlydir"), redis.dir)
            shutil.rmtree(redis.dir + "-old")
            redis.start()
            self.check(graces)

    def test_flushall(self):
        with self.held() as (redis, _):
            graces = self.graces()
            redis.ask("FLUSHALL")
            self.check(graces)

    def test_script_flush(self):
        """That is no loss of data, and nobody waits for a grace."""
        with self.held() as (redis, _):
            graces = self.graces()
            redis.ask("SCRIPT", "FLUSH")
            self.go_on()
            self.assertEqual(self.graces(), graces)

    @contextlib.contextmanager
    def lagging_replica(self):
        """-> server, proxy, and a replica that has only what was there before the holds were."""
        with contextlib.ExitStack() as stack:
            def follow(redis):
                redis.ask("CONFIG", "SET", "repl-diskless-sync-delay", 0)
                cable = stack.enter_context(Proxy(redis.url))
                self.replica = stack.enter_context(Redis("--replicaof", "127.0.0.1", str(cable.port),
                                                         "--repl-timeout", "3600", tcp=True))
                self.replica.log.wait_for("sync: Finished with success")
                cable.stop()
                # the first replica of all gives the server another name, which costs a grace
                redis.ask("CLIENT", "KILL", "TYPE", "normal")
                for slotd in self.daemons:
                    slotd.log.wait_for(OVER, 2)

            with self.held(before=follow) as (redis, proxy):
                for slotd in self.daemons:
                    slotd.expect.append("it has replicas")
                yield redis, proxy, self.replica

    def test_failover_and_back(self):
        """To a replica without the last writes; then to the former primary, with its own old data."""
        with self.lagging_replica() as (redis, proxy, replica):
            graces = self.graces()
            replica.ask("REPLICAOF", "NO", "ONE")
            proxy.to(replica.url)
            for slotd, count in zip(self.daemons, graces):
                slotd.log.wait_for(OVER, count + 1)
            self.newcomer(f"ERR full limit={LIMIT} .*")
            graces = self.graces()
            proxy.to(redis.url)
            self.check(graces)

    def test_hidden_failover(self):
        """No connection breaks: the other server is known by what the script sees there."""
        with self.lagging_replica() as (redis, proxy, replica):
            graces = self.graces()
            replica.ask("REPLICAOF", "NO", "ONE")
            proxy.to(replica.url, hide=True)
            redis.end()
            self.check(graces)

    def test_hidden_and_empty(self):
        with self.held() as (_, proxy), Redis(tcp=True) as other:
            graces = self.graces()
            proxy.to(other.url, hide=True)
            self.check(graces)


if __name__ == "__main__":
    unittest.main()
