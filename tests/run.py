#!/usr/bin/env python3
"""Runs test suites and adds them up.

usage: run.py SUITE...

A SUITE is a program that closes with Check's line ("100%: Checks: 2, Failures: 0, Errors: 0"), or
a Python file whose main is unittest.main().  One line is printed per suite, the whole output of
those that fail, the reason of each test that was skipped, and at the end

    check: 123 passed, 0 failed[, 2 skipped]

A suite that ran no test, printed no closing line, or left a process behind has failed.  As many run
at a time as there are cores: most wait for something, most of the time.
SLOTD_TEST_JOBS=N says how many instead; SLOTD_TEST_SLOW=N multiplies the time that a suite may take;
SLOTD_WRAP is a command that programs are run under, such as valgrind.
"""
import concurrent.futures
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time

WRAP = shlex.split(os.environ.get("SLOTD_WRAP", ""))
JOBS = int(os.environ.get("SLOTD_TEST_JOBS") or len(os.sched_getaffinity(0)))
SUITE_TIMEOUT = 240 * float(os.environ.get("SLOTD_TEST_SLOW", "1"))

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$", re.M)
SKIPPED = re.compile(r"^(.*) \.\.\. skipped ['\"](.*)['\"]$", re.M)


def survivors(session):
    """Processes of that session, but for zombies: [(pid, command)]."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                head, _, tail = file.read().rpartition(")")
        except OSError:
            continue
        state, _, _, its_session = tail.split()[:4]
        if state != "Z" and int(its_session) == session:
            found.append((int(pid), head.partition("(")[2]))
    return found


def end(pid):
    """Waits a moment for a process that is about to die, then kills it.  -> True if it had to."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if select.select([fd], [], [], 2)[0]:
            return False
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        return True
    finally:
        os.close(fd)


def no_signal_ignored():
    """nohup, and a shell's &, let some be ignored; tests of signals start from the defaults."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def run(suite):
    """-> (output, exit status); the status of one that took too long or left something is 1."""
    command = [sys.executable, suite, "-v"] if suite.endswith(".py") else [*WRAP, suite]
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1",
               PYTHONPATH=os.path.join(os.path.dirname(__file__), "lib"))
    with tempfile.TemporaryFile("w+", errors="backslashreplace") as log:
        # a session of its own: so that what it leaves behind is found
        child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, start_new_session=True,
                                 preexec_fn=no_signal_ignored)
        remark = ""
        try:
            status = child.wait(timeout=SUITE_TIMEOUT)
        except subprocess.TimeoutExpired:
            child.kill()
            status = child.wait()
            remark = f"run.py: not ended after {SUITE_TIMEOUT:.0f} s\n"
        for pid, command in survivors(child.pid):
            if end(pid):
                remark += f"run.py: process {pid} ({command}) outlived the suite\n"
        log.seek(0)
        return log.read() + remark, 1 if remark else status


def count(output, status):
    """-> passed, failed, reasons of the skipped"""
    reasons = []
    if found := CHECK.findall(output):
        total, failures, errors = map(int, found[-1])
        failed = failures + errors
    elif found := UNITTEST.findall(output):
        total = int(found[-1][0])
        numbers = dict(re.findall(r"(\w[\w ]*)=(\d+)", found[-1][1]))
        failed = sum(int(numbers.get(k, 0)) for k in ("failures", "errors", "unexpected successes"))
        reasons = [f"{test}: {reason}" for test, reason in SKIPPED.findall(output)]
        total -= max(len(reasons), int(numbers.get("skipped", 0)))
    else:
        total, failed = 0, 1
    if failed == 0 and (status != 0 or (total == 0 and not reasons)):
        failed = 1
    return max(0, total - failed), failed, reasons


def judge(suite):
    """-> passed, failed, skipped, what is to be printed"""
    start = time.monotonic()
    output, status = run(suite)
    passed, failed, reasons = count(output, status)
    lines = [f"{'FAIL' if failed else 'ok  '}  {suite}: {passed} passed, {failed} failed, "
             f"{len(reasons)} skipped  ({time.monotonic() - start:.1f} s)"]
    lines += [f"SKIPPED  {reason}" for reason in reasons]
    if failed:
        lines += [output.rstrip(), f"FAIL  {suite}: exit status {status}"]
    return passed, failed, len(reasons), "\n".join(lines)


def main(suites):
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for done in concurrent.futures.as_completed([pool.submit(judge, suite) for suite in suites]):
            p, f, s, text = done.result()
            passed, failed, skipped = passed + p, failed + f, skipped + s
            print(text, flush=True)
    print(f"check: {passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not suites else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
