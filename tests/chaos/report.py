"""What a run has come to: for people, and for programs."""
import collections
import time

import record
from choice import LEASE
from faults import KINDS
from judge import SECOND

SHOWN = 10                              # findings of one sort


class Report:
    def __init__(self, judge, losses, seed, seconds, leaks, drained, dead, failures, crowd):
        self.judge, self.losses, self.seed, self.seconds = judge, losses, seed, seconds
        self.leaks, self.drained, self.dead, self.failures = leaks, drained, dead, failures
        self.failed_clients = [f"{kind}: ended with {status}" for kind, status in crowd.failed]
        self.unanswered = [client.kind for client in crowd.hung]
        self.said = []                      # lines that the clients wrote

    def verdicts(self):
        """-> [(what must be 0, how many, examples)]"""
        over, for_nothing = self.judge.over, self.losses.for_nothing
        return [("over-admissions", len(over), [f.what for f in over]),
                ("holds lost for nothing", len(for_nothing), [f.what for f in for_nothing]),
                ("slots leaked after the drain", sum(self.leaks.values()), [str(self.leaks)]),
                ("clients never answered", len(self.unanswered), self.unanswered),
                ("clients that failed", len(self.failed_clients), self.failed_clients +
                 [line for line in self.said if not line.startswith("slotctl:")]),
                ("daemons that failed", len(self.dead) + len(self.failures),
                 self.dead + self.failures)]

    def is_clean(self):
        return not any(count for _, count, _ in self.verdicts()) and bool(self.judge.holds)

    def table(self):
        judge = self.judge
        done = collections.Counter(fault.kind for fault in judge.injected)
        recovery = judge.recovery()
        return {
            "seed": self.seed, "seconds": self.seconds, "lease_s": LEASE,
            "faults": {kind: {"injected": count,
                              "worst_recovery_s": round(recovery[kind] / SECOND, 3)
                              if kind in recovery else None}
                       for kind in KINDS if (count := done[kind])},
            "grants": {client: judge.grants[client] for client in record.CLIENTS},
            "verdicts": {what: count for what, count, _ in self.verdicts()},
            "refused": judge.refused, "stale_at_ok": judge.stale,
            "proven_again": judge.proven_again,
            "lost_explained": dict(collections.Counter(f.what for f in self.losses.explained)),
            "late_raw": len(judge.late),
            "worst_late_raw_s": round(max((f.time for f in judge.late), default=0) / SECOND, 3),
            "all_free_after_s": round(self.drained, 3),
            "machine_stalls": len(judge.stalls),
            "boottime_at_s": time.clock_gettime(time.CLOCK_BOOTTIME) - time.time(),
            "log": [{"kind": f.kind, "begin_s": f.begin / SECOND, "end_s": f.end / SECOND,
                     "hosts": sorted(f.hosts)} for f in judge.injected],
        }

    def print(self):
        table = self.table()
        print(f"\n{'fault':28}{'injected':>10}{'worst recovery':>18}")
        for kind, row in table["faults"].items():
            worst = row["worst_recovery_s"]
            print(f"{kind:28}{row['injected']:10}{'-' if worst is None else f'{worst:.2f} s':>18}")
        total = sum(row["injected"] for row in table["faults"].values())
        print(f"{'in all':28}{total:10}")
        print(f"\n{'grants to':28}{'count':>10}")
        for client, count in table["grants"].items():
            print(f"{client:28}{count:10}")
        print(f"{'in all':28}{sum(table['grants'].values()):10}\n")
        print(f"{'proven again after doubt':44}{table['proven_again']:10}")
        print(f"{'holds lost that another could have been given':46}{len(self.losses.explained):8}")
        print(f"{'raw holds whose end was heard too late':44}{table['late_raw']:10}"
              f"   (worst {table['worst_late_raw_s']:.2f} s)")
        print(f"{'all slots free again after the drain':44}{table['all_free_after_s']:9.2f} s")
        if table["machine_stalls"]:
            print(f"{'times that the machine stood still':44}{table['machine_stalls']:10}")
        print()
        for what, count, examples in self.verdicts():
            print(f"{what:44}{count:10}")
            for example in examples[:SHOWN] if count else ():
                print(f"    {example}")
        print(f"\nchaos: {'clean' if self.is_clean() else 'NOT CLEAN'} "
              f"({self.seconds:.0f} s, SEED={self.seed})")
