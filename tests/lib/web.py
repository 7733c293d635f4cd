"""The HTTP port of a slotd: raw requests and what is answered."""
import socket

from slotd import TIMEOUT, Failure


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
