"""slotd in a container: process 1 of a pid namespace, as a user without rights, on a read-only root
with nothing in it but what it is linked with.  Its socket's directory is a volume."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from slotd import SLOTCTL, SLOTD, TIMEOUT, Client, Log, wait_end

SLOTD_ID, MEMBER_ID = 64100, 64101      # nobody has these numbers

# What an engine does: a root that cannot be written to, a volume, perhaps /proc; then the command.
START = """
mount --bind "$root" "$root" && mount -o remount,bind,ro "$root" &&
mount --bind "$volume" "$root/run/slotd" && mount --bind /dev/null "$root/dev/null" || exit
[ -z "$proc" ] || mount -t proc proc "$root/proc" || exit
exec chroot --userspec=$user --groups=$group "$root" "$@"
"""


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def can_make_namespaces():
    return os.getuid() == 0 and subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(can_make_namespaces(), "containers are made by root, where namespaces are allowed")
class Container(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="slotd-container-")
        self.addCleanup(directory.cleanup)
        os.chmod(directory.name, 0o755)
        self.root, self.volume = (os.path.join(directory.name, name) for name in ("root", "run"))
        for path in "root/proc", "root/dev", "root/run/slotd", "run":
            os.makedirs(os.path.join(directory.name, path))
        with open(self.root + "/dev/null", "x", encoding="ascii"):
            pass        # for the real one to be mounted on
        os.chown(self.volume, SLOTD_ID, SLOTD_ID)
        for program in SLOTD, SLOTCTL, "/bin/sh", "/bin/sleep":
            self.install(program, os.path.join("/bin", os.path.basename(program)))
        self.socket = os.path.join(self.volume, "slotd.sock")

    def install(self, program, path):
        linked = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
        for source, to in [(program, path)] + [(lib, lib) for lib in re.findall(r"/\S+", linked)]:
            os.makedirs(self.root + os.path.dirname(to), exist_ok=True)
            shutil.copy(source, self.root + to)

    def run_in(self, *command, user, proc=False, **options):
        """Starts it as process 1 of a container.  -> subprocess.Popen, of the unshare around it"""
        env = {"root": self.root, "volume": self.volume, "user": f"{user}:{user}",
               "group": str(SLOTD_ID), "proc": "yes" if proc else "", "PATH": os.environ["PATH"]}
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "sh", "-c", START, "sh",
             *command], env=env, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE, **options)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            for pid in children(process.pid):   # with process 1 its whole namespace ends
                os.kill(pid, signal.SIGKILL)
        wait_end(process, "unshare")
        process.stdout.close()

    def slotd(self, proc=False):
        """-> the process around it, its own number outside, its log"""
        process = self.run_in("/bin/slotd", user=SLOTD_ID, proc=proc, stderr=subprocess.PIPE)
        log = Log(process.stderr)
        log.wait_for(" listens on /run/slotd/slotd.sock ")
        return process, children(process.pid)[0], log

    def holders(self):
        """-> slot and token of each, when there is one: taking it over takes a moment"""
        lines, until = [], time.monotonic() + TIMEOUT
        with Client(self.socket) as client:
            while not lines and time.monotonic() < until:
                lines = client.ask_list("HOLDERS g")
        return [line.split()[:2] for line in lines]

    def test_it_serves_others_by_the_volume(self):
        process, pid, log = self.slotd()
        with Client(self.socket) as client:             # of the host
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=2")
            job = self.run_in("/bin/slotctl", "run", "g", "--limit", "2", "--", "/bin/sh", "-c",
                              "echo $SLOT_NUMBER", user=MEMBER_ID)
            self.assertEqual(job.stdout.readline(), "2\n")
            self.assertEqual(wait_end(job, "slotctl"), 0)
            self.assertRegex(client.ask_list("HOLDERS g")[0], r"\bpid=- uid=0\b")
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(wait_end(process, "slotd"), 0)
        log.join()
        self.assertEqual(len(log.find(" warning: ")), 1, str(log))   # no /proc, no lease page
        log.wait_for("cannot be made|boot_id")

    def test_it_is_replaced_and_a_job_goes_on(self):
        process, pid, log = self.slotd(proc=True)
        job = self.run_in("/bin/slotctl", "run", "g", "--limit", "1", "--", "/bin/sh", "-c",
                          "echo $SLOT_NUMBER; exec sleep 1000", user=MEMBER_ID, proc=True)
        self.assertEqual(job.stdout.readline(), "1\n")
        held = self.holders()
        os.kill(pid, signal.SIGKILL)
        wait_end(process, "slotd")
        log = self.slotd(proc=True)[2]
        log.wait_for("1 slots held since generation 1 can be resumed")
        with Client(self.socket) as client:
            client.expect("ERR full .*", "ACQUIRE g limit=1 wait=0")
        self.assertEqual(self.holders(), held)
        self.assertIsNone(job.poll())

    def test_it_leaves_no_zombies(self):
        pid = self.slotd()[1]
        reader, writer = os.pipe()
        with open(reader, encoding="ascii") as orphan:
            # its parent ends before it, and so it becomes a child of process 1
            subprocess.run(["nsenter", f"--target={pid}", "--pid", "sh", "-c",
                            f"(read _ </dev/null; echo ended >&{writer}) & exit"], pass_fds=[writer],
                           check=True, timeout=TIMEOUT)
            os.close(writer)
            self.assertEqual(orphan.read(), "ended\n")
        for child in children(pid):
            with open(f"/proc/{child}/stat", encoding="ascii") as file:
                self.assertNotIn(") Z ", file.read())


if __name__ == "__main__":
    unittest.main()
