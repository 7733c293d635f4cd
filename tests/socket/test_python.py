"""client/python/slotd.py and a real slotd: what limit() gives and raises, threads, asyncio, fork."""
import asyncio
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import unittest
import unittest.mock

from crowd import Counter
from pyclient import ANY, PATH, asked, slotd as py
from slotd import TIMEOUT, Daemon, served, wait_end

def holders(client, group):
    """-> [(slot, token, label)]"""
    lines = client.ask_list(f"HOLDERS {group}")
    values = [dict(word.split("=") for word in line.split()) for line in lines]
    return [(int(line["slot"]), int(line["token"]), line["label"]) for line in values]


class Limit(unittest.TestCase):
    def test_number(self):
        with served() as (slotd, client):
            with py.limit("g", limit=2, path=slotd.socket) as first:
                with py.limit("g", 2, 0, label="a b", path=slotd.socket) as second:
                    self.assertEqual((first, second), (1, 2))
                    self.assertEqual([(slot, label) for slot, _, label in holders(client, "g")],
                                     [(1, "-"), (2, "a%20b")])
            self.assertEqual(holders(client, "g"), [])

    def test_configuration_and_decorator(self):
        configuration = py.LimitConfiguration(key="g", limit=1, limit_interval=0.5, limit_expire=20)
        self.assertEqual(configuration.limit_timeout, 10)
        with served() as (slotd, client):

            @py.limit(configuration, path=slotd.socket)
            def guarded(a, b):
                client.expect("OK 1", "HOLDERS g")
                client.expect("slot=1 .*")
                return a + b

            self.assertEqual((guarded(1, 2), guarded(3, 4)), (3, 7))
            client.expect("OK 0", "HOLDERS g")

    def test_exceeded(self):
        with served("[group low]\nlimit = 1\nwait_ms = 20\n") as (slotd, client):
            client.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2")
            client.expect(r"OK 1 \d+", "ACQUIRE low")
            for group, limit, wait, expected in (("g", 2, 0, (2, 0)), ("g", 2, 0.02, (2, 0.02)),
                                                 ("low", 5, 0, (1, 0))):
                with self.subTest(group, wait=wait):
                    with self.assertRaises(py.ConcurrencyLimitExceededException) as caught:
                        with py.limit(group, limit, wait, path=slotd.socket):
                            self.fail("got a slot")
                    error = caught.exception
                    self.assertEqual((error.limit, error.timeout), expected)
                    again = pickle.loads(pickle.dumps(error))
                    self.assertEqual((again.limit, again.timeout), expected)
                    self.assertEqual(str(again), str(error))
            with self.assertRaises(py.ConcurrencyLimitExceededException) as caught:
                py.acquire("low", path=slotd.socket)
            self.assertGreaterEqual(caught.exception.timeout, 0.02)

    def test_refused(self):
        with Daemon("[daemon]\nunknown_groups = refuse\n[group g]\n") as slotd:
            for group, limit, code, values in (("gg", 1, "nogroup", {"closest": "g"}),
                                               ("g", None, "nolimit", {}),
                                               ("g", 0, "badvalue", {"key": "limit"})):
                with self.subTest(group), self.assertRaises(py.SlotdError) as caught:
                    py.acquire(group, limit, path=slotd.socket)
                self.assertEqual((caught.exception.code, caught.exception.values), (code, values))
                self.assertTrue(caught.exception.text)
            for group, limit in (("", 1), (b"g", 1), (None, 1), ("g", 1.5)):
                with self.subTest(group), self.assertRaises(TypeError):
                    py.acquire(group, limit, path=slotd.socket)

    def test_names(self):
        with served() as (slotd, client):
            for name in ("Zürich", "a%b", "*", "x=1", "#1", "\N{SNOWMAN}/[a-z]"):
                with self.subTest(name), \
                        py.acquire(name, 1, 0, label=f" {name} ", path=slotd.socket):
                    with self.assertRaises(py.ConcurrencyLimitExceededException):
                        py.acquire(name, 1, 0, path=slotd.socket)
                client.expect("OK 0", f"HOLDERS {py._quote(name)}")

    def test_what_the_block_raises_comes_out(self):
        with served() as (slotd, client):
            with self.assertRaises(KeyError), py.limit("g", 1, path=slotd.socket):
                raise KeyError("mine")
            client.expect("OK 0", "HOLDERS g")

    def test_nobody_listens(self):
        with Daemon() as slotd:
            path = slotd.socket + ".none"
            with py.Connection(path, connect_timeout=0.2) as connection:
                with self.assertRaises(py.SlotdError) as caught:
                    connection.acquire("g", 1, py.FOREVER)
                self.assertEqual(caught.exception.code, "unreachable")
                self.assertIsInstance(caught.exception.__cause__, FileNotFoundError)
            # also where that is longer than any pause between the attempts
            with unittest.mock.patch.multiple(py, PAUSE_MIN=0.01, PAUSE_MAX=0.02), \
                    py.Connection(path, connect_timeout=0.2) as connection:
                answer = connection._acquire("g", 1, py.FOREVER).outcome()
                with self.assertRaises(py.SlotdError) as caught:
                    asyncio.run(asyncio.wait_for(answer, TIMEOUT))
                self.assertEqual(caught.exception.code, "unreachable")
            with py.Connection(slotd.config + "/x", connect_timeout=TIMEOUT) as connection:
                with self.assertRaises(py.SlotdError) as caught:
                    connection.acquire("g", 1, py.FOREVER)
                self.assertIsInstance(caught.exception.__cause__, NotADirectoryError)


class Readme(unittest.TestCase):
    def test_converted_program(self):
        with open(os.path.join(os.path.dirname(PATH), "../../README.md"), encoding="utf-8") as file:
            diff, = re.findall(r"^```diff\n(.*?)^```$", file.read(), re.M | re.S)
        program = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[0] != "-")
        program = program.replace("import slotd\n", "")
        got = []
        with served() as (slotd, client), \
                unittest.mock.patch.dict(os.environ, SLOTD_SOCKET=slotd.socket):
            exec(program, {"slotd": py, "work": got.append, "later": self.fail})
            client.expect(r"OK [0-9,]+ \d+", "ACQUIRE example-1 limit=64 n=64")
            client.expect(r"OK [0-9,]+ \d+", "ACQUIRE example-1 limit=100 n=36")
            exec(program.replace("limit_timeout=10", "limit_timeout=0"),
                 {"slotd": py, "work": self.fail, "later": lambda error: got.append(error.limit)})
        self.assertEqual(got, [1, 100])


class Holds(unittest.TestCase):
    def test_n_and_what_a_hold_knows(self):
        with served("[group g]\nlimit = 5\n") as (slotd, client):
            with py.Connection(slotd.socket, label="mine") as connection:
                with connection.acquire("g", 9, 0, n=3) as hold:
                    self.assertEqual((hold.group, hold.numbers, hold.number, hold.limit, hold.lost),
                                     ("g", (1, 2, 3), 1, 5, None))
                    self.assertEqual(holders(client, "g"),
                                     [(n, hold.token, "mine") for n in hold.numbers])
                hold.release()                          # the second time, nothing
                self.assertEqual(holders(client, "g"), [])

    def test_time_is_up(self):
        with served() as (slotd, _):
            with self.assertRaises(py.SlotLost) as caught:
                with py.acquire("g", 1, 0, hold=0.02, path=slotd.socket) as hold:
                    # the next one gets the slot when it is taken back, which we are told first
                    py.acquire("g", 1, py.FOREVER, path=slotd.socket).release()
                    self.assertEqual((hold.lost, hold.left(), hold.valid()), ("hold", 0, False))
            error = pickle.loads(pickle.dumps(caught.exception))
            self.assertEqual((error.group, error.numbers, error.token, error.reason),
                             ("g", (1,), hold.token, "hold"))
            with self.assertRaises(KeyError):           # the body's own goes before
                with py.acquire("g", 1, 0, hold=0.02, path=slotd.socket):
                    py.acquire("g", 1, py.FOREVER, path=slotd.socket).release()
                    raise KeyError("mine")

    def test_close(self):
        with served() as (slotd, client):
            connection = py.Connection(slotd.socket)
            hold = connection.acquire("g", 1)
            waiting = asked(connection, "g", 1, py.FOREVER)
            connection.close()
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            self.assertEqual(waiting.exception(TIMEOUT).code, "closed")
            self.assertEqual((hold.lost, hold.valid()), ("closed", False))
            self.assertRaises(py.SlotLost, hold.release)
            with self.assertRaises(py.SlotdError):
                connection.acquire("g", 2)


class Threads(unittest.TestCase):
    def test_fifty(self):
        limit, rounds, counter, lock, failed = 7, 20, Counter(7), threading.Lock(), []

        def work(name):
            try:
                for _ in range(rounds):
                    with py.acquire("g", limit, py.FOREVER, path=slotd.socket) as hold:
                        with lock:
                            counter.enter(hold.number, hold.token, name)
                        with lock:
                            counter.leave(hold.number)
            except BaseException as error:
                failed.append(error)

        with served() as (slotd, client):
            threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIMEOUT)
            self.assertEqual(failed, [])
            self.assertEqual(counter.entered, 50 * rounds)
            client.expect("OK 0", "HOLDERS g")

    def test_interrupted_wait_leaves_the_queue(self):
        program = ("import slotd, sys\n"
                   "slotd.acquire('mine', 1, 0)\n"
                   "try:\n"
                   "    slotd.acquire('g', 1, slotd.FOREVER)\n"
                   "except KeyboardInterrupt:\n"
                   "    slotd.acquire('mine', 2, 0)\n"
                   "    sys.exit(7)\n")
        with served() as (slotd, client), slotd.client() as other:
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            child = subprocess.Popen([sys.executable, "-c", program],
                                     env={**os.environ, "PYTHONPATH": os.path.dirname(PATH),
                                          "SLOTD_SOCKET": slotd.socket})
            try:
                while not other.ask_list("WAITERS g"):
                    pass
                child.send_signal(signal.SIGINT)
                self.assertEqual(wait_end(child, "the child"), 7)
                client.expect("OK 0", "WAITERS g")
            finally:
                child.kill()
                child.wait()


class Asyncio(unittest.TestCase):
    def test_limit(self):
        counter = Counter(3)

        async def work(name):
            for _ in range(5):
                async with py.alimit("g", 3, py.FOREVER, path=slotd.socket) as number:
                    self.assertNotIn(number, counter._inside)
                    counter._inside[number] = name
                    self.assertLessEqual(len(counter._inside), 3)
                    await asyncio.sleep(0)
                    counter.leave(number)

        async def main():
            await asyncio.gather(*(work(n) for n in range(20)))
            with self.assertRaises(KeyError):
                async with py.alimit("g", 1, path=slotd.socket):
                    raise KeyError("mine")
            with self.assertRaises(py.SlotLost):
                async with py.alimit("g", 1, hold=0.02, path=slotd.socket):
                    async with py.alimit("g", 1, py.FOREVER, path=slotd.socket):
                        pass

        with served() as (slotd, client):
            asyncio.run(main())
            client.expect("OK 0", "HOLDERS g")

    def test_cancelled_wait_leaves_the_queue(self):
        async def main():
            waiting = py.alimit("g", 1, py.FOREVER, path=slotd.socket).__aenter__()
            task = asyncio.create_task(waiting)
            async with py.alimit("asked", ANY, path=slotd.socket):
                client.expect("OK 1", "WAITERS g")
                client.expect("place=1 .*")
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            async with py.alimit("asked", ANY, path=slotd.socket):
                client.expect("OK 0", "WAITERS g")

        with served() as (slotd, client):
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
            asyncio.run(main())


class Fork(unittest.TestCase):
    def in_child(self, function):
        """Runs it in a child of fork(), which ends with the truth of what it returns."""
        pid = os.fork()
        if pid == 0:
            status = 2
            try:
                status = 0 if function() else 1
            finally:
                os._exit(status)
        return pid

    def ends_well(self, pid):
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)

    def test_child_has_no_part_in_the_holds(self):
        def child():
            with hold:                          # leaves without a word
                pass
            try:
                connection.acquire("g", 1, 0)
                return False
            except py.ConcurrencyLimitExceededException:
                own = connection.acquire("g", 2, 0)
                return (hold.lost, hold.valid(), own.number) == ("fork", False, 2)

        with served() as (slotd, client), py.Connection(slotd.socket) as connection:
            hold = connection.acquire("g", 1)
            self.ends_well(self.in_child(child))
            self.assertEqual(hold.lost, None)
            self.assertEqual(holders(client, "g"), [(1, hold.token, "-")])
            hold.release()

    def test_child_does_not_keep_the_holds(self):
        """... of a parent that is killed, neither after fork() nor after exec()."""
        program = ("import os, slotd, subprocess, sys\n"
                   "hold = slotd.acquire('g', 1)\n"
                   "if os.fork() == 0 or os.fork() == 0:\n"
                   "    os.write(1, b'%d\\n' % os.getpid())\n"
                   "    sys.stdin.read()\n"
                   "    os._exit(0)\n"
                   "exec = subprocess.Popen(['cat'], close_fds=False, stdout=subprocess.DEVNULL)\n"
                   "os.write(1, b'%d\\n' % exec.pid)\n"
                   "sys.stdin.read()\n")
        with served() as (slotd, client):
            parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, "PYTHONPATH": os.path.dirname(PATH),
                                           "SLOTD_SOCKET": slotd.socket})
            with parent.stdin, parent.stdout:
                children = [int(parent.stdout.readline()) for _ in range(3)]
                parent.kill()
                parent.wait()
                client.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=forever")
                for pid in children:            # they live still, until the pipe is closed
                    os.kill(pid, 0)


if __name__ == "__main__":
    unittest.main()
