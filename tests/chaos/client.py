"""The clients' processes: started, started again whenever they end, and asked to end for good."""
import os
import random
import select
import signal
import subprocess
import sys
import threading

import choice
from slotd import SLOTCTL

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.dirname(SLOTCTL)
# of slotctl run: no slot in time, cannot be had now, lost
RUN_STATUSES = (0, 75, 69, 125, 128 + signal.SIGTERM, 128 + signal.SIGKILL)


class Client:
    """One of them; kind is a word of record.CLIENTS.  Each life has another seed."""

    def __init__(self, kind, host, log, seed):
        self.kind, self.host, self.lock = kind, host, threading.Lock()
        self.process = None
        self.is_killed = self.is_asked = False      # by us: killed, asked to end
        self._log = log
        self._random = random.Random(seed)

    def _command(self):
        seed = str(self._random.getrandbits(32))
        index, path = str(self.host.index), self.host.daemon.socket
        if self.kind.startswith("slotctl"):
            return self._run(choice.choose(random.Random(seed)))
        program = {"libslot": [os.path.join(BUILD, "chaos_libslot")],
                   "python": [sys.executable, "-S", os.path.join(HERE, "python.py")],
                   "raw": [sys.executable, "-S", os.path.join(HERE, "raw.py")]}[self.kind]
        return [*program, self._log, path, index, seed]

    def _run(self, turn):
        strict = self.kind.endswith("strict")
        words = ["strict"] if strict else []
        words += ["stubborn"] if self._random.random() < 0.3 else []
        wait = {"0": ["--nonblock"], "forever": []}.get(turn.wait, ["--wait", f"{turn.wait}ms"])
        return [SLOTCTL, "--socket", self.host.daemon.socket, "run", f"g{turn.group}",
                "--limit", str(turn.limit), "--count", str(turn.n), "--quiet", *wait,
                "--kill-after", "200ms",
                *(["--strict"] if strict else []),
                os.path.join(BUILD, "chaos_job"), self._log, str(self.host.index),
                str(turn.limit), str(int(turn.work * 1000)), *words]

    def start(self, errors):
        self.is_killed = False
        self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=errors)

    def signal(self, number):
        self.is_killed |= number == signal.SIGKILL
        self.is_asked |= number == signal.SIGTERM
        self.process.send_signal(number)

    def is_good(self, status):
        """Whether it may end with that."""
        if self.is_killed and status == -signal.SIGKILL:
            return True
        if self.is_asked and status == -signal.SIGTERM:     # before it could listen
            return True
        return status in RUN_STATUSES if self.kind.startswith("slotctl") else status == 0


class Crowd:
    """All clients, and the thread that starts again whoever has ended."""

    def __init__(self, clients, errors):
        self.clients = clients
        self.failed = []                    # [(kind, status)]: ended as none should
        self.hung = []                      # clients that did not end when they should
        self._errors = errors
        self._is_ending = False
        self._by_fd = {}
        self._poll = select.epoll()
        self._thread = threading.Thread(target=self._keep)
        for client in clients:
            self._start(client)
        self._thread.start()

    def _start(self, client):
        client.start(self._errors)
        fd = os.pidfd_open(client.process.pid)
        self._by_fd[fd] = client
        self._poll.register(fd, select.EPOLLIN)

    def _keep(self):
        while self._by_fd:
            for fd, _ in self._poll.poll():
                client = self._by_fd.pop(fd)
                os.close(fd)
                with client.lock:
                    status = client.process.wait()
                    if not client.is_good(status) and client not in self.hung:
                        self.failed.append((client.kind, status))
                    if not self._is_ending:
                        self._start(client)

    def end(self, seconds):
        """Asks all to end, with what they have begun; kills and lists who does not in time."""
        self._is_ending = True
        for client in self.clients:
            with client.lock:
                if client.process.poll() is None:
                    client.signal(signal.SIGTERM)
        self._thread.join(seconds)
        for client in list(self._by_fd.values()):
            self.hung.append(client)
            client.signal(signal.SIGKILL)
        self._thread.join()
        self._poll.close()
