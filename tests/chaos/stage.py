"""What the clients stand on: three hosts, each with a daemon behind a proxy of its own, and two
servers of Redis, one of which is the primary."""
import contextlib
import os
import shutil
import signal
import threading

from choice import LEASE, MARGIN
from proxy import Proxy
from redis import Redis
from slotd import Daemon

# Replies are sent when the write is with the kernel: a killed server has lost nothing
SERVER_ARGS = ("--appendonly", "yes", "--appendfsync", "no", "--repl-diskless-sync-delay", "0",
               "--maxmemory-policy", "noeviction", "--lua-time-limit", "20")


class Servers:
    """The primary, and a replica of it.  Whoever changes them holds the lock."""

    def __init__(self, stack):
        self.lock = threading.Lock()
        self.primary, self.replica = (stack.enter_context(Redis(*SERVER_ARGS, tcp=True))
                                      for _ in range(2))
        self.follow()

    def follow(self):
        """Makes the replica one of the primary of now."""
        self.primary.ask("REPLICAOF", "NO", "ONE")
        self.replica.ask("REPLICAOF", "127.0.0.1", self.primary.port)

    def swap(self):
        self.primary, self.replica = self.replica, self.primary

    def empty(self):
        """Takes the data of the primary, which does not run, from the disk."""
        for name in os.listdir(self.primary.dir):
            path = os.path.join(self.primary.dir, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def signal(self, number):
        self.primary.process.send_signal(number)


class Host:
    """A daemon and its way to Redis, if there is one.  Whoever does something to the daemon, or to
    the way, holds the lock of that."""

    def __init__(self, index, servers, stack, lease_more):
        self.index = index
        self.lock, self.way_lock = threading.Lock(), threading.Lock()
        config = (f"[lease]\nlease_ms = {LEASE * 1000:.0f}\nmargin_ms = {MARGIN * 1000:.0f}\n"
                  f"{lease_more}\n[daemon]\ntesting = yes\n")
        if servers:
            self.proxy = stack.enter_context(Proxy(servers.primary.url))
            config += (f"[redis]\nurl = {self.proxy.url}\n"
                       f"command_timeout_ms = {LEASE * 200:.0f}\n")
        self.said = []                      # what its daemons have logged, but for the last
        # what it warns of is what is done to it
        self.daemon = Daemon(config, expect=(r"\] (warning|error): ",))
        stack.callback(self.daemon.kill)

    def check(self):
        """It lives, and has logged nothing that is no line of a log, as assertions do."""
        if self.daemon.process.poll() is not None:
            self.daemon.fail("has ended by itself")
        self.daemon.check_log()

    def kill(self):
        self.check()
        self.daemon.kill(keep=True)
        self.said += self.daemon.log.lines

    def end(self):
        self.check()
        self.daemon.stop(keep=True)
        self.said += self.daemon.log.lines

    def start(self):
        self.daemon.start()

    def signal(self, number):
        self.daemon.process.send_signal(number)


class Stage:
    """lease_more: lines for the daemons' [lease].  alone: one host, whose daemon has no Redis"""

    def __init__(self, stack: contextlib.ExitStack, lease_more="", alone=False):
        self.servers = None if alone else Servers(stack)
        self.hosts = [Host(i, self.servers, stack, lease_more) for i in range(1 if alone else 3)]

    def switch(self, hide=False):
        """The daemons' ways lead to what is the primary now."""
        for host in self.hosts:
            host.proxy.to(self.servers.primary.url, hide)
