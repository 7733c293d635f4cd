"""The faults: what is done to clients, daemons, the ways to Redis and Redis itself, at random."""
import collections
import random
import re
import signal
import socket
import threading
import time
import traceback

import record
from choice import LEASE
from slotd import Client

# What was done, for the judge.  kind: a name of KINDS; begin, end: CLOCK_BOOTTIME ns; hosts: whose
# daemons it concerns; pid: the client's, or the token of a hold that was meant
Injected = collections.namedtuple("Injected", "kind begin end hosts pid")

Kind = collections.namedtuple("Kind", "name area weight loses_data act")
KINDS = {}


def kind(area, weight, loses_data=False):
    """Makes act(stage, target, generator, wait) the kind of fault that its name says.  It returns
    when the fault is over, with the pid of a client (or the token of a hold) if it was one's; wait(seconds) returns early
    when the run is over."""
    def enlist(act):
        name = act.__name__.replace("_", " ")
        KINDS[name] = Kind(name, area, weight, loses_data, act)
    return enlist


def length(generator):
    """Seconds that something lasts: mostly too short to end a lease, or long enough for two."""
    short = generator.random() < 0.6
    return generator.uniform(0.02, 0.35 if short else 2.5) * LEASE


@kind("client", 6)
def client_killed(_, client, generator, wait):
    with client.lock:
        client.signal(signal.SIGKILL)
        return client.process.pid


@kind("client", 4)
def client_stopped(_, client, generator, wait):
    """Never slotctl: a job whose slotctl stands still is nobody's to end."""
    with client.lock:
        process = client.process
        process.send_signal(signal.SIGSTOP)
    wait(length(generator))
    process.send_signal(signal.SIGCONT)
    return process.pid


@kind("daemon", 4)
def daemon_killed(_, host, generator, wait):
    host.kill()
    wait(generator.choice((0, length(generator))))
    host.start()


@kind("daemon", 2)
def daemon_killed_twice(_, host, generator, wait):
    host.kill()
    host.start()
    wait(generator.choice((0, 0.05)))
    host.kill()
    wait(generator.choice((0, 0.1)))
    host.start()


@kind("daemon", 3)
def daemon_replaced(_, host, generator, wait):
    host.end()
    wait(generator.choice((0, length(generator))))
    host.start()


@kind("daemon", 4)
def daemon_stopped(_, host, generator, wait):
    host.signal(signal.SIGSTOP)
    wait(length(generator))
    host.signal(signal.SIGCONT)


@kind("daemon", 4)
def holder_evicted(_, host, generator, wait):
    """Some holder of any host, by an operator on this one."""
    with Client(host.daemon.socket) as operator:
        holds = [re.search(r" group=(\S+) kind=hold slot=([1-9]\d*) token=(\d+) ", line)
                 for line in operator.ask_list("PS g*")]
        if not (holds := [hold for hold in holds if hold]):
            return None
        hold = generator.choice(holds)
        operator.expect(r"OK evicted=\d+|ERR unavailable .*", "EVICT %s %s token=%s" % hold.groups())
        return int(hold[3])


@kind("way", 4)
def way_cut(_, host, generator, wait):
    host.proxy.cut()


@kind("way", 3)
def way_stalled(_, host, generator, wait):
    """Nothing passes, nothing is closed."""
    host.proxy.stop()
    wait(length(generator))
    host.proxy.go()


@kind("way", 2)
def way_delayed(_, host, generator, wait):
    host.proxy.delay(generator.uniform(0.01, 0.3))
    wait(length(generator))
    host.proxy.delay(0)


@kind("way", 2)
def way_half_closed(_, host, generator, wait):
    host.proxy.half_close(to_server=generator.random() < 0.5)


@kind("servers", 2)
def script_forgotten(_, servers, generator, wait):
    servers.primary.ask("SCRIPT", "FLUSH")


@kind("servers", 2)
def connections_killed(_, servers, generator, wait):
    servers.primary.ask("CLIENT", "KILL", "TYPE", generator.choice(("normal", "pubsub")))


@kind("servers", 3, loses_data=True)
def data_flushed(_, servers, generator, wait):
    servers.primary.ask("FLUSHALL")


@kind("servers", 3)
def server_frozen(_, servers, generator, wait):
    servers.signal(signal.SIGSTOP)
    wait(length(generator))
    servers.signal(signal.SIGCONT)


@kind("servers", 1)
def server_busy(_, servers, generator, wait):
    """With somebody's script that does not end."""
    with socket.socket(socket.AF_UNIX) as somebody:
        somebody.connect(servers.primary.path)
        somebody.sendall(b"EVAL 'while true do end' 0\r\n")
        wait(length(generator))
        servers.primary.ask("SCRIPT", "KILL")


@kind("servers", 1)
def server_full(_, servers, generator, wait):
    servers.primary.ask("CONFIG", "SET", "maxmemory", "1")
    wait(length(generator))
    servers.primary.ask("CONFIG", "SET", "maxmemory", "0")


@kind("servers", 1)
def server_read_only(_, servers, generator, wait):
    servers.primary.ask("REPLICAOF", "127.0.0.1", "1")          # where nobody is
    wait(length(generator))
    servers.follow()


@kind("servers", 1)
def server_locked(_, servers, generator, wait):
    """Somebody has set a password that daemons do not know."""
    servers.primary.ask("CONFIG", "SET", "requirepass", "secret")
    servers.primary.ask("CLIENT", "KILL", "TYPE", "normal")
    wait(length(generator))
    servers.primary.ask("CONFIG", "SET", "requirepass", "")


@kind("servers", 3)
def server_restarted(_, servers, generator, wait):
    servers.primary.end()
    wait(generator.choice((0, length(generator))))
    servers.primary.start()


@kind("servers", 3, loses_data=True)
def server_restarted_empty(_, servers, generator, wait):
    servers.primary.end()
    servers.empty()
    wait(generator.choice((0, length(generator))))
    servers.primary.start()


@kind("servers", 3, loses_data=True)
def failed_over(stage, servers, generator, wait):
    """To the replica, which has not had the last writes."""
    servers.replica.ask("REPLICAOF", "NO", "ONE")
    wait(generator.choice((0, generator.uniform(0, LEASE / 2))))
    if is_killed := generator.random() < 0.5:
        servers.primary.end()
        wait(generator.choice((0, length(generator))))
    servers.swap()
    stage.switch(hide=generator.random() < 0.3)
    if is_killed:
        servers.replica.start()
    servers.follow()


@kind("servers", 2, loses_data=True)
def failed_over_and_back(stage, servers, generator, wait):
    """To the replica, and back to the former primary with the data of then; but only when every
    daemon has spoken with the newer one, as else the first to come back could not know better."""
    servers.replica.ask("REPLICAOF", "NO", "ONE")
    servers.swap()
    stage.switch(hide=generator.random() < 0.3)
    wait(length(generator))
    if all(has_granted(host) for host in stage.hosts):
        servers.swap()
        stage.switch(hide=generator.random() < 0.3)
    servers.follow()


PROBES = iter(range(1 << 30))


def has_granted(host):
    """Whether the daemon has granted a slot that nobody has asked for before; then it has spoken
    with the server of now."""
    try:
        with Client(host.daemon.socket) as client:
            client.send(f"ACQUIRE probe-{next(PROBES)} limit=1 wait={3 * LEASE:.0f}s")
            return client.is_readable(4 * LEASE) and client.readline().startswith("OK ")
    except (OSError, EOFError):
        return False


class Injector:
    """Does faults for a time.  choices: names of kinds, to do these alone"""

    def __init__(self, stage, clients, seed, choices=()):
        self.injected = []                  # [Injected], in the order of their ends
        self.failures = []                  # what went wrong that should not, as texts
        self._stage, self._clients = stage, clients
        self._random = random.Random(seed)
        self._choices = [KINDS[name] for name in choices]
        self._areas = ["client", "daemon"]
        if stage.servers:
            self._areas += ["way", "servers", "servers"]        # of the most kinds
        self._over = threading.Event()
        self._threads = []

    def _targets(self, area):
        """-> [(target, its lock, its hosts)]"""
        if area == "client":
            return [(c, threading.Lock(), {c.host.index}) for c in self._clients]
        if area == "servers":
            return [(self._stage.servers, self._stage.servers.lock, {0, 1, 2})]
        return [(host, host.lock if area == "daemon" else host.way_lock, {host.index})
                for host in self._stage.hosts]

    def _start(self, kinds):
        chosen = self._random.choices(kinds, [one.weight for one in kinds])[0]
        target, lock, hosts = self._random.choice(self._targets(chosen.area))
        generator = random.Random(self._random.getrandbits(32))
        if chosen.name == "client stopped" and target.kind.startswith("slotctl"):
            return
        if lock.acquire(blocking=False):
            thread = threading.Thread(target=self._act,
                                      args=(chosen, target, lock, hosts, generator))
            self._threads.append(thread)
            thread.start()

    def _act(self, chosen, target, lock, hosts, generator):
        begin, pid = record.now(), None
        try:
            pid = chosen.act(self._stage, target, generator, self._over.wait)
        except Exception:                   # Failure, or a bug in here: either spoils the run
            self.failures.append(f"{chosen.name}: {traceback.format_exc()}")
        finally:
            self.injected.append(Injected(chosen.name, begin, record.now(), hosts, pid))
            if chosen.area == "servers":    # some graces come to their end
                self._over.wait(generator.uniform(0, 2 * LEASE))
            lock.release()

    def run(self, seconds):
        """Spells of faults in one area or several at once, each followed by a calm."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            among = self._random.choices(self._areas, k=self._random.choice((1, 1, 2, 3, 5)))
            kinds = self._choices or [one for one in KINDS.values() if one.area in among]
            spell = time.monotonic() + min(left, self._random.uniform(4, 12))
            while time.monotonic() < spell:
                self._start(kinds)
                self._over.wait(self._random.expovariate(2))
            self._over.wait(min(max(0, end - time.monotonic()), self._random.uniform(0, 2 * LEASE)))

    def end(self):
        """Ends what still goes on: everything is as it should be then."""
        self._over.set()
        for thread in self._threads:
            thread.join()
