"""client/python/slotd.py with a made-up slotd: the lease page, sound and damaged, and what is said
when a connection breaks, line by line."""
import array
import contextlib
import os
import re
import shutil
import socket
import struct
import tempfile
import time
import unittest
import unittest.mock

from pyclient import slotd as py
from slotd import TIMEOUT, Client

HELLO = "HELLO events=on detail=on"
HOUR = 3600 * 10**9


def boottime():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Page:
    """A page as slotd makes it, with four cells."""

    def __init__(self, magic=b"slotpage", version=1, header=4096, cell=32, cells=4, boot=None,
                 size=None):
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot_id = bytes.fromhex(re.sub("[^0-9a-f]", "", file.read()))
        self.fd = os.memfd_create("page")
        os.write(self.fd, struct.pack("=8sIIIIII16sQQ", magic, version, header, cell, cells, 1, 0,
                                      boot or boot_id, 7, 1))
        os.truncate(self.fd, 4096 + 5 * 32 if size is None else size)

    def set(self, cell, token, deadline):
        os.pwrite(self.fd, struct.pack("=Qq", token, deadline), 4096 + 32 * cell)


class Slotd:
    """One that answers what the test tells it to."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="slotd-test-")
        self.path = os.path.join(self.dir, "slotd.sock")
        self.client = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.settimeout(TIMEOUT)
        self.listener.bind(self.path)
        self.listener.listen()

    def accept(self):
        accepted = self.listener.accept()[0]
        accepted.settimeout(TIMEOUT)
        self.client = Client.__new__(Client)    # lines, as there; but we did not connect
        self.client.socket, self.client._buffer = accepted, b""

    def hear(self, pattern, *answers):
        """Reads a line, which must match as a whole, and answers with the tag that it had."""
        found = self.client.expect(rf"(#\w+ )?{pattern}")
        for answer in answers:
            self.client.send((found[1] or "") + answer)
        return found

    def greet(self, page=None, now=0):
        self.accept()
        self.client.expect(f"{HELLO} page=on")
        if page:
            line = f"OK version=1 protocol=1 lease=9 margin=1 now={boottime() + now}\n".encode()
            fds = array.array("i", [page.fd])
            self.client.socket.sendmsg([line[:9]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            self.client.socket.sendall(line[9:])
        else:
            self.client.send("OK version=1 protocol=1")

    def end_connection(self):
        self.client.close()
        self.client = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        if self.client:
            self.client.close()
        shutil.rmtree(self.dir)


class Case(unittest.TestCase):
    def setUp(self):
        self.slotd = self.enter(Slotd())
        self.connection = self.enter(py.Connection(self.slotd.path, connect_timeout=TIMEOUT))

    def enter(self, context):
        self.addCleanup(context.__exit__, None, None, None)
        return context.__enter__()

    def page(self, **damage):
        page = Page(**damage)
        self.addCleanup(os.close, page.fd)
        return page

    def held(self, answer="OK 3 77 limit=9 cell=2", **options):
        """-> a hold of group g, of a connection that is greeted"""
        request = self.connection._acquire("g", 9, **options)
        self.slotd.hear("ACQUIRE g limit=9.*", answer)
        return request.future.result(TIMEOUT)

    def held_by_page(self, page, now=0, **options):
        request = self.connection._acquire("g", 9, **options)
        self.slotd.greet(page, now)
        self.slotd.hear("ACQUIRE g limit=9.*", "OK 3 77 limit=9 cell=2")
        return request.future.result(TIMEOUT)

    def settled(self):
        """What slotd has sent until now has been read."""
        request = self.connection._acquire("settled", 1, 0)
        self.slotd.hear("ACQUIRE settled.*", "ERR full limit=1")
        self.assertRaises(py.ConcurrencyLimitExceededException, request.wait)


class Proof(Case):
    def test_the_cell_decides(self):
        page = self.page()
        page.set(2, 77, boottime() + HOUR)
        hold = self.held_by_page(page)
        self.assertIs(hold.valid(), True)
        self.assertTrue(3500 < hold.left() <= 3600)
        for token, deadline, proven in ((77, boottime(), False), (77, boottime() + HOUR, True),
                                        (0, boottime() + HOUR, False), (77, -1, False),
                                        (2**63 - 1, boottime() + HOUR, False),
                                        (77, 2**63 - 1, True)):
            page.set(2, token, deadline)
            self.assertIs(hold.valid(), proven, (token, deadline))
            self.assertEqual(hold.left() > 0, proven)
        self.slotd.client.send("!UNPROVEN g 3 77", "!KEPT g 3 77", "!SOMETHING new")
        self.settled()
        self.assertEqual((hold.lost, hold.valid()), (None, True))
        self.slotd.client.send("!LOST g 4 77 taken", "!LOST g 3 77 lease")
        self.settled()
        self.assertEqual((hold.lost, hold.valid(), hold.left()), ("lease", False, 0))

    def test_what_was_proven_at_the_end_is_not_lost(self):
        page = self.page()
        page.set(2, 77, boottime() + HOUR)
        for proven in True, False:
            with self.subTest(proven=proven):
                if self.slotd.client is None:
                    hold = self.held_by_page(page)
                else:
                    hold = self.held()
                page.set(2, 77, boottime() + (HOUR if proven else 0))
                self.slotd.client.send("!LOST other 3 77 taken")
                request = self.connection._start_release(hold)
                self.slotd.hear("RELEASE g 3 token=77", "ERR lost slot 3")
                with contextlib.nullcontext() if proven else self.assertRaises(py.SlotLost), \
                        hold._judged(request.proven):
                    request.wait()

    def test_no_cell(self):
        self.held_by_page(self.page())
        for answer in "OK 3 78", "OK 3 79 cell=4", "OK 3 80 limit=9":
            hold = self.held(answer)
            self.assertEqual((hold.valid(), hold.left()), (None, None))
        hold = self.held("OK 0 5 unproven=yes")
        self.assertEqual((hold.number, hold.valid()), (0, False))

    def test_unusable_pages(self):
        for damage, now in (({"magic": b"slotpagf"}, 0), ({"version": 2}, 0), ({"header": 8192}, 0),
                            ({"cell": 64}, 0), ({"cells": 5}, 0), ({"cells": 2**32 - 1}, 0),
                            ({"boot": bytes(16)}, 0), ({"size": 5000}, 0), ({"size": 4096}, 0),
                            ({"size": 20}, 0), ({"size": 0}, 0), ({}, HOUR), ({}, -HOUR)):
            with self.subTest(str(damage), now=now):
                request = self.connection._acquire("g", 9)
                self.slotd.greet(self.page(**damage), now)
                self.slotd.hear(f"{HELLO} page=off", "OK version=1 protocol=1")
                self.slotd.hear("ACQUIRE g limit=9", "OK 3 77 limit=9")
                hold = request.future.result(TIMEOUT)
                self.assertIs(hold.valid(), None)
                request = self.connection._start_release(hold)
                self.slotd.hear("RELEASE g 3 token=77", "OK")
                request.wait()
                self.slotd.end_connection()

    def test_older_slotd(self):
        request = self.connection._acquire("g", 9)
        self.slotd.accept()
        self.slotd.hear(f"{HELLO} page=on", "ERR badkey key=page no such key")
        self.slotd.hear(HELLO, "OK version=0 protocol=1")
        self.slotd.hear("ACQUIRE g limit=9", "OK 3 77 limit=9")
        self.assertIs(request.future.result(TIMEOUT).valid(), None)


class Break(Case):
    def test_holds_first_then_waiters(self):
        old, new = self.page(), self.page()
        old.set(2, 77, boottime() + HOUR)
        hold = self.held_by_page(old, label="a b")
        first = self.connection._acquire("w", 1, 3600)
        second = self.connection._acquire("w", 2, py.FOREVER)
        self.slotd.hear("ACQUIRE w limit=1 wait=3600000")
        self.slotd.hear("ACQUIRE w limit=2 wait=forever")
        self.slotd.end_connection()
        self.slotd.greet(new)
        resume = self.slotd.hear("RESUME g 3 77 limit=9 label=a%20b")
        self.slotd.hear(r"ACQUIRE w limit=1 wait=(3[0-5]\d{5})", "ERR full limit=1")
        self.slotd.hear("ACQUIRE w limit=2 wait=forever", "OK 1 78 limit=2 cell=0")
        self.assertRaises(py.ConcurrencyLimitExceededException, first.wait)
        self.assertEqual(second.wait().number, 1)
        self.assertIs(hold.valid(), True)       # by the old page
        new.set(3, 77, boottime() + HOUR)
        self.slotd.client.send(f"{resume[1]}OK 3 77 limit=9 cell=3")
        self.settled()
        old.set(2, 0, 0)
        self.assertIs(hold.valid(), True)       # by the new one
        new.set(3, 0, 0)
        self.assertIs(hold.valid(), False)

    def test_lost(self):
        for answer in "ERR lost slot 3: ...", "ERR unknown no such request":
            with self.subTest(answer):
                request = self.connection._acquire("g", 9)
                self.slotd.greet()
                self.slotd.hear("ACQUIRE g limit=9", "OK 3 77 limit=9")
                hold = request.wait()
                self.slotd.end_connection()
                self.slotd.greet()
                self.slotd.hear("RESUME g 3 77 limit=9", answer)
                with self.assertRaises(py.SlotLost):
                    hold.release()
                self.assertEqual(hold.lost, "lost")
                self.slotd.end_connection()

    def test_resume_that_could_not_be_answered(self):
        self.enter(unittest.mock.patch.object(py, "PAUSE_MAX", 0.01))
        request = self.connection._acquire("g", 9)
        self.slotd.greet()
        self.slotd.hear("ACQUIRE g limit=9", "OK 3,4 77 limit=9")
        hold = request.wait()
        self.slotd.end_connection()
        self.slotd.greet()
        for _ in range(3):
            self.slotd.hear("RESUME g 3,4 77 limit=9", "ERR nomem no memory")
        self.slotd.hear("RESUME g 3,4 77 limit=9", "OK 3,4 77 limit=9")
        self.settled()
        self.assertIs(hold.lost, None)

    def test_release_while_nobody_listens(self):
        """It waits for the OK of RESUME; and is said again if it was not answered."""
        request = self.connection._acquire("g", 9)
        self.slotd.greet()
        self.slotd.hear("ACQUIRE g limit=9", "OK 3 77 limit=9")
        hold = request.wait()
        self.slotd.end_connection()
        self.slotd.greet()
        resume = self.slotd.hear("RESUME g 3 77 limit=9")
        request = self.connection._start_release(hold)
        self.settled()
        self.slotd.client.send(f"{resume[1]}OK 3 77")
        self.slotd.hear("RELEASE g 3 token=77")
        self.slotd.end_connection()
        self.slotd.greet()
        self.slotd.hear("RESUME g 3 77 limit=9", "OK 3 77")
        self.slotd.hear("RELEASE g 3 token=77", "OK")
        request.wait()

    def test_grant_that_nobody_waits_for_any_more(self):
        connection = self.connection
        request = connection._acquire("g", 9, py.FOREVER)
        self.slotd.greet()
        acquire = self.slotd.hear("ACQUIRE g limit=9 wait=forever")
        request.give_up = 0                     # as when slotd has not answered for long
        with self.assertRaises(py.SlotdError) as caught:
            request.wait()
        self.assertEqual(caught.exception.code, "unanswered")
        self.slotd.hear(f"CANCEL {acquire[1].strip()}", "ERR notag")
        self.slotd.client.send(f"{acquire[1]}OK 3 77 limit=9")
        self.slotd.hear("RELEASE g 3 token=77", "OK")

    def test_garbage(self):
        request = self.connection._acquire("g", 9, 3600)
        for line in b"\xff\xfe", b"", b"#1 OK", b"#1 OK x y", b"#1 ERR", b"!LOST", b"OK":
            self.slotd.greet()
            tag = self.slotd.hear("ACQUIRE g limit=9 .*")[1].strip().encode()
            self.slotd.client.send_bytes(line.replace(b"#1", tag) + b"\n")
            if line == b"OK":
                self.slotd.client.send(f"{tag.decode()} OK 3 77")
                request.wait()
            else:
                self.slotd.client.expect_eof()


if __name__ == "__main__":
    unittest.main()
