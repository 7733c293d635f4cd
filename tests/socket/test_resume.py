"""RESUME: a hold moves to another connection of the same user."""
import os
import unittest

from slotd import Daemon, served

NOBODY = 65534


def acquired(client, line):
    """-> "slot[,slot...] token", as RESUME wants them"""
    return client.expect(r"OK (\S+ \d+)", line)[1]


class Resume(unittest.TestCase):
    def test_close_of_the_old_connection_frees_nothing(self):
        with served() as (slotd, client), slotd.client() as other:
            with slotd.client() as old:
                hold = acquired(old, "ACQUIRE g limit=2 n=2 label=job")
                other.send("#w ACQUIRE g limit=2 wait=forever")
                client.expect(f"OK {hold}", f"RESUME g {hold}")
                old.expect("ERR nothold .*", "RELEASE g 1")
                old.expect("OK", "QUIT")
                old.expect_eof()
            client.expect("OK 2", "HOLDERS g")
            for slot in 1, 2:
                client.expect(rf"slot={slot} token={hold.split()[1]} pid=\d+ uid=\d+ label=job age=\d+ proven=yes cell=-")
            other.expect("OK pong", "PING")         # and nothing was granted before
            client.expect("OK", "RELEASE g 1")
            other.expect(r"#w OK 1 \d+")

    def test_says_what_hello_asks_for(self):
        with served() as (slotd, client), slotd.client() as old:
            hold = acquired(old, "ACQUIRE g limit=3 label=old")
            client.expect("OK .*,resume,.*", "HELLO detail=on label=new")
            client.send(f"#r RESUME g {hold} limit=9", "HOLDERS g", f"RESUME g {hold} label=newer", "HOLDERS g")
            client.expect(f"#r OK {hold} limit=3")
            client.expect("OK 1")
            client.expect("slot=1 .* label=new .*")
            client.expect(f"OK {hold} limit=3")
            client.expect("OK 1")
            client.expect("slot=1 .* label=newer .*")

    @unittest.skipUnless(os.geteuid() == 0, "only root can be a second user")
    def test_other_user(self):
        with served("[daemon]\nsocket_mode = 0666\n") as (slotd, client):
            hold = acquired(client, "ACQUIRE g limit=1")
            os.chmod(slotd.dir, 0o711)
            os.seteuid(NOBODY)
            try:
                other = slotd.client()
            finally:
                os.seteuid(0)
            with other:
                other.expect("OK 1", "HOLDERS g")
                other.expect(f"slot=1 token={hold.split()[1]} .*")
                other.expect("ERR lost slot 1: .*", f"RESUME g {hold}")
            client.expect(f"OK {hold}", f"RESUME g {hold}")

    def test_former_daemon(self):
        with Daemon() as slotd:
            with slotd.client() as client:
                hold = acquired(client, "ACQUIRE g limit=1")
            slotd.stop(keep=True)
            slotd.start()
            with slotd.client() as client:
                client.expect("ERR lost slot 1: .*", f"RESUME g {hold}")
                client.expect("OK 0", "LIST")


if __name__ == "__main__":
    unittest.main()
