"""One slotd and a real Redis: connecting, and all that can be wrong with it."""
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from redis import Redis, free_port
from slotd import SLOTD, Daemon

UP = "connected to (Redis|Valkey)"
TROUBLE = "trying again"


def resolver(directory):
    """-> the environment in which slotd resolves names by tests/lib/resolver.c"""
    library = os.path.join(directory, "resolver.so")
    source = os.path.join(os.path.dirname(__file__), "../lib/resolver.c")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source], check=True)
    return {"LD_PRELOAD": library, "ASAN_OPTIONS": "verify_asan_link_order=0"}


class Basics(unittest.TestCase):
    def test_grant_and_status(self):
        with Redis() as redis, Daemon(redis.config("[group g]\nlimit = 2\n")) as slotd:
            with slotd.client() as a, slotd.client() as b:
                a.expect(r"OK 1 \d+", "ACQUIRE g wait=10s")
                b.expect(r"OK 2 \d+", "ACQUIRE g wait=10s")
                a.expect("ERR full limit=2 .*", "ACQUIRE g wait=0")
                found = a.expect(r"OK group=g limit=2 limit_from=config held=2 idle=0 ending=0 waiting=0 "
                                 r"oldest_wait=- backend=redis in_use=2 lease_left=(\d+) grace_left=0 "
                                 "differs=- .*", "STATUS g")
                self.assertTrue(0 < int(found[1]) <= 950)
                a.expect("OK group=other limit=- .* in_use=0 lease_left=- grace_left=0 differs=- .*",
                         "STATUS other")
                a.expect("OK", "RELEASE g 1")
                b.expect(r"OK 1 \d+", "ACQUIRE g wait=10s")

    def test_tcp_and_database(self):
        with Redis(tcp=True) as redis, Daemon(redis.config(url=redis.url + "/3")) as slotd:
            with slotd.client() as a:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
            self.assertEqual(redis.ask("DBSIZE"), 0)
            redis.ask("SELECT", 3)
            self.assertGreater(redis.ask("DBSIZE"), 0)

    def test_name_is_resolved(self):
        with tempfile.TemporaryDirectory() as directory, Redis(tcp=True) as redis:
            config = redis.config(url=f"redis://redis.test:{redis.port}")
            with Daemon(config, env=resolver(directory)) as slotd:
                slotd.log.wait_for(UP)

    def test_option_beats_file(self):
        with Redis() as redis, Daemon(redis.config(url="unix:///nowhere"), "--redis", redis.url) as slotd:
            slotd.log.wait_for(UP)


class Troubles(unittest.TestCase):
    def test_absent_at_start(self):
        with Redis(running=False) as redis, Daemon(redis.config(), expect=[TROUBLE]) as slotd:
            slotd.log.wait_for("redis.sock: away: No such file or directory; trying again")
            with slotd.client() as a, slotd.client() as b:
                b.expect("OK pong", "PING")
                a.send("ACQUIRE g limit=1 wait=1m")
                b.expect("ERR unavailable retry=1000 reason=away Redis cannot be reached", "ACQUIRE g limit=1 wait=0")
                b.expect("OK .* held=0 .* waiting=1 .* in_use=0 lease_left=- grace_left=0 differs=- .*",
                         "STATUS g")
                slotd.log.wait_for("redis commands 0: waiting -> connecting", 3)
                redis.start()
                a.expect(r"OK 1 \d+")
            self.assertEqual(len(slotd.log.find(TROUBLE)), 1)
            slotd.log.wait_for(UP)

    def test_killed_and_started_anew(self):
        """Empty: the holder claims its slot again within the grace, and nobody else gets it."""
        with Redis() as redis, Daemon(redis.config(lease=4000), expect=[TROUBLE]) as slotd:
            slotd.log.wait_for(UP)
            with slotd.client() as a, slotd.client() as b:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=20s")
                redis.end()
                slotd.log.wait_for(TROUBLE)
                b.send("ACQUIRE g limit=1 wait=30s")
                redis.start()
                slotd.log.wait_for(UP, 2)
                slotd.log.wait_for("a grace begins: it has lost its data: .* nothing is granted")
                a.expect("OK .* held=1 .* waiting=1 .*", "STATUS g")
                a.expect("OK", "RELEASE g 1")
                b.expect(r"OK 1 \d+")

    def test_kept_data(self):
        """Restarted with its data: the holder does not even notice."""
        with Redis("--appendonly", "yes", "--appendfsync", "always") as redis:
            with Daemon(redis.config(lease=4000), expect=[TROUBLE]) as slotd, slotd.client() as a:
                a.expect("OK .*", "HELLO events=on")
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=20s")
                redis.end(signal.SIGTERM)
                redis.start()
                slotd.log.wait_for(UP, 2)
                a.expect(r"OK 2 \d+", "ACQUIRE g limit=2 wait=20s")
                a.expect("OK", "RELEASE g 1")

    def test_lease_ends_while_it_is_away(self):
        with Redis() as redis, Daemon(redis.config(), expect=[TROUBLE]) as slotd:
            with slotd.client() as a:
                a.expect("OK .*", "HELLO events=on")
                token = a.expect(r"OK 1 (\d+)", "ACQUIRE g limit=1 wait=10s")[1]
                redis.end()
                a.expect(f"!LOST g 1 {token} lease")
                a.expect("ERR lost .*", "RELEASE g 1")
                redis.start()
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")

    def test_frozen(self):
        """It accepts connections and answers nothing: noticed by the command's own time."""
        with Redis() as redis, Daemon(redis.config(), expect=[TROUBLE]) as slotd:
            slotd.log.wait_for(UP)
            redis.process.send_signal(signal.SIGSTOP)
            slotd.log.wait_for("no answer within 200 ms|did not arrive within 200 ms")
            slotd.log.wait_for(r"commands 0: hung: \w+: not done within 2000 ms")
            redis.process.send_signal(signal.SIGCONT)
            slotd.log.wait_for(UP, 2)
            self.assertEqual(len(slotd.log.find(TROUBLE)), 1)

    def test_script_flush_in_a_grace(self):
        """When markers are touched, not groups."""
        with Redis() as redis, Daemon(redis.config(lease=2000)) as slotd:
            slotd.log.wait_for(UP)
            redis.ask("CONFIG", "RESETSTAT")
            redis.ask("SCRIPT", "FLUSH")
            while redis.calls().get("script|load", 0) == 0:     # at the next quarter of the lease
                redis.ask("BLPOP", "nothing", 0.1)
            with slotd.client() as a:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=3 wait=10s")
            self.assertEqual(len(slotd.log.find(UP)), 1)

    def test_script_flush(self):
        with Redis() as redis, Daemon(redis.config()) as slotd, slotd.client() as a:
            a.expect(r"OK 1 \d+", "ACQUIRE g limit=3 wait=10s")
            for slot in 2, 3:
                redis.ask("SCRIPT", "FLUSH")
                a.expect(rf"OK {slot} \d+", "ACQUIRE g limit=3 wait=10s")
            self.assertEqual(len(slotd.log.find(UP)), 1)

    def test_flushall(self):
        """Everything is gone, and the server has not even been restarted."""
        with Redis() as redis, Daemon(redis.config(lease=2000)) as slotd:
            with slotd.client() as a, slotd.client() as b:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
                redis.ask("FLUSHALL")
                b.send("ACQUIRE g limit=1 wait=30s")
                a.expect("OK", "RELEASE g 1")
                b.expect(r"OK 1 \d+")

    def test_wrong_type(self):
        """Named, left alone, and it hurts only its group."""
        with Redis() as redis, Daemon(redis.config()) as slotd, slotd.client() as a:
            a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
            a.expect("OK", "RELEASE g 1")
            keys = [key for key in redis.ask("KEYS", "slotd:1:*:g:*")]
            self.assertTrue(keys)
            key = [key.decode().replace(":g:", ":h:") for key in keys if key.endswith(b":records")][0]
            shard = key[key.index("{"):key.index("}") + 1]
            for number in range(64):
                redis.ask("SET", key.replace(shard, "{s%02d}" % number), "mine")
            a.expect("ERR backend WRONGTYPE .*slotd:1:{s..}:h:records", "ACQUIRE h limit=1 wait=10s")
            a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
            self.assertEqual({redis.ask("GET", key.replace(shard, "{s%02d}" % number))
                              for number in range(64)}, {b"mine"})

    def test_wrong_marker(self):
        with Redis() as redis:
            redis.ask("RPUSH", "slotd:1:{s07}:marker", "mine")
            with Daemon(redis.config(), expect=["WRONGTYPE"]) as slotd:
                slotd.log.wait_for("WRONGTYPE .*slotd:1:{s07}:marker")
                slotd.log.wait_for(UP)
            self.assertEqual(redis.ask("TYPE", "slotd:1:{s07}:marker"), b"list")

    def test_marker_of_another_format(self):
        with Redis() as redis:
            redis.ask("SET", "slotd:2:{s00}:marker", "of days to come")
            with Daemon(redis.config(), expect=["format 2"]) as slotd:
                slotd.log.wait_for(UP)
                self.assertEqual(len(slotd.log.find("keys are of format 2 use it too")), 1)
            self.assertEqual(redis.ask("GET", "slotd:2:{s00}:marker"), b"of days to come")

    def test_replica(self):
        """Read-only: not used until it is a primary."""
        with Redis("--replicaof", "127.0.0.1", "1") as redis:
            with Daemon(redis.config(), expect=[TROUBLE]) as slotd:
                slotd.log.wait_for("a replica, and read-only; trying again")
                redis.ask("REPLICAOF", "NO", "ONE")
                slotd.log.wait_for(UP)

    def test_becomes_replica(self):
        with Redis() as redis, Daemon(redis.config(), expect=[TROUBLE]) as slotd, slotd.client() as a:
            a.expect(r"OK 1 \d+", "ACQUIRE g limit=2 wait=10s")
            redis.ask("REPLICAOF", "127.0.0.1", "1")
            slotd.log.wait_for("READONLY|read-only")
            redis.ask("REPLICAOF", "NO", "ONE")
            slotd.log.wait_for(UP, 2)

    def test_cluster_is_refused(self):
        with Redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()), tcp=True) as redis:
            with Daemon(redis.config(), expect=[TROUBLE]) as slotd:
                slotd.log.wait_for("in cluster mode, which is not spoken yet; .*trying again")

    def test_other_server(self):
        """Something that is no Redis at all, such as slotd itself."""
        with Daemon() as other, Daemon("[redis]\nurl = unix://" + other.socket, expect=[TROUBLE]) as slotd:
            slotd.log.wait_for("Protocol error.*trying again")

    def test_warned(self):
        with Redis("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as redis:
            with Daemon(redis.config(), expect=["maxmemory-policy is allkeys-lru"]) as slotd:
                slotd.log.wait_for(UP)
                self.assertEqual(len(slotd.log.find("maxmemory-policy is allkeys-lru")), 1)

    def test_warned_later(self):
        """What changes while we are connected is seen within a minute; here, six seconds."""
        with Redis(tcp=True) as redis, Daemon(redis.config(), expect=["it has replicas", "policy"]) as slotd:
            with slotd.client() as a:
                slotd.log.wait_for(UP)
                self.assertIn("redis_warn_replicas=0", a.ask_list("STATS"))
                redis.ask("CONFIG", "SET", "repl-diskless-sync-delay", 0)
                with Redis("--replicaof", "127.0.0.1", str(redis.port)) as replica:
                    replica.log.wait_for("sync: Finished with success")
                    redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
                    slotd.log.wait_for("policy is allkeys-lru, though maxmemory is not set")
                    slotd.log.wait_for("it has replicas and min-replicas-to-write is 0")
                    stats = a.ask_list("STATS")
                    self.assertIn("redis_warn_replicas=1", stats)
                    self.assertIn("redis_warn_eviction=1", stats)
            self.assertEqual(len(slotd.log.find("warning: ")), 2)

    def test_leases_that_differ(self):
        with Redis() as redis, Daemon(redis.config(lease=2000)) as other, other.client() as a:
            a.expect(r"OK 1 \d+", "ACQUIRE g limit=1 wait=10s")
            with Daemon(redis.config(), expect=["has .* a lease_ms of 2000, and this one has 1000"]) as slotd:
                slotd.log.wait_for("give all the same")
                slotd.log.wait_for(UP)
                with slotd.client() as b:
                    self.assertIn("redis_grace_ms=2000", b.ask_list("STATS"))
                self.assertEqual(len(slotd.log.find("give all the same")), 1)

    def test_resolver_that_hangs(self):
        """The loop goes on, and the connection comes when there is an answer."""
        with tempfile.TemporaryDirectory() as directory, Redis(tcp=True) as redis:
            gate = os.path.join(directory, "gate")
            os.mkfifo(gate)
            env = dict(resolver(directory), SLOW_RESOLVER=gate)
            config = redis.config(url=f"redis://redis.test:{redis.port}",
                                  redis="connect_timeout_ms = 500")
            with Daemon(config, env=env, expect=[TROUBLE]) as slotd, slotd.client() as a:
                slotd.log.wait_for("the name server does not answer; trying again")
                a.expect("OK pong", "PING")
                with open(gate, "w", encoding="ascii"):     # its reader is the one thread
                    pass
                slotd.log.wait_for(UP)


class Access(unittest.TestCase):
    def test_password_file(self):
        with Redis("--requirepass", "p w/%") as redis, tempfile.NamedTemporaryFile("w") as file:
            file.write("wrong\n")
            file.flush()
            config = redis.config(redis=f"password_file = {file.name}")
            with Daemon(config, expect=[TROUBLE]) as slotd:
                slotd.log.wait_for("AUTH: WRONGPASS .*trying again")
                file.seek(0)
                file.write("p w/%\n")                       # read anew at each connect
                file.flush()
                slotd.log.wait_for(UP)

    def test_password_in_url(self):
        with Redis("--requirepass", "p w/%") as redis:
            config = redis.config(url=f"unix://:p%20w%2f%25@{redis.path}")
            with Daemon(config, expect=["every user of this host can read"]) as slotd:
                slotd.log.wait_for(UP)
                slotd.log.wait_for("every user of this host can read the configuration")
                self.assertFalse(slotd.log.find("%20w"))

    def test_no_password(self):
        with Redis("--requirepass", "secret") as redis:
            with Daemon(redis.config(), expect=[TROUBLE]) as slotd:
                slotd.log.wait_for("NOAUTH .*trying again")

    def test_no_password_file(self):
        with Redis() as redis:
            with Daemon(redis.config(redis="password_file = /nowhere"), expect=[TROUBLE]) as slotd:
                slotd.log.wait_for("/nowhere: No such file or directory; trying again")

    def test_command_line(self):
        for url, text in (("redis://:secret@localhost", "process list"),
                          ("rediss://localhost", "TLS tunnel"), ("localhost", "begins neither")):
            done = subprocess.run([SLOTD, "--config", "/dev/null", "--redis", url],
                                  stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(done.returncode, 64)
            self.assertIn(text, done.stderr)
            self.assertNotIn("secret", done.stderr)

    def test_readme_rules(self):
        """A user with exactly the rules that README names."""
        with open("README.md", encoding="utf-8") as file:
            rules = [line for line in file if line.startswith("    ACL SETUSER slotd ")]
        self.assertEqual(len(rules), 1)
        with Redis() as redis:
            redis.ask(*[word.replace("PASSWORD", "secret") for word in rules[0].split()])
            redis.ask("ACL", "SETUSER", "default", "off")
            config = redis.config(url=f"unix://slotd:secret@{redis.path}/", lease=1000)
            config = config.replace(redis.path + "/", redis.path)
            with Daemon(config, expect=["every user of this host can read"]) as slotd:
                with slotd.client() as a, slotd.client() as b:
                    a.expect(r"OK 1,2 \d+", "ACQUIRE g limit=2 n=2 wait=10s")
                    b.send("#w ACQUIRE g limit=2 wait=10s")
                    b.expect("ERR full .*", "ACQUIRE g limit=2 wait=0")
                    a.expect("OK", "RELEASE g 1,2")
                    b.expect(r"#w OK 1 \d+")
                self.assertEqual(len(slotd.log.find(UP)), 1)

    def test_readme_rules_are_the_scripts(self):
        """No command more or less than slotd and its scripts send."""
        script = ""
        for name in glob.glob("daemon/redis/**/*.lua", recursive=True):
            with open(name, encoding="utf-8") as file:
                script += file.read()
        used = {word.lower() for word in re.findall(r"(?:call|read)\(\s*'([A-Z]+)'", script)}
        used |= {"auth", "select", "info", "script|load", "evalsha", "publish", "subscribe", "scan",
                 "eval", "lrange"}
        with open("README.md", encoding="utf-8") as file:
            rules = re.findall(r" \+(\S+)", re.search("ACL SETUSER slotd .*", file.read())[0])
        self.assertEqual(sorted(rules), sorted(used))

    def test_rule_is_missing(self):
        with Redis() as redis:
            redis.ask("ACL", "SETUSER", "default", "-publish")
            with Daemon(redis.config(), expect=[TROUBLE]) as slotd:
                slotd.log.wait_for("NOPERM .*publish.*trying again")


class Identity(unittest.TestCase):
    def test_copied_lock_file(self):
        """As a cloned machine has it: the one that is superseded takes a new identity."""
        with Redis() as redis, Daemon(redis.config(), expect=["another slotd runs"]) as slotd:
            a = slotd.client()
            with a, Daemon(redis.config()) as clone:
                a.expect(r"OK 1 \d+", "ACQUIRE g limit=2 wait=10s")
                clone.stop(keep=True)
                shutil.copy(slotd.socket + ".lock", clone.socket + ".lock")
                clone.start()
                with clone.client() as b:
                    b.expect(r"OK 2 \d+", "ACQUIRE g limit=2 wait=10s")
                    slotd.log.wait_for("another slotd runs with the install")
                    a.expect_eof()
                    slotd.log.wait_for(UP, 2)
                    with slotd.client() as c:
                        c.expect(r"OK 1 \d+", "ACQUIRE g limit=2 wait=30s")
                        c.expect("OK .* in_use=2 .*", "STATUS g")


if __name__ == "__main__":
    unittest.main()
