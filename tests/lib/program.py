"""The C programs of tests/socket, which use libslot and talk to their test line by line."""
import os
import subprocess

from slotctl import read_line
from slotd import WRAP, Failure, wait_end

LIBSLOT = os.path.abspath(os.environ.get("LIBSLOT", "build/libslot.a"))
BUILD = os.path.dirname(LIBSLOT)


class Program:
    def __init__(self, slotd, name, *args):
        self.process = subprocess.Popen(
            [*WRAP, os.path.join(BUILD, name), *args], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "SLOTD_SOCKET": slotd.socket})

    def line(self):
        return read_line(self.process.stdout.fileno())

    def expect(self, *lines):
        for line in lines:
            found = self.line()
            if found != line:
                raise Failure(f"expected {line!r}, got {found!r}")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def go(self):
        self.say("go")

    def ask(self, line):
        """-> what it says to that"""
        self.say(line)
        return self.line()

    def end(self):
        rest = self.process.stdout.read()
        if wait_end(self.process, "the program") != 0 or rest:
            raise Failure(f"it ended with status {self.process.returncode}, saying {rest!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
