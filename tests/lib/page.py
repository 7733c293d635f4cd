"""The lease page, read as PROTOCOL.txt says; and a raw client that reads it."""
import array
import mmap
import os
import socket
import struct
import time

from slotd import Client, Failure

HEADER = struct.Struct("=8sIIIIII16sQQ64Q")
CELL = struct.Struct("=QqQII")
CELLS_AT = 4096


def boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return bytes.fromhex(file.read().replace("-", ""))


def group_hash(name):
    made = 14695981039346656037
    for byte in name.encode():
        made = (made ^ byte) * 1099511628211 % 2**64
    return made


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Page:
    """A page, through a descriptor that is taken."""

    def __init__(self, fd):
        try:
            self.map = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        (magic, version, header_size, cell_size, self.n_cells, self.n_inherited, _, boot,
         self.install, self.generation, *self.eras) = HEADER.unpack_from(self.map)
        wanted = (b"slotpage", 1, CELLS_AT, CELL.size, boot_id())
        if (magic, version, header_size, cell_size, boot) != wanted:
            raise Failure("not a lease page of this boot")
        if len(self.map) != CELLS_AT + CELL.size * (self.n_cells + self.n_inherited):
            raise Failure(f"the page has {len(self.map)} bytes")

    def cell(self, number):
        """-> token, deadline, group, slot, uid"""
        return CELL.unpack_from(self.map, CELLS_AT + CELL.size * number)

    def inherited(self):
        """-> the cells that hold something, of those that are inherited"""
        cells = (self.cell(self.n_cells + i) for i in range(self.n_inherited))
        return [cell for cell in cells if cell[0]]

    def left(self, number, token):
        """ns for which the hold is proven; 0: it is not"""
        at = CELLS_AT + CELL.size * number
        deadline = struct.unpack_from("=q", self.map, at + 8)[0]
        is_its = struct.unpack_from("=Q", self.map, at)[0] == token
        return max(deadline - now(), 0) if is_its else 0


class Strict(Client):
    """A client that has said HELLO events=on page=on, and reads the page."""

    def __init__(self, path):
        super().__init__(path)
        self.descriptors = []
        before = now()
        found = self.expect(r"OK version=\S+ protocol=1 features=(\S+) lease=(\d+) margin=(\d+) left=\d+ now=(\d+)",
                            "HELLO events=on page=on")
        self.lease, self.margin, clock = (int(number) for number in found.groups()[1:])
        if "page" not in found[1].split(",") or not before <= clock <= now():
            raise Failure(f"HELLO was answered {found[0]!r}")
        if len(self.descriptors) != 1:
            raise Failure(f"{len(self.descriptors)} descriptors came with the OK")
        self.page = Page(self.descriptors.pop())

    def receive(self):
        data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(64))
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self.descriptors += array.array("i", content)
        return data

    def acquire(self, line):
        """-> Hold"""
        found = self.expect(r"OK (\S+) (\d+) cell=(\d+)", line)
        return Hold(self, line.split()[1], found[1], int(found[2]), int(found[3]))

    def resume(self, hold):
        """-> the hold as it is here"""
        return self.acquire(f"RESUME {hold.name}").check_is(hold)


class Hold:
    def __init__(self, client, group, slots, token, cell):
        self.client, self.group, self.slots, self.token, self.cell = client, group, slots, token, cell

    @property
    def name(self):
        """as RESUME and events have it"""
        return f"{self.group} {self.slots} {self.token}"

    def left(self):
        return self.client.page.left(self.cell, self.token)

    def check_is(self, other):
        if self.name != other.name:
            raise Failure(f"{other.name} has become {self.name}")
        return self
