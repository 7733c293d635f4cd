"""The judge: reads what the holders have written and what was done to them, nothing of slotd's.

What counts.  A hold of a strict client (libslot, Python, the job of `slotctl run --strict`) counts
from the moment when its holder has first seen it good to the last at which it has: never longer
than it was, so each over-admission that is found was one.

What counts apart.  A raw client can hear too late that its hold is over, namely when its daemon was
stopped: that is in the manual, and tokens are for that.  Where such a holder's slot was the next
one's already, it is *late*; but that counts as an over-admission if nothing had stopped its daemon.
The job of `slotctl run` without --strict is late whenever it takes its time to end."""
import bisect
import collections
import itertools

import record
from choice import LEASE
from faults import KINDS

SECOND = 1_000_000_000
RUN, RUN_STRICT = map(record.CLIENTS.index, ("slotctl run", "slotctl run --strict"))

Finding = collections.namedtuple("Finding", "time what")


class Hold:
    """What one holder did in one slot, or several."""

    def __init__(self, first):
        self.first = first
        self.spans = [[first.time, first.time]]     # seen good
        self.is_gap = False
        self.end = None                             # the record that says how it ended

    @property
    def is_strict(self):
        return bool(self.first.is_strict)

    @property
    def seen(self):
        return self.spans[-1][1]

    def cut(self, time):
        """What was seen later does not count."""
        self.spans = [[a, min(b, time)] for a, b in self.spans if a <= time]

    def hear(self, said):
        if said.what == record.GAP:
            self.is_gap = True
        elif said.what == record.STILL:
            if self.is_gap:
                self.spans.append([said.time, said.time])
                self.is_gap = False
            self.spans[-1][1] = said.time
        elif self.end is None:
            self.end = said

    def slots(self):
        return [slot for slot in range(1, 65) if self.first.slots >> slot - 1 & 1]

    def __str__(self):
        one = self.first
        begin, end = one.time / SECOND, self.seen / SECOND
        return (f"{record.CLIENTS[one.client]} (pid {one.pid}, host {one.host}) in g{one.group} "
                f"slot {','.join(map(str, self.slots()))} token {one.token} limit {one.limit}, "
                f"{begin:.3f} to {end:.3f}")


class Judge:
    """records: of the log; injected: the faults; stalls: [(begin, end)] in which the machine itself
    stood still."""

    def __init__(self, records, injected, stalls=()):
        self.injected = sorted(injected, key=lambda fault: fault.begin)
        self.stalls = list(stalls)
        self.over, self.late = [], []
        self.holds = []
        self.grants = collections.Counter()
        self.refused = self.stale = 0
        self._read(sorted(records))
        self._by_slot = collections.defaultdict(list)
        killed = [fault for fault in self.injected if fault.kind == "client killed"]
        for hold in self.holds:
            if hold.first.client in (RUN, RUN_STRICT):      # nobody answers for it without slotctl
                hold.cut(min((fault.begin for fault in killed if fault.pid == hold.first.turn and
                              fault.begin >= hold.first.time), default=hold.seen))
            for slot in hold.slots():
                self._by_slot[hold.first.group, slot].append(hold)
        for (group, slot), holds in self._by_slot.items():
            self._look_at_slot(group, slot, holds)
        for group in {hold.first.group for hold in self.holds}:
            self._look_at_group([h for h in self.holds if h.first.group == group and h.is_strict])
        self.proven_again = sum(len(hold.spans) - 1 for hold in self.holds)

    def _read(self, records):
        now = {}                                    # (pid, turn) -> its hold
        for said in records:
            key = said.pid, said.turn
            if said.what == record.ENTER:
                now[key] = Hold(said)
                self.holds.append(now[key])
                self.grants[record.CLIENTS[said.client]] += 1
            elif said.what == record.REFUSED:
                self.refused += 1
            elif said.what == record.STALE:
                self.stale += 1
            elif said.what == record.ASK:
                now.pop(key, None)                  # a new process with an old number
            elif key in now:
                now[key].hear(said)

    def _look_at_slot(self, group, slot, holds):
        """Two at once, and tokens.  holds: in the order in which they were entered.  Of two, the
        one with the greater token was granted later, whoever wrote first."""
        last = None                                 # of those entered before, the greatest token
        for i, hold in enumerate(holds):
            if last is not None and hold.first.token == last.first.token:
                self._over(hold, f"{hold} has the token of {last}")
            elif last is not None and hold.first.token < last.first.token:
                self._doubt(hold, last, hold.first.time, "began after")
            for other in itertools.takewhile(lambda other: other.first.time <= hold.seen,
                                             itertools.islice(holds, i + 1, None)):
                older, newer = sorted((hold, other), key=lambda h: h.first.token)
                since = self._together(older, newer)
                if since is not None:
                    self._doubt(older, newer, since, "was good beside")
                elif older.spans[-1][0] > newer.first.time > older.first.time:
                    self._doubt(older, newer, older.spans[-1][0], "was good again after")
            if last is None or hold.first.token > last.first.token:
                last = hold

    @staticmethod
    def _together(one, other):
        """-> since when both were good at once, or None"""
        return min((max(a[0], b[0]) for a in one.spans for b in other.spans
                    if max(a[0], b[0]) < min(a[1], b[1])), default=None)

    def _doubt(self, older, newer, since, what):
        text = f"{older} {what} {newer}, at {since / SECOND:.3f}"
        if older.is_strict or not self._may_be_late(older, since):
            self.over.append(Finding(since, text))
        else:
            self.late.append(Finding(older.seen - since, text))

    def _over(self, hold, text):
        self.over.append(Finding(hold.first.time, text))

    def _look_at_group(self, holds):
        """More than the limit at once: of those with a lower limit, no more than that."""
        for limit in {hold.first.limit for hold in holds}:
            steps = sorted((time, step * len(hold.slots()), i)
                           for i, hold in enumerate(holds) if hold.first.limit <= limit
                           for a, b in hold.spans if a < b for time, step in ((a, 1), (b, -1)))
            inside = 0
            for time, step, i in steps:
                inside += step
                if step > 0 and inside > limit:
                    self._over(holds[i], f"{inside} of limit {limit}: {holds[i]}")

    def _may_be_late(self, hold, since):
        """A job that goes on until it is told; or a daemon was stopped, or the machine stood still,
        since the hold has last been well."""
        if record.CLIENTS[hold.first.client] != "raw":
            return True
        begin = since - int(2 * LEASE * SECOND)
        return (any(a <= hold.seen and b >= begin for a, b in self.stalls)
                or any(fault.kind == "daemon stopped" and hold.first.host in fault.hosts
                       for fault in self.between(begin, hold.seen)))

    def between(self, begin, end):
        """The faults that were there at some time of those."""
        return [fault for fault in self.injected if fault.begin <= end and fault.end >= begin]

    def recovery(self):
        """-> {kind: the worst ns from a fault's end (its begin, for kills) to the next grant
        through a daemon that it concerned}, where nothing else disturbed that"""
        grants = collections.defaultdict(list)
        for hold in self.holds:
            grants[hold.first.host].append(hold.first.time)
        worst = {}
        for fault in self.injected:
            since = fault.begin if "killed" in fault.kind else fault.end
            after = [grants[host][i] for host in fault.hosts
                     if (i := bisect.bisect(grants[host], since)) < len(grants[host])]
            if after and self._is_alone(fault, min(after)):
                worst[fault.kind] = max(worst.get(fault.kind, 0), min(after) - since)
        return worst

    def _is_alone(self, fault, until):
        """From a lease before it on, as that is how long another's consequences last."""
        return all(other is fault or KINDS[other.kind].area == "client" or
                   not fault.hosts & other.hosts
                   for other in self.between(fault.begin - int(LEASE * SECOND), until))
