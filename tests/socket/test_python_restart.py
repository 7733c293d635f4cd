"""client/python/slotd.py and a slotd that is killed, replaced or stopped below it, alone and with
Redis: what is held goes on, what is waited for is asked for again, what is lost is told."""
import contextlib
import os
import signal
import threading
import time
import unittest

from fleet import UP, fleet, no_grace
from pyclient import asked, settle, slotd as py
from redis import Redis
from slotd import TIMEOUT, Daemon, Failure, wait_end


def wait_until(condition):
    """For what the clock does: nothing tells of it."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"not after {TIMEOUT:.0f} s")


@contextlib.contextmanager
def stopped(slotd):
    slotd.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, slotd.process.pid, os.WSTOPPED)
    try:
        yield
    finally:
        slotd.process.send_signal(signal.SIGCONT)


class Restart(unittest.TestCase):
    def test_holds_go_on_in_memory(self):
        self.holds_go_on("")

    def test_holds_go_on_in_redis(self):
        with Redis() as redis:
            self.holds_go_on(no_grace(redis), expect=[""])

    def holds_go_on(self, config, **options):
        with Daemon(config, **options) as slotd, py.Connection(slotd.socket) as connection:
            holds = [connection.acquire("g", 7, py.FOREVER) for _ in range(5)]
            holds.append(connection.acquire("g", 7, py.FOREVER, n=2, label="two"))
            waiting = asked(connection, "g", 7, py.FOREVER)
            for end in slotd.kill, slotd.stop, slotd.kill:
                end(keep=True)
                self.assertEqual([hold.valid() for hold in holds], [True] * 6)
                slotd.start()
                settle(connection, holds)
                self.assertEqual([hold.valid() for hold in holds], [True] * 6)
                self.assertFalse(waiting.done())
            slotd.kill(keep=True)           # twice in a row, before anybody has come back
            slotd.start()
            slotd.kill(keep=True)
            slotd.start()
            settle(connection, holds)
            self.assertEqual({hold.lost for hold in holds}, {None})
            with slotd.client() as client:
                lines = client.ask_list("HOLDERS g")
                self.assertEqual([line.split()[0] for line in lines],
                                 [f"slot={n}" for n in range(1, 8)])
                self.assertEqual(len([line for line in lines if "label=two" in line]), 2)
            holds.pop(2).release()
            holds.append(waiting.result(TIMEOUT))
            self.assertEqual(holds[-1].number, 3)
            for hold in holds:
                hold.release()

    def test_block_goes_on(self):
        """What leaves its block while nobody listens is given back when somebody does."""
        with Daemon() as slotd:
            with py.limit("g", 1, path=slotd.socket):
                slotd.kill(keep=True)
                starter = threading.Thread(target=slotd.start)
                starter.start()
            starter.join()
            with slotd.client() as client:
                client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")

    def test_pauses_are_short_while_something_is_held(self):
        """What is held has only what is left of its lease: nobody waits for seconds to try again."""
        with Daemon("[lease]\nlease_ms = 16000\n") as slotd, \
                py.Connection(slotd.socket) as connection:
            hold = connection.acquire("g", 1)
            self.assertEqual(connection._pause_last(), 0.5)
            hold.release()
            self.assertEqual(connection._pause_last(), py.PAUSE_MAX)

    def test_raw_hold_is_lost(self):
        with Daemon("[daemon]\nmax_cells = 64\n") as slotd:
            py.acquire("full", 64, n=64, path=slotd.socket)
            with self.assertRaises(py.SlotLost) as caught, py.limit("h", 1, path=slotd.socket):
                with self.assertRaises(KeyError), py.acquire("g", 1, path=slotd.socket) as hold:
                    self.assertIs(hold.valid(), None)
                    slotd.kill(keep=True)
                    slotd.start()
                    settle(py.shared_connection(slotd.socket))
                    self.assertEqual((hold.lost, hold.valid()), ("lost", False))
                    raise KeyError("mine")
                hold = py.acquire("g", 1, 0, path=slotd.socket)
                slotd.stop(keep=True)
                slotd.start()
                with hold:
                    pass
            self.assertEqual((caught.exception.group, caught.exception.reason), ("g", "lost"))

    def test_waiters_ask_again(self):
        for sig in signal.SIGKILL, signal.SIGTERM:
            with self.subTest(sig), Daemon() as slotd, slotd.client() as holder:
                holder.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
                with py.Connection(slotd.socket) as connection:
                    first = asked(connection, "g", 1, 2 * TIMEOUT)
                    second = asked(connection, "g", 1, py.FOREVER)
                    if sig == signal.SIGKILL:
                        slotd.kill(keep=True)
                    else:
                        slotd.stop(keep=True)
                    slotd.start()
                    hold = first.result(TIMEOUT)
                    with slotd.client() as client:
                        place, = client.ask_list("WAITERS g")
                        self.assertRegex(place, "place=1 .* left=-")
                        hold.release()
                        second.result(TIMEOUT).release()

    def test_stop_that_takes_its_time(self):
        """Who holds works on; who waits is served by the next slotd; now or never is never."""
        with Daemon("[daemon]\nstop_ms = 3600000\n") as slotd, \
                py.Connection(slotd.socket) as connection:
            hold = connection.acquire("g", 1)
            waiting = asked(connection, "g", 1, py.FOREVER)
            slotd.process.send_signal(signal.SIGTERM)
            slotd.log.wait_for("stopping")
            later = connection._acquire("g", 1, py.FOREVER).future
            with self.assertRaises(py.SlotdError) as caught:
                connection.acquire("h", 1, 0)
            self.assertEqual(caught.exception.code, "shutdown")
            self.assertEqual((hold.valid(), hold.lost), (True, None))
            hold.release()                  # the last: it ends
            self.assertEqual(wait_end(slotd.process, "slotd"), 0)
            slotd.kill(keep=True)
            slotd.start()
            waiting.result(TIMEOUT).release()
            later.result(TIMEOUT).release()

    def test_waiter_whose_time_runs_out_meanwhile(self):
        with Daemon() as slotd, py.Connection(slotd.socket, connect_timeout=0.05) as connection:
            with slotd.client() as holder:
                holder.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
                request = connection._acquire("g", 1, 0.05)
                slotd.kill(keep=True)
                with self.assertRaises(py.ConcurrencyLimitException):
                    request.wait()
            slotd.start()


class Away(unittest.TestCase):
    def test_let_in_without_a_slot(self):
        group = "[group g]\nlimit = 1\non_backend_down = open\n"
        with Redis() as redis, Daemon(no_grace(redis, 1000) + group, expect=[""]) as slotd, \
                py.Connection(slotd.socket) as connection:
            slotd.log.wait_for(UP)
            redis.end()
            with connection.acquire("g", None, py.FOREVER) as one, \
                    connection.acquire("g", None, py.FOREVER) as two:
                for hold in one, two:
                    self.assertEqual((hold.number, hold.valid(), hold.lost), (0, False, None))
            with slotd.client() as client:
                client.expect("OK 0", "HOLDERS g")


class Stopped(unittest.TestCase):
    def test_unproven_and_proven_again(self):
        with Redis() as redis, fleet(redis, 1, redis.config(lease=1000)) as (slotd,), \
                py.Connection(slotd.socket) as connection:
            slotd.expect.append("")
            hold = connection.acquire("g", 1)
            with stopped(slotd):
                wait_until(lambda: not hold.valid())
                self.assertEqual((hold.left(), hold.lost), (0, None))
            wait_until(hold.valid)
            hold.release()

    def test_another_has_had_it(self):
        with Redis() as redis, fleet(redis, 2, redis.config(lease=1000)) as (one, two), \
                py.Connection(one.socket) as connection, py.Connection(two.socket) as other:
            one.expect.append("")
            two.expect.append("")
            with self.assertRaises(py.SlotLost) as caught, connection.acquire("g", 1) as hold:
                waiting = asked(other, "g", 1, py.FOREVER)
                with stopped(one):
                    next_one = waiting.result(TIMEOUT)
                    self.assertIs(hold.valid(), False)
                self.assertIs(next_one.valid(), True)
            self.assertIn(caught.exception.reason, ("unproven", "taken", "lost"))
            self.assertGreater(next_one.token, hold.token)
            next_one.release()


if __name__ == "__main__":
    unittest.main()
