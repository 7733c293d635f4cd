#!/usr/bin/env python3
"""The simulator itself: a seed says all of a run, and a story can be told of it."""
import os
import subprocess
import unittest

SIM = os.environ.get("SIM", "build/sim")


def sim(*args):
    return subprocess.run([SIM, *args], capture_output=True, text=True, check=False)


class Sim(unittest.TestCase):
    def test_a_seed_is_replayed_byte_for_byte(self):
        for seed in "1", "7", "19":
            first = sim("--seed", seed, "--trace")
            self.assertEqual(first.returncode, 0)
            self.assertEqual(first.stdout, sim("--seed", seed, "--trace").stdout)

    def test_seeds_differ(self):
        self.assertNotEqual(sim("--seed", "1", "--trace").stdout.split("\n", 1)[1],
                            sim("--seed", "2", "--trace").stdout.split("\n", 1)[1])

    def test_a_run_with_others_before_it_is_the_same(self):
        def grants(*args):
            lines = sim(*args).stdout.splitlines()
            return sum(int(line.split()[1]) for line in lines if line.endswith(" grants"))
        self.assertEqual(grants("--seed", "3") + grants("--seed", "4"),
                         grants("--from", "3", "--seeds", "2"))

    def test_the_story_says_what_goes_wrong(self):
        told = sim("--seed", "1", "--faults", "crash", "--trace").stdout
        self.assertRegex(told, r" h\d\.\d+ is killed\n")
        self.assertRegex(told, r" h\d\.c\d < OK \d")

    def test_what_it_does_not_know_is_refused(self):
        for args in (["--faults", "rain"], ["--profile", "x"], ["--seeds", "x"], ["--check-every", "0"],
                     ["x"]):
            self.assertEqual(sim(*args).returncode, 64, args)


if __name__ == "__main__":
    unittest.main()
