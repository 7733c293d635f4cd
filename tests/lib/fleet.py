"""Several slotd that share one Redis."""
import contextlib
import itertools

from slotd import Daemon

UP = "connected to (Redis|Valkey)"


@contextlib.contextmanager
def fleet(redis, count, config, expect=()):
    """-> daemons that are ready to grant: the grace of the new Redis is over."""
    with contextlib.ExitStack() as stack:
        daemons = [stack.enter_context(Daemon(config, expect=expect)) for _ in range(count)]
        for slotd in daemons:
            slotd.log.wait_for(UP)
            with slotd.client() as client:
                client.expect(r"OK 1 \d+", "ACQUIRE warm limit=1 wait=1m")
        yield daemons


def no_grace(redis, lease=10000):
    return redis.config(lease=lease, lease_more="grace_ms = 0").replace("debug", "info")


BARRIERS = itertools.count()


def after_exchange(slotd):
    """Returns when what its clients have said before has been told to Redis: on each connection of
    the pool, which the last character of the name decides, something new is answered behind it."""
    number = next(BARRIERS)
    with slotd.client() as client:
        for name in "ab":
            client.expect(r"OK 1 \d+", f"ACQUIRE barrier-{number}{name} limit=1 wait=10s")


def after_asking(slotd, group):
    """Returns when slotd has had an answer for the group, which is in a grace."""
    with slotd.client() as client:
        while " lease_left=- " in client.ask(f"STATUS {group}"):
            pass
