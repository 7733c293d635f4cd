"""PROTOCOL.txt against a real daemon: each of its transcripts is replayed."""
import re
import unittest

from slotd import Daemon

# What the transcripts that speak of a configuration take for granted.
CONFIG = """
[daemon]
unknown_groups = refuse
[group doc-*]
wait_ms = 10000
[group doc-queue]
limit = 1
max_waiters = 1
"""

KINDS = {"token": r"[1-9]\d*", "ms": r"\d+", "pid": r"(?:\d+|-)", "uid": r"\d+", "n": r"\d+",
         "version": r"\S+", "host": r"\S+"}

# Errors that no transcript can show in a few lines: other tests provoke them.  The backend in
# memory never says "backend" or "unavailable".
NOT_SHOWN = {"toolong", "toomany", "clients", "shutdown", "nomem", "backend",
             "unavailable", "denied", "groups", "holds", "config"}


def read_page():
    with open("proto/PROTOCOL.txt", encoding="utf-8") as file:
        return file.read()


def blocks(page):
    """-> [(number of the first line, [(client, direction, text)])]"""
    found, previous = [], 0
    for number, line in enumerate(page.split("\n"), 1):
        step = re.fullmatch(r"  ([AB])([<>]) (.*)", line)
        if not step:
            continue
        if number != previous + 1:
            found.append((number, []))
        found[-1][1].append(step.groups())
        previous = number
    return found


def pattern(text):
    """The regular expression for a line as the page writes it."""
    parts = re.split(r"<(\w+)>", text.removesuffix(" ..."))
    made = "".join(f"(?P<{part}>{KINDS[part]})" if i % 2 else re.escape(part)
                   for i, part in enumerate(parts))
    return made + (r"(?: .*)?" if text.endswith(" ...") else "")


class Transcripts(unittest.TestCase):
    def test_replay(self):
        for number, steps in blocks(read_page()):
            with self.subTest(line=number), Daemon(CONFIG) as slotd:
                with slotd.client() as a, slotd.client() as b:
                    token = ""          # the one that was read last
                    for name, direction, text in steps:
                        client = a if name == "A" else b
                        if direction == ">":
                            client.send(text.replace("<token>", token))
                        else:
                            token = client.expect(pattern(text)).groupdict().get("token", token)

    def test_every_verb_and_error_is_shown(self):
        page = read_page()
        sent = [text for _, steps in blocks(page) for _, direction, text in steps if direction == ">"]
        got = [text for _, steps in blocks(page) for _, direction, text in steps if direction == "<"]
        verbs = {re.sub(r"^#\S+ ", "", text).split()[0] for text in sent}
        codes = {match[1] for match in (re.match(r"(?:#\S+ )?ERR (\w+)", text) for text in got) if match}
        with Daemon() as slotd, slotd.client() as a:
            known = {line.split()[0] for line in a.ask_list("HELP")}
        table = set(re.findall(r"^  (\w+) +(?:again|never|bug|told) ", page, re.M))
        self.assertEqual(known, verbs - {"FROB"})
        self.assertEqual(table - NOT_SHOWN, codes)


if __name__ == "__main__":
    unittest.main()
