"""The log of the holders: one file that all append to, of records of one size, by CLOCK_BOOTTIME.
record.h is the same in C."""
import collections
import os
import struct
import time

LAYOUT = struct.Struct("=qQQIIBBBBBBxx")

# time: ns.  slots: bit n-1 is slot n.  turn: counts what that process has asked for; of a job, its
# slotctl's pid.  client: an index of CLIENTS.  host: of the daemon.  group: its number, which
# is its limit.  limit: the asker's.
Record = collections.namedtuple(
    "Record", "time token slots pid turn what client host group limit is_strict")

CLIENTS = ("libslot", "python", "raw", "slotctl run", "slotctl run --strict")

ASK, REFUSED, ENTER, STILL, GAP, LEAVE, LOST, GONE, STALE = range(1, 10)
# ASK      about to ask
# REFUSED  was answered with an error, or cut off
# ENTER    has a hold that was good at that time
# STILL    the hold was good at that time, and all the while since ENTER or the last GAP
# GAP      a strict client's hold is unproven
# LEAVE    gave it back, and was told OK
# LOST     was told that it is lost
# GONE     the hold ended with its connection
# STALE    was granted a hold that was not good any more when it looked


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    whole = len(data) - len(data) % LAYOUT.size
    return [Record._make(values) for values in LAYOUT.iter_unpack(data[:whole])]


class Writer:
    """A process's end of the log."""

    def __init__(self, path, client, host):
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._who = CLIENTS.index(client), host
        self._pid = os.getpid()
        self._turn = 0
        self._about = 0, 0

    def ask(self, group, limit):
        self._turn += 1
        self._about = group, limit
        self.say(ASK, now())

    def say(self, what, when, token=0, slots=(), strict=False):
        mask = sum(1 << (slot - 1) for slot in slots)
        os.write(self._fd, LAYOUT.pack(when, token, mask, self._pid, self._turn, what, *self._who,
                                       *self._about, strict))
