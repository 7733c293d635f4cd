#!/usr/bin/env python3
"""Chaos: three daemons, two Redis, sixty clients, and faults at random; then a judgement.

usage: chaos.py [--seconds N] [--seed N] [--alone] [--only KIND[,KIND...]]

Prints a table of what was done and what came of it; CHAOS_JSON=FILE writes the same for programs.
Exit status 0: nobody was let in above the limit, nothing was lost for nothing, nothing leaked,
everybody was answered, and every process was well.  KEEP=1 keeps the logs of the holders and of the
daemons."""
import argparse
import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time

import record
from choice import GROUPS, LEASE
from client import Client, Crowd
from faults import Injector
from judge import SECOND, Judge
from losses import Losses
from report import Report
from slotd import TIMEOUT
from slotd import Client as Connection
from stage import Stage

# of each host
CROWD = {"libslot": 7, "python": 3, "raw": 4, "slotctl run": 3, "slotctl run --strict": 3}
STALL = int(0.1 * SECOND)


class Stalls:
    """Notices when this machine lets nobody run: a thread that should wake every 10 ms."""

    def __init__(self):
        self.found = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self):
        before = record.now()
        while not self._over.wait(0.01):
            now = record.now()
            if now - before > STALL:
                self.found.append((before, now))
            before = now

    def end(self):
        self._over.set()
        self._thread.join()


def leaked(host):
    """Takes all slots of each group at once.  -> {group: how many cannot be had}"""
    found = {}
    for limit in GROUPS:
        with Connection(host.daemon.socket) as probe:
            answer = probe.ask(f"ACQUIRE g{limit} limit={limit} n={limit} wait={TIMEOUT / 2:.0f}s")
            if not answer.startswith("OK "):
                had, one = 0, f"ACQUIRE g{limit} limit={limit} wait=0"
                while had < limit and probe.ask(one).startswith("OK "):
                    had += 1
                found[f"g{limit}"] = limit - had
    return found


def play(log, errors, seconds, seed, choices=(), lease_more="", alone=False):
    """The run itself; choices: of the injector, lease_more and alone: of the stage.  -> Report"""
    generator = random.Random(seed)
    with contextlib.ExitStack() as stack:
        stage = Stage(stack, lease_more, alone)
        clients = [Client(kind, host, log, generator.getrandbits(32))
                   for host in stage.hosts for kind, count in CROWD.items() for _ in range(count)]
        stalls = Stalls()
        stack.callback(stalls.end)
        crowd = Crowd(clients, errors)
        injector = Injector(stage, clients, generator.getrandbits(32), choices)
        try:
            injector.run(seconds)
        finally:
            injector.end()
            drain = record.now()
            crowd.end(TIMEOUT)
        drained = time.monotonic()
        leaks = leaked(stage.hosts[0])
        drained = time.monotonic() - drained
        dead = []
        for host in stage.hosts:
            try:
                host.end()
            except AssertionError as failure:
                dead.append(str(failure))
    judge = Judge(record.read(log), injector.injected, stalls.found)
    for host in stage.hosts:
        with open(f"{log}.host{host.index}", "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in host.said)
    return Report(judge, Losses(judge, drain), seed, seconds, leaks=leaks, drained=drained,
                  dead=dead, failures=injector.failures, crowd=crowd)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--alone", action="store_true", help="one host, without Redis")
    parser.add_argument("--only", default="", help="kinds of faults, with commas between")
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    print(f"chaos: SEED={seed}", flush=True)
    directory = tempfile.mkdtemp(prefix="slotd-chaos-")
    log, errors = os.path.join(directory, "holders"), os.path.join(directory, "errors")
    try:
        open(log, "xb").close()
        with open(errors, "wb") as file:
            report = play(log, file, options.seconds, seed, alone=options.alone,
                          choices=[kind for kind in options.only.split(",") if kind])
        with open(errors, encoding="utf-8", errors="backslashreplace") as file:
            report.said = file.read().splitlines()
        report.print()
        if path := os.environ.get("CHAOS_JSON"):
            with open(path, "w", encoding="utf-8") as file:
                json.dump(report.table(), file, indent=1)
    finally:
        if os.environ.get("KEEP"):
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory)
    return 0 if report.is_clean() else 1


if __name__ == "__main__":
    sys.exit(main())
