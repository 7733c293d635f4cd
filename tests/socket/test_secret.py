"""The password of Redis stands in no log, no answer, no page and no process list: whatever slotd says,
in good days and bad, is searched for it."""
import os
import signal
import socket
import subprocess
import unittest
import urllib.parse

from redis import Redis
from slotd import SLOTD, TIMEOUT, WRAP, Daemon

SECRET = "s3cr3t/of redis%"
FORMS = (SECRET, urllib.parse.quote(SECRET), urllib.parse.quote(SECRET, ""),
         SECRET.replace("%", "%25").replace(" ", "%20"), "s3cr3t")
REQUESTS = ("LIST", "STATUS g", "HOLDERS g", "WAITERS g", "STATS", "METRICS", "PS", "AUDIT", "GRACE", "HELP",
            "WHY g", "LIVE g", "HISTORY g", "DRAIN", "VERSION", "RELOAD", "HELLO page=off")


def get(path, what):
    """-> what the port for HTTP answers"""
    with socket.socket(socket.AF_UNIX) as http:
        http.settimeout(TIMEOUT)
        http.connect(path)
        http.sendall(f"GET {what} HTTP/1.0\r\nHost: slotd\r\n\r\n".encode())
        return b"".join(iter(lambda: http.recv(65536), b"")).decode()


class Secret(unittest.TestCase):
    def setUp(self):
        self.redis = Redis("--requirepass", SECRET, tcp=True)
        self.addCleanup(self.redis.close)
        self.said = []

    def check(self, *texts):
        for text in (*self.said, *texts):
            self.assertGreater(len(text), 0)
            for form in FORMS:
                self.assertNotIn(form, text)

    def secret_file(self, secret=SECRET):
        path = os.path.join(self.redis.dir, "password")
        with open(path, "w", encoding="utf-8") as file:
            file.write(secret + "\n")
        return path

    def url(self, secret=SECRET):
        return f"redis://:{urllib.parse.quote(secret, '')}@127.0.0.1:{self.redis.port}"

    def listen(self):
        return f"[metrics]\nlisten = {os.path.join(self.redis.dir, 'http.sock')}\n"

    def hear(self, slotd):
        """All that it says of itself"""
        with slotd.client() as client:
            for request in REQUESTS:
                client.send(request, "#end PING")
                line = ""
                while line != "#end OK pong":
                    line = client.readline()
                    self.said.append(line)
        for what in ("/", "/status.json", "/healthz", "/readyz", "/metrics", "/page.css"):
            self.said.append(get(os.path.join(self.redis.dir, "http.sock"), what))
        for what in ("cmdline", "environ"):
            with open(f"/proc/{slotd.process.pid}/{what}", "rb") as file:
                self.said.append(file.read().decode(errors="replace") or "none")

    def live(self, config, *expect):
        expect = ["Redis is new", "away", "noauth", "every user of this host can read",
                  "not reloaded", "slotd.conf:", "a restart is needed", *expect]
        with Daemon(config, expect=expect) as slotd:
            slotd.log.wait_for("connected to")
            self.hear(slotd)
            with open(slotd.config, "w", encoding="utf-8") as file:     # another one, and a mistake
                file.write(config.replace("[redis]\n", f"[redis]\nusrname = {SECRET}\n"))
            slotd.process.send_signal(signal.SIGHUP)
            slotd.log.wait_for("not reloaded")
            self.redis.end()
            slotd.log.wait_for("trying again")
            self.hear(slotd)
            self.redis.start()
            slotd.log.wait_for("connected to", 2)
            self.hear(slotd)
        self.check(*slotd.log.lines)

    def test_file(self):
        self.live(self.redis.config(redis=f"password_file = {self.secret_file()}", more=self.listen()))

    def test_url(self):
        self.live(self.redis.config(url=self.url(), more=self.listen()))

    def test_refused(self):
        """One that Redis does not take."""
        config = self.redis.config(redis=f"password_file = {self.secret_file('s3cr3t')}", more=self.listen())
        with Daemon(config, expect=["noauth"]) as slotd:
            slotd.log.wait_for("noauth: .* WRONGPASS .*trying again")
            self.hear(slotd)
        self.check(*slotd.log.lines)

    def test_server_that_repeats_it(self):
        with Redis("--rename-command", "AUTH", "") as redis:
            config = redis.config(redis=f"password_file = {self.secret_file()}")
            with Daemon(config, expect=["unfit|noauth"]) as slotd:
                slotd.log.wait_for("AUTH: ERR unknown command 'AUTH'; trying again")
            self.check(*slotd.log.lines)

    def test_mistakes(self):
        """In the file and on the command line."""
        long = "s3cr3t" * 40
        for config in (f"url = redis//:{SECRET}@h", f"url = redis://:{SECRET}@h", "url = redis://:s3cr3t@",
                       f"url = rediss://:s3cr3t@h", f"url = redis://:{long}@h", f"ulr = redis://:s3cr3t@h",
                       f"url = redis://u:s3cr3t@h\nusername = v", f"url = redis://:s3cr3t@h\npassword_file = /p",
                       f"url = redis://h\npassword_file = s3cr3t", f"password = s3cr3t",
                       f"url = redis://h\npassword_file = {long}", f"url redis://:s3cr3t@h"):
            path = os.path.join(self.redis.dir, "slotd.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"[redis]\n{config}\n")
            for words in (["--check-config"], []):
                done = subprocess.run([*WRAP, SLOTD, "--config", path, *words], stderr=subprocess.PIPE,
                                      text=True, check=False)
                self.assertEqual(done.returncode, 78, config)
                self.check(done.stderr)
        for url in ("redis://:s3cr3t@h", "redis://u:s3cr3t@h/x", "rediss://:s3cr3t@h", f"redis://:{long}@h"):
            done = subprocess.run([*WRAP, SLOTD, "--config", "/dev/null", "--redis", url],
                                  stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(done.returncode, 64)
            self.check(done.stderr)


if __name__ == "__main__":
    unittest.main()
