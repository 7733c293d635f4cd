"""A short run under faults, and that the judge finds what a broken slotd does."""
import os
import random
import tempfile
import unittest

import record
from chaos import play
from faults import Injected
from judge import SECOND, Judge
from losses import Losses

SECONDS = 12


class Chaos(unittest.TestCase):
    @staticmethod
    def seed():
        seed = int(os.environ.get("SLOTD_SEED") or random.randrange(1 << 32))
        print(f"SLOTD_SEED={seed}")
        return seed

    def play(self, seconds, seed, **options):
        with tempfile.TemporaryDirectory(prefix="slotd-chaos-") as directory:
            log = os.path.join(directory, "holders")
            open(log, "xb").close()
            with tempfile.TemporaryFile() as errors:
                report = play(log, errors, seconds, seed, **options)
                errors.seek(0)
                report.said = errors.read().decode(errors="backslashreplace").splitlines()
        report.print()
        return report

    def test_fleet(self):
        self.assertTrue(self.play(SECONDS, self.seed()).is_clean())

    def test_alone(self):
        """One host, without Redis."""
        self.assertTrue(self.play(6, self.seed(), alone=True).is_clean())

    def test_without_a_grace(self):
        """Slots are granted at once after Redis has forgotten whose they are: also those whose
        holders see them proven."""
        report = self.play(5, 1, choices=["data flushed"], lease_more="grace_ms = 0")
        self.assertTrue([f.what for f in report.judge.over if f.what.startswith("libslot")])


class Story:
    """Records as holders write them.  Times are in seconds."""

    def __init__(self):
        self.records = []
        self._pids = 0

    def hold(self, begin, end, slot=1, token=1, limit=3, client="libslot", last=record.LEAVE,
             gap=None):
        self._pids += 1
        strict = client in ("libslot", "python", "slotctl run --strict")

        def say(what, time):
            self.records.append(record.Record(
                int(time * SECOND), token, 1 << slot - 1, self._pids, 1, what,
                record.CLIENTS.index(client), 0, 3, limit, strict))
        say(record.ASK, begin)
        say(record.ENTER, begin)
        for time in gap or ():
            say(record.STILL, time)
            say(record.GAP, time)
        say(record.STILL, end)
        say(last, end)
        return self

    def judge(self, *faults, pid=None):
        return Judge(self.records, [Injected(kind, int(begin * SECOND), int(end * SECOND), {0}, pid)
                                    for kind, begin, end in faults])


class Judged(unittest.TestCase):
    def test_one_after_the_other(self):
        judge = Story().hold(1, 2).hold(2, 3, token=2).hold(1, 9, slot=2).judge()
        self.assertEqual((judge.over, judge.late), ([], []))
        self.assertEqual(judge.grants["libslot"], 3)

    def test_two_in_one_slot(self):
        self.assertEqual(len(Story().hold(1, 2.1).hold(2, 3, token=2).judge().over), 1)

    def test_more_than_the_lower_limit(self):
        story = Story().hold(1, 9, slot=1, limit=2).hold(1, 9, slot=2, limit=2)
        self.assertEqual(story.hold(2, 3, slot=3).judge().over, [])
        self.assertEqual(len(story.hold(4, 5, slot=3, token=2, limit=2).judge().over), 1)

    def test_tokens(self):
        self.assertEqual(len(Story().hold(1, 2, token=2).hold(3, 4, token=1).judge().over), 1)
        self.assertEqual(len(Story().hold(1, 2, token=2).hold(3, 4, token=2).judge().over), 1)

    def test_good_again_after_another(self):
        story = Story().hold(1, 9, gap=[2]).hold(3, 4, token=2)
        self.assertEqual(len(story.judge().over), 1)

    def test_raw_is_late(self):
        """Which is what happens if its daemon was stopped, and an over-admission if not."""
        story = Story().hold(1, 5.1, client="raw").hold(5, 6, token=2)
        stopped = story.judge(("daemon stopped", 2, 5.05))
        self.assertEqual((len(stopped.late), len(stopped.over)), (1, 0))
        self.assertEqual((len(story.judge().late), len(story.judge().over)), (0, 1))
        self.assertEqual(len(story.judge(("daemon killed", 2, 5)).over), 1)

    def test_slotctl_is_killed(self):
        """Then its job, which is about to end, does not count."""
        story = Story().hold(1, 5.1, client="slotctl run --strict").hold(5, 6, token=2)
        slotctl = story.records[0].turn
        self.assertEqual(len(story.judge(("client killed", 4.9, 4.9), pid=slotctl).over), 0)
        self.assertEqual(len(story.judge(("client killed", 0.9, 0.9), pid=slotctl).over), 1)
        self.assertEqual(len(story.judge(("client killed", 4.9, 4.9), pid=slotctl + 1).over), 1)

    def test_lost(self):
        """By what could have given the slot to another, and by nothing less."""
        story = Story().hold(1, 9, last=record.LOST)
        for faults, is_explained in (
                ([], False),
                ([("server frozen", 4, 9)], False),
                ([("server restarted", 4, 9)], False),
                ([("data flushed", 6, 6)], False),
                ([("data flushed", 4, 4), ("server frozen", 4.1, 8)], True),
                ([("daemon killed", 6, 6.1)], False),
                ([("daemon killed", 6, 8)], True),
                ([("way stalled", 5, 8)], True)):
            losses = Losses(story.judge(*faults), None)
            self.assertEqual((len(losses.explained), len(losses.for_nothing)),
                             (1, 0) if is_explained else (0, 1), faults)

    def test_evicted(self):
        """Of one that is taken by an operator, who meant this one."""
        story = Story().hold(1, 9, token=5, last=record.LOST)
        for token, is_explained in (5, True), (6, False):
            losses = Losses(story.judge(("holder evicted", 8.9, 9.1), pid=token), None)
            self.assertEqual((len(losses.explained), len(losses.for_nothing)),
                             (1, 0) if is_explained else (0, 1), token)


if __name__ == "__main__":
    unittest.main()
