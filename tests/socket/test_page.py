"""The lease page: how clients get it, what they read in it, and what is not taken for one."""
import array
import mmap
import os
import resource
import shutil
import signal
import socket
import unittest

from page import CELLS_AT, Page, Strict, group_hash
from slotd import Client, Daemon, Failure, served

NOBODY = 65534
NOT_BELIEVED = "what was held before this start cannot be resumed"


class OneByOne(Client):
    """Reads byte by byte, and knows with which one a descriptor came."""

    def __init__(self, path):
        super().__init__(path)
        self.passed = []                # (bytes read before, descriptor)
        self.n_read = 0

    def receive(self):
        data, ancillary, _, _ = self.socket.recvmsg(1, socket.CMSG_SPACE(64))
        for _, _, content in ancillary:
            self.passed += [(self.n_read, fd) for fd in array.array("i", content)]
        self.n_read += len(data)
        return data

    def expect_passed_with(self, line_start):
        if [at for at, _ in self.passed] != [line_start]:
            raise Failure(f"descriptors came with {self.passed}, not with byte {line_start}")
        return Page(self.passed.pop()[1])


class Hello(unittest.TestCase):
    def test_first_byte_of_its_answer(self):
        """Also with a tag, and behind answers that are written before it."""
        with Daemon() as slotd:
            for before in "", "HELP\n", "#t PING\nHELP\nFROB\n":
                for tag in "", "#7 ":
                    with OneByOne(slotd.socket) as client:
                        client.send_bytes(f"{before}{tag}HELLO page=on\nPING\n".encode())
                        start = 0
                        while not (line := client.readline()).startswith(f"{tag}OK version="):
                            start = client.n_read
                        self.assertRegex(line, r"features=\S*\bpage\b\S* lease=10000 margin=500 left=\d+ now=\d+$")
                        client.expect("OK pong")
                        client.expect_passed_with(start)

    def test_behind_a_wait(self):
        """The answer is held back, and so is the descriptor."""
        with served() as (slotd, holder), OneByOne(slotd.socket) as client:
            holder.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            client.send("ACQUIRE g limit=1 wait=forever", "HELLO page=on", "#t PING")
            client.expect("#t OK pong")
            self.assertEqual(client.passed, [])
            holder.expect("OK", "RELEASE g 1")
            client.expect(r"OK 1 \d+ cell=\d+")     # strict since the HELLO was read
            start = client.n_read
            client.expect(r"OK version=.* lease=\d+ .*")
            client.expect_passed_with(start)

    def test_unread_answers_before_it(self):
        """The socket is full when the descriptor's turn comes."""
        with served() as (slotd, _), Strict(slotd.socket) as reader, OneByOne(slotd.socket) as client:
            client.send(*["HELP"] * 2000, "HELLO page=on")
            reader.expect("OK pong", "PING")
            for _ in range(2000):
                for _ in range(int(client.readline().split()[1])):
                    client.readline()
            start = client.n_read
            client.expect(r"OK version=.* lease=\d+ .*")
            client.expect_passed_with(start)

    def test_once(self):
        with served() as (slotd, _), Strict(slotd.socket) as client:
            client.expect(r"OK .* lease=10000 .*", "HELLO page=on")
            client.expect(r"OK .* lease=10000 .*", "HELLO label=x")
            client.expect(r"OK \S+ protocol=1 features=\S+", "HELLO page=off")
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=2")
            client.expect(r"OK .* lease=10000 .*", "HELLO page=on")
            client.expect(r"OK 2 \d+ cell=\d+", "ACQUIRE g limit=2")
            self.assertEqual(client.descriptors, [])

    def test_nobody_reads(self):
        """Clients that let the descriptor lie, or do not look for one."""
        with served() as (slotd, _):
            for _ in range(100):
                with slotd.client() as client:
                    client.send("HELLO page=on")
            with slotd.client() as client:
                client.expect("OK .* lease=.*", "HELLO page=on")
                client.expect(r"OK 1 \d+ cell=\d+", "ACQUIRE g limit=1")
            self.assertLess(len(os.listdir(f"/proc/{slotd.process.pid}/fd")), 50)


class Cells(unittest.TestCase):
    def test_a_hold(self):
        with served() as (slotd, raw), Strict(slotd.socket) as client:
            hold = client.acquire("ACQUIRE Z%C3%BCrich limit=3")
            token, _, group, slot, uid = client.page.cell(hold.cell)
            self.assertEqual((token, group, slot, uid), (hold.token, group_hash("Zürich"), 1, os.getuid()))
            self.assertTrue(0 < hold.left() <= (client.lease - client.margin) * 10**6)
            raw.expect(r"OK 2 \d+", "ACQUIRE Z%C3%BCrich limit=3")      # no cell for who reads none
            self.assertEqual([line.split()[-2:] for line in raw.ask_list("HOLDERS Z%C3%BCrich")],
                             [["proven=yes", f"cell={hold.cell}"], ["proven=yes", "cell=-"]])
            self.assertIn("cells=1", raw.ask_list("STATS"))
            client.expect("OK", "RELEASE Z%C3%BCrich 1")
            self.assertEqual(hold.left(), 0)
            self.assertEqual(client.page.cell(hold.cell)[:2], (0, 0))

    def test_several_slots(self):
        with served() as (slotd, _), Strict(slotd.socket) as client:
            hold = client.acquire("ACQUIRE g limit=5 n=3")
            for i in range(3):
                self.assertGreater(client.page.left(hold.cell + i, hold.token), 0)
            client.expect("OK", "RELEASE g 2")
            self.assertEqual([client.page.left(hold.cell + i, hold.token) > 0 for i in range(3)],
                             [True, False, True])

    def test_renewed(self):
        """Whether or not anybody says anything."""
        with Daemon("[lease]\nlease_ms = 1000\nmargin_ms = 50\n") as slotd, Strict(slotd.socket) as client:
            hold = client.acquire("ACQUIRE g limit=1")
            first = client.page.cell(hold.cell)[1]
            while client.page.cell(hold.cell)[1] == first:
                self.assertGreater(hold.left(), 0)
                client.is_readable(0.01)
            self.assertGreater(hold.left(), 0)

    def test_end_of_a_hold(self):
        """The cell has ended when the client is told."""
        with served() as (slotd, _), Strict(slotd.socket) as client:
            hold = client.acquire("ACQUIRE g limit=1 hold=20ms")
            client.expect(f"!LOST {hold.name} hold")
            self.assertEqual(hold.left(), 0)

    def test_full(self):
        """Whoever gets no cell is a raw client for that hold."""
        with Daemon("[daemon]\nmax_cells = 64\n") as slotd, Strict(slotd.socket) as client:
            hold = client.acquire("ACQUIRE g limit=100 n=63")
            client.expect(r"OK 64,65 \d+", "ACQUIRE g limit=100 n=2")
            client.acquire("ACQUIRE g limit=100")
            client.expect(r"OK 67 \d+", "ACQUIRE g limit=100")
            self.assertIn("no_cells=2", client.ask_list("STATS"))
            client.expect("OK", f"RELEASE g {hold.slots}")
            client.acquire("ACQUIRE g limit=100 n=63")

    def test_moves(self):
        """RESUME at the same slotd, by a strict client and by a raw one."""
        with served() as (slotd, raw), Strict(slotd.socket) as first, Strict(slotd.socket) as second:
            hold = first.acquire("ACQUIRE g limit=1")
            moved = second.resume(hold)
            self.assertGreater(moved.left(), 0)
            raw.expect(f"OK 1 {hold.token}", f"RESUME {hold.name}")
            self.assertEqual((hold.left(), moved.left()), (0, 0))
            self.assertGreater(first.resume(hold).left(), 0)


class Descriptor(unittest.TestCase):
    def test_read_only(self):
        with served() as (slotd, _), OneByOne(slotd.socket) as client:
            client.expect("OK .*", "HELLO page=on")
            fd = client.passed.pop()[1]
            with self.assertRaises(PermissionError):
                mmap.mmap(fd, 0)
            with self.assertRaises(OSError):
                os.ftruncate(fd, 0)
            self.assertEqual(os.fstat(fd).st_mode & 0o7777, 0o600)
            os.close(fd)


class AtStart(unittest.TestCase):
    """What lies there when slotd starts."""

    def start_with(self, spoil, expect=NOT_BELIEVED):
        """A hold, kill -9, spoil(path of the page), start: the hold is not resumed, all else goes on."""
        with Daemon(expect=[expect]) as slotd:
            with Strict(slotd.socket) as client:
                hold = client.acquire("ACQUIRE g limit=1")
                slotd.kill(keep=True)
            path = slotd.socket + ".page"
            spoil(path)
            slotd.start()
            slotd.log.wait_for(expect)
            with slotd.client() as client:
                client.expect("ERR lost .*", f"RESUME {hold.name}")
                client.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=5s")     # sooner than the lease ends
                yield slotd, path

    def check(self, spoil):
        for slotd, _ in self.start_with(spoil):
            with Strict(slotd.socket) as client:
                self.assertGreater(client.acquire("ACQUIRE h limit=1").left(), 0)

    @staticmethod
    def write(path, offset, data):
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def test_truncated(self):
        for size in 0, 100, CELLS_AT, CELLS_AT + 16:
            with self.subTest(size=size):
                self.check(lambda path, n=size: os.truncate(path, n))

    def test_nonsense(self):
        self.check(lambda path: self.write(path, 0, b"\xff" * CELLS_AT))

    def test_other_version(self):
        self.check(lambda path: self.write(path, 8, b"\2"))

    def test_other_boot(self):
        self.check(lambda path: self.write(path, 32, b"a boot of before"))

    def test_symbolic_link(self):
        def link(path):
            os.rename(path, path + ".old")
            os.symlink(path + ".old", path)

        for _, path in self.start_with(link):
            self.assertFalse(os.path.islink(path))
            os.unlink(path + ".old")

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a file away")
    def test_other_user(self):
        self.check(lambda path: os.chown(path, NOBODY, NOBODY))

    def test_directory(self):
        """There is no page then: every client is a raw one."""
        def make(path):
            os.unlink(path)
            os.mkdir(path)

        for slotd, path in self.start_with(make, f"({NOT_BELIEVED}|cannot be made)"):
            slotd.log.wait_for("slotd.sock.page: cannot be made: ")
            with slotd.client() as client:
                client.expect(r"OK version=\S+ protocol=1 features=audit,\S+,n,ps,reload,resume,tags,why", "HELLO page=on")
                client.expect(r"OK 1 \d+", "ACQUIRE h limit=1")
            shutil.rmtree(path)

    def test_no_room(self):
        """A file of that size cannot be had."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))

        with Daemon(before_exec=limit, expect=["slotd.sock.page: cannot be made: .* File too large"]) as slotd:
            with slotd.client() as client:
                client.expect(r"OK version=\S+ protocol=1 features=\S+", "HELLO page=on")
                client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")


if __name__ == "__main__":
    unittest.main()
