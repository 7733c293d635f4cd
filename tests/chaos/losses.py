"""Which holds were lost, and what by.

Who reads the lease page, or is a job of `slotctl run`, may lose a hold only when somebody else
could have been given its slot: when nobody could speak for it for longer than it has left at any
time, and meanwhile Redis served others, or lost its data.  A loss that no such disturbance
explains was for nothing.  (With --strict a job is ended as soon as its slot is in doubt: that is no
loss.)"""
import record
from choice import LEASE, MARGIN
from faults import KINDS
from judge import RUN, RUN_STRICT, SECOND, Finding

# a hold in good health has so much left at any time
HEADROOM = int((LEASE * 3 / 4 - MARGIN - LEASE / 5) * SECOND)
EVICTED = "holder evicted"
RECOVERY = SECOND // 4                  # until all is well again after a fault: connections, RESUME


class Losses:
    """drain: when the clients were asked to end; jobs are told so as if by a loss."""

    def __init__(self, judge, drain):
        self.explained, self.for_nothing = [], []
        self._judge = judge
        for hold in judge.holds:
            if self._is_lost(hold, drain):
                why = self._explain(hold)
                if why:
                    self.explained.append(Finding(hold.end.time, why))
                else:
                    self.for_nothing.append(Finding(hold.end.time, f"{hold}, {self._around(hold)}"))

    @staticmethod
    def _is_lost(hold, drain):
        if hold.end is None or hold.end.what not in (record.LOST, record.GONE):
            return False
        if hold.first.client == RUN:
            return drain is None or hold.end.time < drain
        return hold.is_strict and hold.first.client != RUN_STRICT

    def _before(self, hold):
        """The faults that can have to do with the end of it."""
        return self._judge.between(hold.seen - int(3 * LEASE * SECOND), hold.end.time)

    def _stalls(self, hold):
        return [(begin, end) for begin, end in self._judge.stalls
                if begin <= hold.end.time and end >= hold.seen - 3 * LEASE * SECOND]

    def _explain(self, hold):
        """-> the kinds of faults that could have given the slot to another, or None"""
        spans = []
        for fault in self._before(hold):
            kind = KINDS[fault.kind]
            if fault.kind == EVICTED:
                if fault.pid == hold.first.token:
                    return EVICTED
            elif hold.first.host in fault.hosts and (
                    kind.area != "client" or fault.pid == hold.first.pid):
                spans.append((fault.begin, fault.end + RECOVERY, fault.kind,
                              kind.area != "servers" or kind.loses_data))
        spans += [(begin, end, "machine stood still", end - begin > MARGIN * SECOND)
                  for begin, end in self._stalls(hold)]
        for chain in chains(spans):
            length = max(end for _, end, *_ in chain) - chain[0][0]
            if length >= HEADROOM and any(gives_away for *_, gives_away in chain):
                return ", ".join(sorted({name for _, _, name, _ in chain}))
        return None

    def _around(self, hold):
        what = {record.LOST: "told", record.GONE: "connection gone"}[hold.end.what]
        before = [(f"{fault.kind} of host {sorted(fault.hosts)}", fault.begin, fault.end)
                  for fault in self._before(hold)]
        before += [("the machine stood still", begin, end) for begin, end in self._stalls(hold)]
        return f"{what} at {hold.end.time / SECOND:.3f}; before: " + ("; ".join(
            f"{name} {begin / SECOND:.3f} to {end / SECOND:.3f}" for name, begin, end in before)
            or "nothing")


def chains(spans):
    """-> lists of those that overlap one another, in order"""
    found, end = [], None
    for span in sorted(spans):
        if end is None or span[0] > end:
            found.append([])
            end = span[1]
        found[-1].append(span)
        end = max(end, span[1])
    return found
