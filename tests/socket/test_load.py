"""Crowds: the limit holds, each number is one client's at a time, and nobody is forgotten."""
import contextlib
import heapq
import os
import random
import resource
import select
import socket
import time
import unittest

from crowd import Counter, lines_of
from slotd import TIMEOUT, Daemon, Failure

SLOW = float(os.environ.get("SLOTD_TEST_SLOW", "1"))
WRAPPED = bool(os.environ.get("SLOTD_WRAP"))


class Contention(unittest.TestCase):
    CLIENTS, LIMIT = 64, 7
    ACQUIRES = 20000 if not WRAPPED else 2000
    HOLD = 0.0005                                   # s, on average

    def setUp(self):
        self.seed = os.environ.get("SLOTD_SEED") or str(random.randrange(1 << 32))
        print(f"SLOTD_SEED={self.seed}")
        self.random = random.Random(self.seed)
        self.counter = Counter(self.LIMIT)
        self.clients = {}                           # descriptor -> client
        self.leaving = []                           # heap of (time, descriptor, slot, token)

    def join(self, slotd):
        client = slotd.client()
        self.epoll.register(client.socket, select.EPOLLIN)
        self.clients[client.socket.fileno()] = client
        client.send(f"ACQUIRE load limit={self.LIMIT} wait=forever")

    def read(self, fd):
        for line in lines_of(self.clients[fd].socket):
            if line != "#r OK":
                self.enter(fd, line)

    def enter(self, fd, line):
        word, slot, token = line.split()
        self.assertEqual(word, "OK")
        slot, token = int(slot), int(token)
        self.counter.enter(slot, token, fd)
        hold = self.random.expovariate(1 / self.HOLD)
        heapq.heappush(self.leaving, (time.monotonic() + hold, fd, slot, token))

    def leave(self, slotd):
        """Most release and ask again in one write; some close and come back as a new client."""
        _, fd, slot, token = heapq.heappop(self.leaving)
        client = self.clients[fd]
        self.counter.leave(slot)
        if self.random.random() < 0.05:
            del self.clients[fd]
            client.close()
            self.join(slotd)
        else:
            client.send(f"#r RELEASE load {slot} token={token}",
                        f"ACQUIRE load limit={self.LIMIT} wait=forever")

    def test_limit_holds(self):
        with Daemon() as slotd, contextlib.closing(select.epoll()) as self.epoll:
            for _ in range(self.CLIENTS):
                self.join(slotd)
            while self.counter.entered < self.ACQUIRES:
                rest = self.leaving[0][0] - time.monotonic() if self.leaving else TIMEOUT
                events = self.epoll.poll(max(rest, 0))
                self.assertTrue(events or self.leaving, "nobody gets a slot")
                for fd, _ in events:
                    self.read(fd)
                while self.leaving and self.leaving[0][0] <= time.monotonic():
                    self.leave(slotd)
            for client in self.clients.values():
                client.close()
            with slotd.client() as client:          # no slot is leaked
                client.expect(r"OK 1,2,3,4,5,6,7 \d+", "ACQUIRE load limit=7 n=7 wait=1m")
        self.assertEqual(self.counter.peak, self.LIMIT) # else it was no test


class Crowd:
    """Many connections of one thread: each sends one request, and its first line is kept."""

    def __init__(self, path, count, request):
        self._epoll = select.epoll()
        self._sockets = {}
        self.answers = {}                           # descriptor -> line
        for _ in range(count):
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            one.settimeout(TIMEOUT)
            one.connect(path)                       # blocks while the backlog is full
            self._sockets[one.fileno()] = one
            self._epoll.register(one, select.EPOLLIN)
        for one in self._sockets.values():
            one.send(request)

    def read_all(self):
        while len(self.answers) < len(self._sockets):
            events = self._epoll.poll(TIMEOUT)
            if not events:
                raise Failure(f"{len(self.answers)} of {len(self._sockets)} are answered")
            for fd, _ in events:
                lines = lines_of(self._sockets[fd])
                if len(lines) != 1 or fd in self.answers:
                    raise Failure(f"got {lines} after {self.answers.get(fd)!r}")
                self.answers[fd] = lines[0]

    def starting_with(self, word):
        return [line for line in self.answers.values() if line.startswith(word)]

    def close(self):
        self._epoll.close()
        for one in self._sockets.values():
            one.close()


class Stampede(unittest.TestCase):
    COUNT, LIMIT, REST = 9000, 500, 64

    def usage(self, slotd):
        with open(f"/proc/{slotd.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"/proc/{slotd.process.pid}/status", encoding="ascii") as file:
            rss = [line.split()[1] for line in file if line.startswith("VmRSS:")][0]
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(rss)

    def test_all_at_once(self):
        """The holders keep their slots for 1.5 s by hold=, the others wait for 1 s: so none of
        them gets one, and each is told so."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        count = min(self.COUNT, hard - self.REST)
        if WRAPPED:
            count = min(count, 1500)
        self.assertGreater(count, self.LIMIT)
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        wait, hold = (int(ms * SLOW) for ms in (1000, 1500))
        request = f"ACQUIRE crowd limit={self.LIMIT} wait={wait} hold={hold}\n".encode()
        with Daemon() as slotd:
            before = self.usage(slotd)
            began = time.monotonic()
            with contextlib.closing(Crowd(slotd.socket, count, request)) as crowd:
                asked = time.monotonic()
                crowd.read_all()
                after = self.usage(slotd)
                print(f"{count} connections came and asked within {asked - began:.2f} s; slotd: "
                      f"{after[0] - before[0]:.2f} s of CPU, RSS {before[1]} -> {after[1]} KiB")
                granted = [int(line.split()[1]) for line in crowd.starting_with("OK ")]
                self.assertEqual(sorted(granted), list(range(1, self.LIMIT + 1)))
                late = crowd.starting_with(f"ERR timeout limit={self.LIMIT} waited=")
                self.assertEqual(len(late), count - self.LIMIT)
                with slotd.client() as client:      # when the holds have ended, all is free
                    slots = ",".join(str(slot) for slot in range(1, 65))
                    client.expect(rf"OK {slots} \d+",
                                  f"ACQUIRE crowd limit={self.LIMIT} n=64 wait=1m")


if __name__ == "__main__":
    unittest.main()
