"""The stories of this directory, with real daemons and a real Redis; story.h says what they mean."""
import contextlib
import glob
import os
import re
import signal
import time
import unittest

from fleet import after_exchange, fleet
from redis import Redis
from slotd import Failure

LATE = 0.25     # so long after its time, that something has been heard says nothing any more

FORMS = {
    "say": r"(?P<host>[A-D])\.c(?P<client>\d+) > (?P<text>.+)",
    "hear": r"(?P<host>[A-D])\.c(?P<client>\d+) < (?P<text>.+)",
    "nothing": r"nothing for (?P<host>[A-D])\.c(?P<client>\d+)",
    "kill_client": r"kill -9 (?P<host>[A-D])\.c(?P<client>\d+)",
    "kill_daemon": r"kill (?P<host>[A-D])",
    "lose": r"lose the next push to (?P<host>[A-D])",
}
TIME = re.compile(r"(?:(at|by) +(\d+) +)?")


def read(path):
    """-> {key: ms or number}, [(number of the line, its text, ms or None, form, match)]"""
    config, steps = {"hosts": 2, "lease_ms": 4000, "idle_ms": 1000}, []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(map(str.strip, file), 1):
            if found := re.fullmatch(r"config (\w+)=(\d+)", line):
                config[found[1]] = int(found[2])
            elif line and not line.startswith("#"):
                when = TIME.match(line)
                found = [(form, match) for form, pattern in FORMS.items()
                         if (match := re.fullmatch(pattern, line[when.end():]))]
                if len(found) != 1:
                    raise ValueError(f"{path}:{number}: no line of a story: {line}")
                ms = int(when[2]) if when[1] == "at" else None
                steps.append((number, line, ms, *found[0]))
    return config, steps


def pattern(text):
    words = [r"\S+" if word == "*" else re.escape(word) for word in text.removesuffix(" ...").split()]
    return " ".join(words) + (r"(?: .*)?" if text.endswith(" ...") else "")


class Stage:
    def __init__(self, redis, daemons, stack):
        self.redis, self.stack = redis, stack
        self.daemons = dict(zip("ABCD", daemons))
        self.clients = {}                   # (host, number) -> Client
        self.deaf = None                    # the host whose daemon is stopped
        self.ms, self.since = 0, time.monotonic()   # the last `at`, and when that was

    def client(self, match):
        name = match["host"], match["client"]
        if name not in self.clients:
            self.clients[name] = self.stack.enter_context(self.daemons[match["host"]].client())
        return self.clients[name]

    def play(self, form, match, ms):
        """Real time passes only where nothing must be heard."""
        if form == "nothing":
            until = self.since + ((self.ms if ms is None else ms) - self.ms) / 1000
            self.nothing(self.client(match), until)
        elif ms is not None:
            self.ms, self.since = ms, time.monotonic()
        if form != "nothing":
            getattr(self, form)(match)

    def say(self, match):
        self.client(match).send(match["text"])
        after_exchange(self.daemons[match["host"]])

    def hear(self, match):
        if self.deaf == match["host"]:
            self.daemons[self.deaf].process.send_signal(signal.SIGCONT)
            self.deaf = None
        self.client(match).expect(pattern(match["text"]))

    @staticmethod
    def nothing(client, until):
        readable = client.is_readable(max(0, until - time.monotonic()))
        if readable and time.monotonic() < until + LATE:
            raise Failure(f"has heard: {client.readline()}")

    def kill_client(self, match):
        """Its connection closes, as the kernel does it."""
        self.client(match).close()
        del self.clients[match["host"], match["client"]]
        after_exchange(self.daemons[match["host"]])

    def kill_daemon(self, match):
        self.daemons[match["host"]].kill(keep=True)
        self.clients = {name: client for name, client in self.clients.items()
                        if name[0] != match["host"]}

    def lose(self, match):
        """It is stopped until it must hear again, and all subscriptions are broken meanwhile."""
        self.deaf = match["host"]
        self.daemons[self.deaf].process.send_signal(signal.SIGSTOP)
        for slotd in self.daemons.values():
            slotd.expect.append("trying again")
        self.redis.ask("CLIENT", "KILL", "TYPE", "pubsub")


class Scenario(unittest.TestCase):
    """A test for each story."""

    def play(self, path):
        config, steps = read(path)
        with Redis() as redis, contextlib.ExitStack() as stack:
            text = redis.config(lease=config["lease_ms"],
                                lease_more=f"grace_ms = 0\nidle_ms = {config['idle_ms']}")
            daemons = stack.enter_context(fleet(redis, config["hosts"], text))
            stage = Stage(redis, daemons, stack)
            for number, line, ms, form, match in steps:
                with self.explained(f"{path}:{number}: {line}"):
                    stage.play(form, match, ms)
            for (host, number), client in stage.clients.items():
                with self.explained(f"{path}: {host}.c{number} at the end"):
                    stage.nothing(client, time.monotonic())

    @staticmethod
    @contextlib.contextmanager
    def explained(where):
        try:
            yield
        except Exception as error:
            raise Failure(f"{where}: {error}") from error


def add_tests():
    for path in sorted(glob.glob("tests/scenario/*.story")):
        name = os.path.basename(path).removesuffix(".story")
        setattr(Scenario, f"test_{name}", lambda self, path=path: self.play(path))


add_tests()

if __name__ == "__main__":
    unittest.main()
