"""Ends of connections: half closed, killed, QUIT, and the end of slotd."""
import subprocess
import sys
import unittest

from slotd import Daemon, served, wait_end

# A client in a process of its own: asks, closes its writing side, and waits for ever.
WAITER = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"PING\\n#w ACQUIRE g limit=1 wait=forever\\n")
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode(), end="", flush=True)
s.recv(100)
"""


class HalfClose(unittest.TestCase):
    def test_is_answered_first(self):
        with served() as (_, client):
            client.send_bytes(b"PING\nACQUIRE g limit=1\n#a ACQUIRE g limit=1 wait=0\nLIST g\nPIN")
            client.half_close()
            client.expect("OK pong")
            client.expect(r"OK 1 \d+")
            client.expect("#a ERR full .*")
            client.expect("OK 1")
            client.expect("group=g .*")
            client.expect_eof()         # and half a line is no request

    def test_waiting_acquire_is_answered_first(self):
        with served() as (slotd, client), slotd.client() as waiter:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            waiter.send("ACQUIRE g limit=1 wait=forever", "PING", "#read PING")
            waiter.half_close()
            waiter.expect("#read OK pong")
            client.expect("OK 1", "WAITERS g")
            client.expect("place=1 .*")
            client.expect("OK", "RELEASE g 1")
            waiter.expect(r"OK 1 \d+")
            waiter.expect("OK pong")
            waiter.expect_eof()
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")     # given back with the close

    def test_waiting_acquire_runs_out_first(self):
        with served() as (slotd, client), slotd.client() as waiter:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            waiter.send("ACQUIRE g limit=1 wait=50ms")
            waiter.half_close()
            waiter.expect("ERR timeout limit=1 .*")
            waiter.expect_eof()

    def test_killed_waiter_leaves_the_queue(self):
        with served() as (slotd, client):
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            with subprocess.Popen([sys.executable, "-c", WAITER, slotd.socket],
                                  stdout=subprocess.PIPE) as process:
                try:
                    self.assertEqual(process.stdout.readline(), b"OK pong\n")
                    client.expect("OK 1", "WAITERS g")
                    client.expect(rf"place=1 .*pid={process.pid} .*")
                finally:
                    process.kill()
                wait_end(process, "the waiter")
            client.expect("OK pong", "PING")
            client.expect("OK 0", "WAITERS g")


class Close(unittest.TestCase):
    def test_gives_everything_back(self):
        with served() as (slotd, client):
            with slotd.client() as holder:
                holder.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2")
                holder.send("#1 ACQUIRE h limit=1", "#2 ACQUIRE g limit=2 wait=forever")
                holder.expect(r"#1 OK 1 \d+")
                client.send("#a ACQUIRE g limit=2 n=2 wait=forever", "#b ACQUIRE h limit=1 wait=forever")
                client.expect("OK pong", "PING")
            self.assertEqual({client.readline().split()[0] for _ in range(2)}, {"#a", "#b"})
            client.expect("OK 0", "WAITERS g")

    def test_quit(self):
        with served() as (slotd, client), slotd.client() as other:
            other.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            other.send("#w ACQUIRE g limit=1 wait=forever", "QUIT", "PING")
            other.expect("#w ERR cancelled .*")
            other.expect("OK")
            other.expect_eof()
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")


class Stop(unittest.TestCase):
    def test_answers_who_waits(self):
        with Daemon() as slotd, slotd.client() as a, slotd.client() as b:
            a.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            b.send("#w ACQUIRE g limit=1 wait=forever")
            b.expect("OK pong", "PING")
            slotd.stop(keep=True)
            b.expect("#w ERR shutdown .*")
            b.expect_eof()
            a.expect_eof()


if __name__ == "__main__":
    unittest.main()
