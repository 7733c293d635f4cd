"""A client that speaks the protocol by itself, and knows no more than what it is told.

usage: raw.py LOG SOCKET HOST SEED      until SIGTERM

It takes a hold for good from its OK until it has read !LOST, has sent RELEASE or has seen the end
of the connection: STILL says that nothing of that kind had arrived at that time."""
import random
import select
import signal
import socket
import sys
import time

import record
from choice import choose

LOOK = 0.01                             # seconds between two looks at a hold


class Gone(Exception):
    """The connection has ended."""


class Raw:
    def __init__(self, log, path, generator):
        self.log, self.path, self.random = log, path, generator
        self.is_ending = False
        self.lines = []
        self.socket = None
        signal.signal(signal.SIGTERM, self._on_term)

    def _on_term(self, *_):
        self.is_ending = True

    def connect(self):
        """-> whether there is a connection: not if the client is to end"""
        self.lines, self._half, pause = [], b"", 0.05
        while not self.is_ending:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(self.path)
                self.send("HELLO label=raw events=on")
                if self.answer()[0] == "OK":
                    return True
            except (OSError, Gone):
                pass
            self.socket.close()
            time.sleep(pause)
            pause = min(2 * pause, 0.5)
        return False

    def send(self, line):
        try:
            self.socket.sendall(line.encode() + b"\n")
        except OSError:
            raise Gone from None

    def read(self, seconds):
        """Reads what there is, after at most so long (None: for ever).  -> is there a line?"""
        if not self.lines and select.select([self.socket], [], [], seconds)[0]:
            try:
                data = self.socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                raise Gone
            *whole, self._half = (self._half + data).split(b"\n")
            self.lines = [line.decode() for line in whole]
        return bool(self.lines)

    def line(self):
        while not self.read(None):
            pass
        return self.lines.pop(0)

    def answer(self):
        """The next answer to a request.  -> its words; events before it are what it makes void"""
        while (line := self.line()).startswith("!"):
            if not line.startswith("!LOST "):
                raise ValueError(f"read {line!r}")
        return line.split()

    def turn(self):
        """Asks once, and works if there is a slot."""
        what = choose(self.random)
        self.log.ask(what.group, what.limit)
        try:
            self.send(f"ACQUIRE g{what.group} limit={what.limit} n={what.n} wait={what.wait}")
            words = self.answer()
        except Gone:
            self.log.say(record.REFUSED, record.now())
            raise
        if words[0] == "OK":
            self.work(what, [int(slot) for slot in words[1].split(",")], int(words[2]))
        else:
            self.log.say(record.REFUSED, record.now())
            if words[1] not in ("full", "timeout", "unavailable", "shutdown"):
                raise ValueError(f"{record.now()}: read {words}")
        time.sleep(what.pause if words[0] == "OK" else 0.05)

    def work(self, what, slots, token):
        hold = {"token": token, "slots": slots}
        end = time.monotonic() + what.work
        entered = is_left = False
        try:
            while True:
                looked = record.now()
                if self.read(0):
                    break
                self.log.say(record.STILL if entered else record.ENTER, looked, **hold)
                entered = True
                left = end - time.monotonic()
                if left <= 0 or self.is_ending or self.read(min(left, LOOK)):
                    break
            if self.lines:
                self.lost(hold, what.group, entered)
            if self.random.random() < 0.2:      # the kernel gives it back
                self.socket.shutdown(socket.SHUT_RDWR)
                is_left = True
                self.log.say(record.LEAVE, record.now(), **hold)
                raise Gone
            self.send(f"RELEASE g{what.group} {','.join(map(str, slots))} token={token}")
            answer = self.answer()
            if answer[0] != "OK" and answer[1] not in ("lost", "nothold"):
                raise ValueError(f"read {answer}")
            self.log.say(record.LEAVE if answer[0] == "OK" else record.LOST, record.now(), **hold)
        except Gone:
            if not is_left:
                self.log.say(record.GONE, record.now(), **hold)
            raise

    def lost(self, hold, group, entered):
        line = self.lines.pop(0)
        slots = ",".join(map(str, hold["slots"]))
        if not line.startswith(f"!LOST g{group} {slots} {hold['token']} "):
            raise ValueError(f"read {line!r}")
        if not entered:
            self.log.say(record.STALE, record.now(), **hold)

    def run(self):
        while self.connect():
            try:
                while not self.is_ending:
                    self.turn()
            except Gone:
                pass
            self.socket.close()


def main(log, path, host, seed):
    Raw(record.Writer(log, "raw", int(host)), path, random.Random(seed)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
