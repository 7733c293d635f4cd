"""The HTTP port: what it answers, and what it bears."""
import json
import os
import socket
import stat
import subprocess
import tempfile
import time
import unittest

from fleet import no_grace
from redis import Redis, free_port
from slotd import SLOTD, WRAP, Daemon, served, wait_end
from web import Answer, Web, ask, get


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
                    self.assertEqual(ask(self.where, line + "\r\nHost: localhost\r\n\r\n").status, status)
            self.assertEqual(ask(self.where, "POST / HTTP/1.1\r\n\r\n").headers["allow"], "GET, HEAD")
            self.assertEqual(ask(self.where, "GET / HTTP/1.1\r\nX: " + "x" * 8192).status, 431)

    def test_foreign_names(self):
        """A page of a foreign site, whose name has been pointed at the port, cannot read it."""
        with served(self.config):
            for host, status in (("evil.example", 421), ("evil.example:9717", 421), ("127.0.0.1.evil.example", 421),
                                 ("localhost.evil.example", 421), ("localhost", 200), ("LOCALHOST:9717", 200),
                                 ("127.0.0.1:9717", 200), ("[::1]:9717", 200), ("", 200)):
                answer = ask(self.where, f"GET /status.json HTTP/1.1\r\nAccept: x\r\nhOST:  {host}\r\n\r\n")
                self.assertEqual(answer.status, status, host)
        with served(self.config + "any_address = yes\n"):
            self.assertEqual(ask(self.where, "GET / HTTP/1.1\r\nHost: build7.example\r\n\r\n").status, 200)

    def test_old_and_odd(self):
        with served(self.config):
            for request in ("GET /healthz HTTP/1.0\n\n", "GET /healthz?x=1 HTTP/1.1\r\nA: b\r\n\r\n"):
                self.assertEqual(ask(self.where, request).text, "ok\n")
            answer = ask(self.where, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual((answer.status, answer.headers["content-length"], answer.body), (200, "3", b""))

    def test_byte_by_byte(self):
        with served(self.config), Web(self.where) as web:
            web.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n":
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

    def test_unread(self):
        """Nor do those who ask and do not read keep others out."""
        with served(self.config) as (_, client):
            for first in range(0, 1000, 100):
                client.send(*(f"ACQUIRE g{i} limit=1" for i in range(first, first + 100)))
                for _ in range(100):
                    client.expect(r"OK 1 \d+")
            for _ in range(20):
                web = Web(self.where)
                self.addCleanup(web.socket.close)
                web.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                web.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(get(self.where, "/healthz").status, 200)
            self.assertEqual(get(self.where, "/").status, 200)
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


class Where(unittest.TestCase):
    """Where the port may be."""

    def check_config(self, listen, more=""):
        """-> what is wrong with it"""
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(f"[metrics]\nlisten = {listen}\n{more}")
            file.flush()
            done = subprocess.run([*WRAP, SLOTD, "--check-config", "--config", file.name],
                                  stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(done.returncode, 78 if done.stderr else 0)
            return done.stderr.replace(file.name, "FILE")

    def test_addresses(self):
        for listen in ("127.0.0.1:9717", "127.1.2.3:80", "[::1]:9717", "/run/slotd/http.sock"):
            self.assertEqual(self.check_config(listen), "", listen)
        for listen in ("127.0.0.1", "localhost:9717", "9717", "run/http.sock", "127.0.0.1:0",
                       "127.0.0.1:70000"):
            self.assertRegex(self.check_config(listen), "^FILE:2: listen: neither ", listen)
        self.assertRegex(self.check_config("/" + "x" * 108), "^FILE:2: listen: a path ")

    def test_other_hosts(self):
        for listen in ("0.0.0.0:9717", "192.0.2.1:9717", "[::]:9717", "[2001:db8::1]:9717",
                       "[::ffff:127.0.0.1]:9717"):
            self.assertRegex(self.check_config(listen), "^FILE:2: listen: other hosts can ", listen)
            self.assertEqual(self.check_config(listen, "any_address = yes\n"), "", listen)

    def test_path(self):
        """A Unix socket has the mode of the other one; it is removed at the end, as that is."""
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "http.sock")
            with served(f"[daemon]\nsocket_mode = 0600\n[metrics]\nlisten = {path}\n"):
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
                self.assertEqual(get(path, "/healthz").text, "ok\n")
            self.assertEqual(os.listdir(directory), [])


HOSTILE = "</script><script>alert(1)</script>&\"'\\`{{x}}"
RTL = "\u202eevil\u2066"
LONG = "ü" * 64                        # 128 bytes, as many as a name may have


def escaped(text):
    """as the line protocol wants it"""
    return "".join(f"%{byte:02X}" for byte in text.encode())


class Status(unittest.TestCase):
    def setUp(self):
        self.where = ("127.0.0.1", free_port())
        self.config = f"[metrics]\nlisten = 127.0.0.1:{self.where[1]}\n"

    def status(self, query=""):
        answer = get(self.where, "/status.json" + query)
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, "application/json"))
        return json.loads(answer.text)

    def test_head(self):
        with served(self.config) as (_, client):
            client.expect("OK pong", "PING")
            status = self.status()
            self.assertEqual((status["ready"], status["why"], status["draining"], status["stopping"]),
                             (True, "ready", False, False))
            self.assertEqual((status["backend"], status["backend_state"]), ("memory", "up"))
            self.assertEqual((status["clients"], status["holds"], status["waiters"]), (2, 1, 1))
            self.assertLess(abs(status["time"] - time.time()), 60)

    def test_groups(self):
        with served(self.config + "[group b]\nlimit = 3\n[group a-*]\nlimit = 9\n") as (_, client):
            tokens = [client.expect(r"OK \S+ (\d+)", f"ACQUIRE g limit=5 n={n} label=l{n}")[1]
                      for n in (2, 1)]
            client.send("#w ACQUIRE g limit=5 n=4 wait=1m label=later")
            client.expect("OK pong", "PING")
            groups = {group["group"]: group for group in self.status()["groups"]}
            self.assertEqual(list(groups), ["b", "bystander", "g"])
            self.assertEqual((groups["b"]["limit"], groups["b"]["limit_from"], groups["b"]["held"],
                              groups["b"]["grants"]), (3, "config", 0, 0))
            group = groups["g"]
            self.assertEqual((group["limit"], group["limit_from"], group["held"], group["used"],
                              group["waiting"], group["grants"]), (5, "request", 3, 3, 1, 2))
            self.assertEqual([(h["slot"], h["token"], h["label"], h["proven"]) for h in group["holders"]],
                             [(1, tokens[0], "l2", True), (2, tokens[0], "l2", True),
                              (3, tokens[1], "l1", True)])
            self.assertEqual({(h["pid"], h["uid"]) for h in group["holders"]}, {(os.getpid(), os.getuid())})
            waiter = group["waiters"][0]
            self.assertEqual((waiter["place"], waiter["n"], waiter["limit"], waiter["label"]),
                             (1, 4, 5, "later"))
            self.assertTrue(0 <= group["oldest_wait_ms"] <= 60000 - waiter["left_ms"])

    def test_hostile(self):
        """Whatever a name or a label holds comes out of the JSON as it went in."""
        names = [HOSTILE, RTL, LONG, "😀", "%41", "a+b&c=d#e?f"]
        with served(self.config) as (_, client):
            for name in names:
                label = name.encode()[:60].decode(errors="ignore")
                client.expect(r"OK 1 \d+", f"ACQUIRE {escaped(name)} limit=1 label={escaped(label)}")
            groups = {group["group"]: group for group in self.status()["groups"]}
            self.assertEqual(set(groups), {*names, "bystander"})
            self.assertEqual(groups[HOSTILE]["holders"][0]["label"], HOSTILE)
            self.assertNotIn(b"<", get(self.where, "/status.json").body)
            for name in names:
                only = self.status("?group=" + escaped(name))["groups"]
                self.assertEqual([group["group"] for group in only], [name])
            page = get(self.where, "/").text
            self.assertNotIn(HOSTILE, page)
            self.assertIn("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;", page)

    def test_shared(self):
        """What is in use is that of all hosts; who holds is this one's."""
        with Redis() as redis:
            config = no_grace(redis)
            with Daemon(config + self.config) as here, Daemon(config) as there, \
                    here.client() as a, there.client() as b:
                b.expect(r"OK 1,2 \d+", "ACQUIRE g limit=4 n=2 wait=1m")
                a.expect(r"OK 3 \d+", "ACQUIRE g limit=4 wait=1m")
                status = self.status()
                self.assertEqual((status["backend"], status["backend_state"]), ("redis", "up"))
                group, = status["groups"]
                self.assertEqual((group["used"], group["held"], [h["slot"] for h in group["holders"]]),
                                 (3, 1, [3]))
                self.assertTrue(0 < group["lease_left_ms"] <= 10000)
                page = get(self.where, "/").text
                self.assertIn('class="used" width="75.0"', page)
                self.assertIn('class="here" width="25.0"', page)

    def test_live(self):
        """What an operator has set: which limit counts, by whom it is and why."""
        with served(self.config + "[group g]\nlimit = 5\n") as (_, client):
            group = self.status("?group=g")["groups"][0]
            self.assertEqual((group["paused"], group["live"]), (False, None))
            client.expect("OK .*", f"LIVE g limit=2 for=60s why={escaped(HOSTILE)}")
            group = self.status("?group=g")["groups"][0]
            self.assertEqual((group["limit"], group["limit_from"], group["paused"]), (2, "live", False))
            live = group["live"]
            self.assertEqual(live["why"], HOSTILE)
            self.assertRegex(live["by"], "^.+@.+$")
            self.assertTrue(0 < live["left_ms"] <= 60000)
            self.assertLess(abs(live["at"] - time.time()), 60)
            self.assertNotIn(HOSTILE, get(self.where, "/").text)
            client.expect("OK .*", "LIVE g pause=on")
            group = self.status("?group=g")["groups"][0]
            self.assertEqual((group["limit"], group["paused"], group["live"]["why"], group["live"]["left_ms"]),
                             (0, True, "", None))
            self.assertIn("<span>paused by ", get(self.where, "/").text)

    def test_live_alone(self):
        """A group that has nothing but a live limit is shown, once, as LIST does."""
        with served(self.config + "[group g]\nlimit = 5\n[group pre*]\nlimit = 5\n") as (_, client):
            for name in "g", "prefixed", "unused":
                client.expect("OK .*", f"LIVE {name} pause=on")
            shown = [group["group"] for group in self.status()["groups"] if group["paused"]]
            self.assertEqual(shown, ["g", "prefixed", "unused"])
            self.assertIn(">unused<", get(self.where, "/").text)

    def test_unknown_group(self):
        """One that nobody uses is shown when it is asked for, and counted nowhere for that."""
        with served(self.config):
            group, = self.status("?group=unheard-of")["groups"]
            self.assertEqual((group["limit"], group["limit_from"], group["grants"]), (None, "none", None))
            self.assertEqual(get(self.where, "/?group=unheard-of").status, 200)
            self.assertNotIn("unheard-of", get(self.where, "/metrics").text)

    def test_many(self):
        """More groups than are shown: those with waiters and holders are, and the rest is counted.
        Where there are many, the holders are listed for one group only."""
        with served(self.config) as (slotd, client), slotd.client() as other:
            for first in range(0, 1100, 100):
                numbers = range(first, first + 100)
                client.send(*(f"ACQUIRE g{i} limit={2 if i == 700 else 1} n={2 if i == 700 else 1}"
                              for i in numbers))
                for _ in numbers:
                    client.expect(r"OK \S+ \d+")
            other.send("#w ACQUIRE g800 limit=1 wait=forever", "PING")
            other.expect("OK pong")
            status = self.status()
            groups = {group["group"]: group for group in status["groups"]}
            self.assertEqual((len(groups), status["groups_more"]), (1000, 101))
            self.assertEqual((groups["g700"]["held"], groups["g800"]["waiting"]), (2, 1))
            self.assertEqual((groups["g700"]["holders"], groups["g700"]["holders_more"]), ([], 2))
            self.assertEqual(list(groups), sorted(groups))
            self.assertEqual(len(self.status("?group=g700")["groups"][0]["holders"]), 2)
            self.assertEqual(get(self.where, "/").text.count("<tbody class=\"group "), 1001)  # and the template

    def test_page(self):
        with served(self.config):
            first, second = (get(self.where, "/") for _ in range(2))
            self.assertEqual(first.headers["content-type"], "text/html; charset=utf-8")
            policy = first.headers["content-security-policy"]
            self.assertRegex(policy, r"script-src 'nonce-[0-9a-f]{32}'; .*default-src 'none'")
            self.assertNotIn("unsafe", policy)
            self.assertNotEqual(policy, second.headers["content-security-policy"])
            self.assertNotIn("@", first.text.replace("@media", "").replace("@supports", ""))
            for word in ("src=", "http://", "https://", "//"):
                self.assertNotIn(word, first.text.replace("http://www.w3.org/2000/svg", "")
                                 .replace("// ", "").replace("src='", ""))


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
                self.assertRegex(get(("127.0.0.1", port), "/readyz").text,
                                 "^grace: Redis is new, or has lost data: nothing is granted for")
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
            wait_end(slotd.process, "slotd")


if __name__ == "__main__":
    unittest.main()
