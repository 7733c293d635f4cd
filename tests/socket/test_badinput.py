"""Bytes that no good client sends: each is answered with its error, and nobody else notices."""
import random
import unittest

from slotd import served

LINE_MAX = 1024         # its LF included


class BadInput(unittest.TestCase):
    def test_control_bytes(self):
        with served() as (_, client):
            for byte in [*range(0x00, 0x09), *range(0x0b, 0x20), 0x7f]:
                for line in (b"PING%c x", b"%cPING", b"ACQUIRE g%c limit=1", b"HELLO label=%c"):
                    if not (byte == 0x0d and line.endswith(b"%c")):     # CR LF is a line's end
                        client.expect("ERR syntax .*", line % byte)
            client.expect("OK pong", "PING")

    def test_refused_requests(self):
        with served() as (_, client):
            for line, answer in (
                    ("FROB", "ERR unknown"),
                    ("#7 FROB", "#7 ERR unknown"),
                    ("GET / HTTP/1.1", "ERR unknown"),
                    ("#/ PING", "ERR tag"),
                    ("#7", "#7 ERR syntax"),
                    ("PING now", "ERR syntax"),
                    ("ACQUIRE", "ERR syntax"),
                    ("ACQUIRE g%2 limit=1", "ERR syntax"),
                    ("ACQUIRE g limit=1 colour=red", "ERR badkey key=colour"),
                    ("ACQUIRE g limit=1 limit=1", "ERR badkey key=limit"),
                    ("ACQUIRE g limit=0", "ERR badvalue key=limit"),
                    ("ACQUIRE g limit=1000001", "ERR badvalue key=limit"),
                    ("ACQUIRE g limit=18446744073709551617", "ERR badvalue key=limit"),
                    ("ACQUIRE g limit=1 n=65", "ERR badvalue key=n"),
                    ("ACQUIRE g limit=1 n=2", "ERR toobig limit=1 n=2"),
                    ("ACQUIRE g limit=1 hold=0", "ERR badvalue key=hold"),
                    ("ACQUIRE g limit=1 wait=367h30", "ERR badvalue key=wait"),
                    (b"ACQUIRE \xff limit=1", "ERR badgroup"),
                    ("ACQUIRE " + 129 * "g" + " limit=1", "ERR badgroup"),
                    ("RELEASE g 1", "ERR nothold"),
                    ("RELEASE bystander 1", "ERR nothold"),
                    ("RELEASE g 0", "ERR badvalue key=slot"),
                    ("RELEASE g 1,1", "ERR badvalue key=slot"),
                    ("CANCEL #w", "ERR notag"),
                    ("HELLO label=" + 65 * "l", "ERR badvalue key=label"),
                    ("LIST %00", "ERR badgroup"),
            ):
                client.expect(answer + " .*", line)
            # none of them has taken anything
            client.expect("OK holds=0 waits=0", "RELEASE *")
            client.expect("OK 1", "LIST")
            client.expect("group=bystander .*")

    def test_line_length(self):
        with served() as (_, client):
            client.expect("OK pong", "PING".ljust(LINE_MAX - 1))
            client.expect("OK pong", "PING".ljust(LINE_MAX - 2) + "\r")
            client.expect("ERR toolong .*", "PING".ljust(LINE_MAX))
            client.expect("ERR toolong .*", "PING".ljust(LINE_MAX - 1) + "\r")
            client.expect("#9 ERR toolong .*", "#9 PING".ljust(LINE_MAX))
            client.send_bytes(b"x" * (1 << 20))
            client.expect("ERR toolong .*")             # said at once, and once
            client.send_bytes(b"x" * (1 << 20) + b"\n")
            client.expect("OK pong", "PING")

    def test_long_line_that_never_ends(self):
        with served() as (_, client):
            client.send_bytes(b"PING\n" + b"x" * 5000)
            client.half_close()
            client.expect("OK pong")
            client.expect("ERR toolong .*")
            client.expect_eof()

    def test_one_byte_at_a_time(self):
        with served() as (slotd, client), slotd.client() as other:
            for byte in b"#1 ACQUIRE slow limit=1\r\nPING\n":
                client.send_bytes(bytes([byte]))
                other.expect("OK pong", "PING")         # slotd has read the byte before
            client.expect(r"#1 OK 1 \d+")
            client.expect("OK pong")

    def test_line_ends_and_blanks(self):
        with served() as (_, client):
            client.send_bytes(b"\n\r\n \t \n\n  PING \t \r\n\nping\n")
            client.expect("OK pong")
            client.expect("OK pong")
            client.expect(r"#t OK 1 \d+", b"\t#t\tacquire \t g\tlimit=1  ")

    def test_many_lines_in_one_write(self):
        with served() as (_, client):
            client.send(*(f"#{i} PING" for i in range(2000)))
            for i in range(2000):
                client.expect(f"#{i} OK pong")

    def test_garbage(self):
        seed = 20240229
        with served() as (_, client):
            rng = random.Random(seed)
            for _ in range(50):
                client.send_bytes(rng.randbytes(4096) + b"\n#end PING\n")
                while (line := client.readline()) != "#end OK pong":
                    self.assertRegex(line, r"^(#\S+ )?ERR (syntax|toolong|unknown|tag) ", f"seed {seed}")

    def test_clients_that_say_half_a_line_and_go(self):
        with served() as (slotd, client):
            for part in (b"", b"P", b"PING", b"ACQUIRE g limit=1", b"x" * 3000, b"#1 ACQUIRE g limit=1\nP"):
                with slotd.client() as other:
                    other.send_bytes(part)
            client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")


if __name__ == "__main__":
    unittest.main()
