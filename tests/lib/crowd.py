"""What tests with many clients share."""
import contextlib
import select

from slotd import TIMEOUT, Failure


def lines_of(connection):
    """What has come by now; slotd writes whole lines, and the test no more than fits."""
    data = connection.recv(65536)
    if not data.endswith(b"\n"):
        raise Failure(f"got {data!r}, which is no line")
    return data.decode().splitlines()


class Counter:
    """Counts who is inside, on its own: it believes nothing that slotd says but the number."""

    def __init__(self, limit):
        self._limit = limit
        self._inside = {}                           # slot -> who
        self._last_token = {}                       # slot -> token
        self.entered = self.peak = 0

    def enter(self, slot, token, who):
        if slot in self._inside or not 1 <= slot <= self._limit:
            raise Failure(f"slot {slot} of {self._limit} for {who}; inside: {self._inside}")
        if token <= self._last_token.get(slot, 0):
            raise Failure(f"slot {slot}: token {token} after {self._last_token[slot]}")
        self._last_token[slot] = token
        self._inside[slot] = who
        self.entered += 1
        self.peak = max(self.peak, len(self._inside))

    def leave(self, slot):
        del self._inside[slot]


def contend(daemons, clients, group, limit, acquires, generator, entered=lambda n: None):
    """That many clients, spread over the daemons, take and give back slots for as long as it takes;
    entered(n) is called at the n-th grant.  What is wrong with what they get, more than `limit` at
    once to begin with, is a Failure.  -> the most that were inside at once: how close to the limit
    depends on how busy the machine is"""
    counter, inside, by_fd = Counter(limit), {}, {}
    request = f"ACQUIRE {group} limit={limit} wait=forever"
    with contextlib.ExitStack() as stack, contextlib.closing(select.epoll()) as epoll:
        for i in range(clients):
            client = stack.enter_context(daemons[i % len(daemons)].client())
            by_fd[client.socket.fileno()] = client
            epoll.register(client.socket, select.EPOLLIN)
            client.send(request)
        while counter.entered < acquires:
            events = epoll.poll(0 if inside else TIMEOUT)
            if not events and not inside:
                raise Failure("nobody gets a slot")
            for fd, _ in events:
                for line in lines_of(by_fd[fd].socket):
                    if line != "#r OK":
                        word, slot, token = line.split()
                        if word != "OK":
                            raise Failure(f"got {line!r}")
                        counter.enter(int(slot), int(token), fd)
                        inside[fd] = int(slot)
                        entered(counter.entered)
            for fd in list(inside):
                if generator.random() < 0.5:
                    slot = inside.pop(fd)
                    counter.leave(slot)
                    by_fd[fd].send(f"#r RELEASE {group} {slot}", request)
    return counter.peak
