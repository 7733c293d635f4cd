"""Many real processes, each with its own connection, that hold or wait until the test is over."""
import contextlib
import os
import socket

from slotd import Failure


def _live(path, lines, answers, ready, go):
    """A process says its lines, reads so many answers, says that it has, and waits for the end."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(b"".join(line.encode() + b"\n" for line in lines))
        file = connection.makefile("rb")
        for _ in range(answers):
            if not file.readline():
                return
        os.write(ready, b".")
        os.read(go, 1)


@contextlib.contextmanager
def processes(plan):
    """plan: of each process the socket of its daemon, what it says, and how many answers it has then.
    -> their pids, when all have them"""
    pids = []
    ready, ready_end = os.pipe()
    go, go_end = os.pipe()
    for path, lines, answers in plan:
        pid = os.fork()
        if pid == 0:
            try:
                os.close(go_end)
                os.close(ready)
                _live(path, lines, answers, ready_end, go)
            finally:
                os._exit(0)
        pids.append(pid)
    os.close(ready_end)
    try:
        count = 0
        while count < len(pids):
            more = os.read(ready, 4096)
            if not more:
                raise Failure(f"{len(pids) - count} processes have not been answered")
            count += len(more)
        yield pids
    finally:
        os.close(go_end)
        for pid in pids:
            os.waitpid(pid, 0)
        os.close(ready)
        os.close(go)
