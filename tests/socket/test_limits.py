"""What slotd bounds: connections, descriptors, unanswered requests, unread answers."""
import contextlib
import os
import resource
import unittest

from slotd import Daemon, bystander, served

N_SILENT = 10000


def limit_that_leaves(pid, n):
    """The RLIMIT_NOFILE under which the process may open n more descriptors."""
    taken = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    limit = 0
    while limit - len(taken & set(range(limit))) < n:
        limit += 1
    return limit


class Connections(unittest.TestCase):
    def test_max_clients(self):
        with Daemon("[daemon]\nmax_clients = 3\n", expect=["max_clients: 3 are connected"]) as slotd:
            with bystander(slotd), slotd.client() as a, slotd.client() as b:
                a.expect("OK pong", "PING")
                b.expect("OK pong", "PING")
                for _ in range(5):
                    with slotd.client() as c:
                        c.expect("ERR clients max=3 .*")
                        c.expect_eof()
                b.expect("OK", "QUIT")
                b.expect_eof()
                with slotd.client() as c:
                    c.expect("OK pong", "PING")

    def test_max_clients_per_uid(self):
        with Daemon("[daemon]\nmax_clients_per_uid = 3\n",
                    expect=["max_clients_per_uid: uid=.* has 3 connections; more are refused"]) as slotd:
            with bystander(slotd), slotd.client() as a, slotd.client() as b:
                a.expect("OK pong", "PING")
                b.expect("OK pong", "PING")
                for _ in range(5):
                    with slotd.client() as c:
                        c.expect(f"ERR clients max=3 uid={os.getuid()} .*")
                        c.expect_eof()
                self.assertIn("dropped_max_clients_per_uid=5", a.ask_list("STATS"))
                self.assertEqual(len(slotd.log.wait_for("max_clients_per_uid")), 1)
                b.expect("OK", "QUIT")
                b.expect_eof()
                with slotd.client() as c:
                    c.expect("OK pong", "PING")

    def test_no_descriptor_left(self):
        with served(expect=["accept; refusing connections"]) as (slotd, client):
            client.expect("OK pong", "PING")
            pid = slotd.process.pid
            soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit_that_leaves(pid, 3), hard))
            with contextlib.ExitStack() as stack:
                taken = [stack.enter_context(slotd.client()) for _ in range(3)]
                for other in taken:
                    other.expect("OK pong", "PING")
                for _ in range(10):
                    with slotd.client() as other:
                        other.expect("ERR clients max=.*")
                        other.expect_eof()
                for other in [client, *taken]:
                    other.expect("OK pong", "PING")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
            slotd.log.wait_for("accept; refusing connections")
            with slotd.client() as other:
                other.expect("OK pong", "PING")

    def test_many_that_say_nothing(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < N_SILENT + 200:
            self.skipTest(f"only {hard} file descriptors are allowed (ulimit -Hn), {N_SILENT + 200} needed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with served() as (slotd, client), contextlib.ExitStack() as stack:
            for i in range(N_SILENT):
                stack.enter_context(slotd.client())
                if i % 10 == 0:
                    client.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=0")
                    client.expect("OK", "RELEASE g 1")
            while f"clients={N_SILENT + 2}" not in client.ask_list("STATS"):
                pass                    # the last ones are not accepted yet
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=0")


class Requests(unittest.TestCase):
    def test_untagged_behind_one_that_waits(self):
        with served() as (slotd, client), slotd.client() as waiter:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            waiter.send("ACQUIRE g limit=1 wait=forever", *["PING"] * (4096 + 10))
            waiter.send("#last PING")
            waiter.expect("#last OK pong")      # all before it have been read
            client.expect("OK", "RELEASE g 1")
            waiter.expect(r"OK 1 \d+")
            for _ in range(4096):
                waiter.expect("OK pong")
            for _ in range(10):
                waiter.expect("ERR toomany max=4096 .*")
            waiter.expect("OK pong", "PING")

    def test_all_that_wait(self):
        with served() as (slotd, client), slotd.client() as waiter:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            for first in range(0, 65536, 1024):
                waiter.send(*(f"#{i} ACQUIRE g limit=1 wait=forever" for i in range(first, first + 1024)))
            waiter.expect("#one-more ERR toomany max=65536 .*", "#one-more PING")
            waiter.close()
            client.expect("OK pong", "PING")
            client.expect("OK 0", "WAITERS g")


class Holdings(unittest.TestCase):
    """What one connection, or all together, may make slotd keep."""

    def test_max_groups(self):
        with Daemon("[daemon]\nmax_groups = 3\n[lease]\nlease_ms = 1000\nmargin_ms = 50\n"
                    "[redis]\ncommand_timeout_ms = 200\n") as slotd:
            with bystander(slotd), slotd.client() as client:
                client.expect(r"OK 1 \d+", "ACQUIRE a limit=1")
                client.expect(r"OK 1 \d+", "ACQUIRE b limit=1")
                client.expect("ERR groups max=3 .*", "ACQUIRE c limit=1")
                client.expect("ERR full .*", "ACQUIRE a limit=1 wait=0")    # a known one is served
                client.expect("OK", "RELEASE a 1")
                while "groups=3" in client.ask_list("STATS"):
                    pass                # it is forgotten a lease after its slot was idle
                client.expect(r"OK 1 \d+", "ACQUIRE c limit=1")

    def test_max_holds(self):
        with served("[daemon]\nmax_holds = 3\n") as (slotd, client):
            client.expect(r"OK 1 \d+", "ACQUIRE a limit=9")
            client.expect(r"OK 1,2 \d+", "ACQUIRE b limit=9 n=2")
            client.expect("ERR holds max=3 .*", "ACQUIRE a limit=9")
            client.expect("OK", "RELEASE b 1")
            client.expect("ERR holds max=3 .*", "ACQUIRE a limit=9 n=2")
            client.expect(r"OK 2 \d+", "ACQUIRE a limit=9")
            with slotd.client() as other:
                other.expect(r"OK 3 \d+", "ACQUIRE a limit=9")


class Answers(unittest.TestCase):
    def test_client_that_never_reads(self):
        config = "[daemon]\nsend_timeout_ms = 100\n"
        with served(config, expect=["closing the connection: it does not read"]) as (slotd, client):
            with slotd.client() as deaf:
                deaf.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
                client.send("ACQUIRE g limit=1 wait=forever")
                with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                    while True:
                        deaf.send(*["HELP"] * 100)
                slotd.log.wait_for("client=.* closing the connection: it does not read")
                client.expect(r"OK 1 \d+")      # what it held has gone to the next


if __name__ == "__main__":
    unittest.main()
