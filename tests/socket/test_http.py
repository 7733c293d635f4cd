"""The HTTP port: what it answers, and what it bears."""
import socket
import unittest

from redis import Redis, free_port
from slotd import TIMEOUT, Daemon, Failure, served


class Web:
    """One connection to the port, at an address or a path."""

    def __init__(self, where):
        if isinstance(where, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(TIMEOUT)
            self.socket.connect(where)
        else:
            self.socket = socket.create_connection(where, TIMEOUT)

    def read(self):
        """-> all up to the end"""
        data = b""
        while more := self.socket.recv(65536):
            data += more
        return data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Answer:
    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        version, status, self.reason = first.split(" ", 2)
        if version != "HTTP/1.1":
            raise Failure(f"answered {first!r}")
        self.status = int(status)
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}

    @property
    def text(self):
        return self.body.decode()


def ask(where, request):
    with Web(where) as web:
        web.socket.sendall(request.encode() if isinstance(request, str) else request)
        return Answer(web.read())


def get(where, path):
    answer = ask(where, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if int(answer.headers["content-length"]) != len(answer.body):
        raise Failure(f"{len(answer.body)} bytes came of {answer.headers['content-length']}")
    return answer


class Port(unittest.TestCase):
    def setUp(self):
        self.port = free_port()
        self.where = ("127.0.0.1", self.port)
        self.config = f"[metrics]\nlisten = 127.0.0.1:{self.port}\n"

    def test_health(self):
        with served(self.config):
            for path in ("/healthz", "/readyz"):
                answer = get(self.where, path)
                self.assertEqual(answer.status, 200, path)
                self.assertEqual(answer.headers["cache-control"], "no-store")
                self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
                self.assertEqual(answer.headers["connection"], "close")
            self.assertEqual(get(self.where, "/readyz").text, "ready\n")

    def test_statuses(self):
        """Requests that are none, one by one, and what they are answered."""
        with served(self.config):
            for line, status in (("GET /nothing HTTP/1.1", 404), ("GET /healthz/ HTTP/1.1", 404),
                                 ("GET /" + "x" * 4000 + " HTTP/1.1", 404),
                                 ("POST /healthz HTTP/1.1", 405), ("get /healthz HTTP/1.1", 405),
                                 ("GET healthz HTTP/1.1", 400), ("GET /healthz", 400), ("", 400),
                                 ("GET /?group=%zz HTTP/1.1", 400), ("GET /?group=a%0ab HTTP/1.1", 400),
                                 ("GET /healthz HTTP/2.0", 505), ("GET /healthz SPDY/1", 400)):
                with self.subTest(line=line[:40]):
                    self.assertEqual(ask(self.where, line + "\r\nHost: x\r\n\r\n").status, status)
            self.assertEqual(ask(self.where, "POST / HTTP/1.1\r\n\r\n").headers["allow"], "GET, HEAD")
            self.assertEqual(ask(self.where, "GET / HTTP/1.1\r\nX: " + "x" * 8192).status, 431)

    def test_old_and_odd(self):
        with served(self.config):
            for request in ("GET /healthz HTTP/1.0\n\n", "GET /healthz?x=1 HTTP/1.1\r\nA: b\r\n\r\n"):
                self.assertEqual(ask(self.where, request).text, "ok\n")
            answer = ask(self.where, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual((answer.status, answer.headers["content-length"], answer.body), (200, "3", b""))

    def test_byte_by_byte(self):
        with served(self.config), Web(self.where) as web:
            web.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n":
                web.socket.sendall(bytes([byte]))
            self.assertEqual(Answer(web.read()).status, 200)

    def test_silent(self):
        """The longest silent makes room for those who say something."""
        with served(self.config) as (_, client):
            silent = [Web(self.where) for _ in range(40)]
            for web in silent:
                self.addCleanup(web.socket.close)
            self.assertEqual(get(self.where, "/healthz").status, 200)
            for web in silent[:24]:
                self.assertEqual(web.read(), b"")
            client.expect("OK pong", "PING")

    def test_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 here")
        with served(f"[metrics]\nlisten = [::1]:{self.port}\n"):
            self.assertEqual(get(("::1", self.port), "/healthz").status, 200)

    def test_taken(self):
        """A port that another program has: slots are granted, and the port is had as soon as it is free."""
        with socket.create_server(self.where) as other:
            with served(self.config, expect=["Address already in use; trying again"]) as (slotd, client):
                client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
                other.close()
                slotd.log.wait_for("HTTP is served on")
                self.assertEqual(get(self.where, "/healthz").status, 200)


class Ready(unittest.TestCase):
    def test_away(self):
        port = free_port()
        with Redis(running=False) as redis:
            config = redis.config().replace("[lease]", f"[metrics]\nlisten = 127.0.0.1:{port}\n[lease]")
            with Daemon(config, expect=["away"]) as slotd:
                answer = get(("127.0.0.1", port), "/readyz")
                self.assertEqual((answer.status, answer.reason), (503, "Service Unavailable"))
                self.assertRegex(answer.text, "^away: ")
                self.assertEqual(get(("127.0.0.1", port), "/healthz").status, 200)
                redis.start()
                slotd.log.wait_for("connected to")
                self.assertRegex(get(("127.0.0.1", port), "/readyz").text, "^grace: ")
                with slotd.client() as client:
                    client.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=1m")
                self.assertEqual(get(("127.0.0.1", port), "/readyz").text, "ready\n")

    def test_stopping(self):
        port = free_port()
        with Daemon(f"[daemon]\nstop_ms = 60000\n[metrics]\nlisten = 127.0.0.1:{port}\n") as slotd:
            with slotd.client() as client:
                client.expect(r"OK 1 \d+", "ACQUIRE g limit=1")
                slotd.process.terminate()
                slotd.log.wait_for("waiting for the end of 1 holds")
                answer = get(("127.0.0.1", port), "/readyz")
                self.assertEqual(answer.status, 503)
                self.assertRegex(answer.text, "^stopping: ")
                client.expect("OK", "RELEASE g 1")


if __name__ == "__main__":
    unittest.main()
