#!/usr/bin/env python3
"""How long a slot takes from a holder that is killed with -9 to the next, which waits for it on
another host: two slotd and a Redis.  Prints, asserts nothing: time is the machine's."""
import os
import signal
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
from redis import Redis         # noqa: E402
from slotd import Daemon        # noqa: E402

ROUNDS = 100


def start_holder(slotd):
    """-> the process that holds the slot"""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        client = slotd.client()
        client.expect(r"OK 1 \d+", "ACQUIRE handoff limit=1 wait=10s")
        os.write(told, b"held")
        signal.pause()
    os.close(told)
    os.read(ready, 4)
    os.close(ready)
    return pid


def waiting(redis):
    """Returns when Redis has heard of one that waits."""
    keys = redis.ask("KEYS", "*:handoff:queue")
    while not keys or redis.ask("ZCARD", keys[0]) == 0:
        keys = redis.ask("KEYS", "*:handoff:queue")


def measure(redis, one, two):
    holder = start_holder(one)
    with two.client() as waiter:
        waiter.send("ACQUIRE handoff limit=1 wait=10s")
        waiting(redis)
        began = time.monotonic()
        os.kill(holder, signal.SIGKILL)
        waiter.expect(r"OK 1 \d+")
        taken = time.monotonic() - began
        waiter.expect("OK", "RELEASE handoff 1")
    os.waitpid(holder, 0)
    return taken * 1e3


def main():
    with Redis() as redis:
        config = redis.config(lease=10000, lease_more="grace_ms = 0").replace("debug", "info")
        with Daemon(config) as one, Daemon(config) as two:
            ms = sorted(measure(redis, one, two) for _ in range(ROUNDS))
    print(f"fleet: from kill -9 of the holder to the OK of the next on another host, {ROUNDS} times: "
          f"median {statistics.median(ms):.2f} ms, 9 of 10 within {ms[ROUNDS * 9 // 10]:.2f} ms, "
          f"worst {ms[-1]:.2f} ms")


main()
