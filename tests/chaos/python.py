"""A client that uses client/python/slotd.py.

usage: python.py LOG SOCKET HOST SEED      until SIGTERM"""
import os
import random
import signal
import sys
import time

import record
from choice import choose

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../client/python"))
import slotd  # noqa: E402  the client; not what tests call by that name

LOOK = 0.01                             # seconds between two looks at a hold
LATER = ("unavailable", "unanswered", "unreachable", "shutdown")

is_ending = False


def on_term(*_):
    global is_ending
    is_ending = True


def work(log, hold, seconds):
    """Looks at the hold until the work is done or it is lost."""
    said = {"token": hold.token, "slots": hold.numbers, "strict": hold.left() is not None}
    end = time.monotonic() + seconds
    entered = in_gap = False
    while True:
        looked = record.now()
        if hold.valid() if said["strict"] else not hold.lost:
            log.say(record.STILL if entered else record.ENTER, looked, **said)
            entered, in_gap = True, False
        elif not in_gap:
            log.say(record.GAP if entered else record.STALE, looked, **said)
            in_gap = True
        left = end - time.monotonic()
        if left <= 0 or is_ending or hold.lost:
            break
        time.sleep(min(left, LOOK))
    what = record.LEAVE
    try:
        hold.release()
    except slotd.SlotLost as lost:
        # a release that found nobody, or a hold in doubt, does not say that it was lost
        if lost.reason not in ("unproven", *LATER):
            what = record.LOST
    log.say(what, record.now(), **said)


def turn(log, connection, what):
    log.ask(what.group, what.limit)
    wait = slotd.FOREVER if what.wait == "forever" else int(what.wait) / 1000
    try:
        hold = connection.acquire(f"g{what.group}", what.limit, wait, n=what.n)
    except slotd.ConcurrencyLimitException as error:
        log.say(record.REFUSED, record.now())
        if getattr(error, "code", "unavailable") not in LATER:
            raise
        time.sleep(0.05)
    else:
        work(log, hold, what.work)
        time.sleep(what.pause)


def main(path, socket, host, seed):
    signal.signal(signal.SIGTERM, on_term)
    log, generator = record.Writer(path, "python", int(host)), random.Random(seed)
    with slotd.Connection(socket, label="python") as connection:
        while not is_ending:
            turn(log, connection, choose(generator))


if __name__ == "__main__":
    main(*sys.argv[1:])
