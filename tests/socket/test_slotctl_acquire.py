"""slotctl acquire: a slot for a shell script."""
import os
import signal
import subprocess
import unittest

from slotctl import SHORT_LEASE, Case
from slotd import SLOTCTL


class Acquire(Case):
    def test_holds_while_stdin_is_open(self):
        run = self.start("acquire", "g", "-l1")
        self.assertRegex(run.line(), r"\A1 \d+\Z")
        self.assertFalse(self.is_free())
        run.process.stdin.write(b"what comes is ignored\n")
        run.go_on()
        self.assertEqual(run.end(), 0)
        self.assertTrue(self.is_free())

    def test_lost(self):
        run = self.start("acquire", "g", "-l2", "--count", "2", "--hold", "20ms")
        self.assertRegex(run.line(), r"\A1,2 \d+\Z")
        self.assertEqual(run.end(), 125)
        run.log.wait_for(r"g: the slot is lost \(hold\)")

    def test_slotd_dies(self):
        self.slotd = self.daemon(SHORT_LEASE)
        run = self.start("acquire", "g", "-l1")
        run.line()
        self.slotd.kill(keep=True)
        self.assertEqual(run.end(), 125)
        self.slotd.start()

    def test_ended_by_a_signal(self):
        run = self.start("acquire", "g", "-l1")
        run.line()
        run.signal(signal.SIGTERM)
        self.assertEqual(run.end(), 128 + signal.SIGTERM)
        self.assertTrue(self.is_free())

    def test_as_a_coprocess(self):
        script = """
            coproc "$0" acquire g -l1; pid=$COPROC_PID
            read -r slot token <&"${COPROC[0]}" && echo "$slot"
            eval "exec ${COPROC[1]}>&-"
            wait "$pid" && echo done
        """
        out = subprocess.run(["bash", "-c", script, SLOTCTL], check=True, stdout=subprocess.PIPE,
                             env=dict(os.environ, SLOTD_SOCKET=self.slotd.socket)).stdout
        self.assertEqual(out, b"1\ndone\n")


if __name__ == "__main__":
    unittest.main()
