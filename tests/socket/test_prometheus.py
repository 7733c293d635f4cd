"""A real Prometheus scrapes two slotd that share a Redis; what the dashboard asks it gets."""
import contextlib
import unittest

from fleet import UP
from metrics import queries
from prometheus import PROGRAM, Prometheus
from redis import Redis, free_port
from slotd import Daemon

SCRAPES = 'min(count_over_time(up{job="slotd"}[5m])) >= %d'
VARIABLES = {"$instance": ".*", "$group": ".*", "$__rate_interval": "5m", "$__range": "5m"}
OF_TROUBLE = "> 0"              # queries that have an answer only if something is wrong


def filled(expr):
    for variable, value in VARIABLES.items():
        expr = expr.replace(variable, value)
    return expr


@unittest.skipUnless(PROGRAM, "there is no prometheus here: install it")
class Scrape(unittest.TestCase):
    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.redis = stack.enter_context(Redis())
        ports = [free_port(), free_port()]
        self.daemons = [stack.enter_context(Daemon(self.config(port), expect=["away", "no slot"]))
                        for port in ports]
        self.clients = [stack.enter_context(slotd.client()) for slotd in self.daemons]
        for slotd in self.daemons:
            slotd.log.wait_for(UP)
        self.prometheus = stack.enter_context(Prometheus(ports, "conf/alerts.yml"))
        self.prometheus.wait_for(SCRAPES % 1)

    def config(self, port):
        return self.redis.config(f"[metrics]\nlisten = 127.0.0.1:{port}\n[group g]\nlimit = 3\n",
                                 lease_more="grace_ms = 0").replace("debug", "info")

    def value(self, expr):
        [(_, value)] = self.prometheus.query(expr)
        return value

    def test(self):
        """One test, since Prometheus takes its time to begin."""
        self.check_story()
        self.check_dashboard()
        self.check_rules()

    def check_story(self):
        a, b = self.clients
        hostile = "%22%5C%7D%C3%BC"
        a.expect(r"OK 1,2 \d+", "ACQUIRE g n=2")
        b.expect(r"OK 3 \d+", "ACQUIRE g hold=1h")
        b.expect("ERR full .*", "ACQUIRE g wait=0")
        b.send("#w ACQUIRE g wait=forever", f"#h ACQUIRE {hostile} limit=1")
        b.expect(r"#h OK 1 \d+")
        a.expect("OK", "RELEASE g 1,2")
        b.expect(r"#w OK 1 \d+")
        a.expect(r"OK 2 \d+", "ACQUIRE g")
        b.send("#w ACQUIRE g wait=forever")
        self.prometheus.wait_for('sum(slotd_waiters{group="g"}) == 1 '
                                 'and sum(slotd_held_slots{group="g"}) == 3')
        self.prometheus.wait_for(SCRAPES % (self.value("max(count_over_time(up[5m]))") + 2))

        self.assertEqual(self.value('max(slotd_in_use_slots{group="g"})'), 3)
        self.assertEqual(self.value('sum(slotd_acquires_total{group="g", result="granted"})'), 4)
        self.assertEqual(self.value('sum(slotd_acquires_total{group="g", result="full"})'), 1)
        self.assertEqual(self.value("sum(slotd_redis_up)"), 2)
        self.assertEqual(self.value(r'sum(slotd_held_slots{group="\"\\}ü"})'), 1)
        self.assertGreater(self.value('max(slotd_oldest_wait_seconds{group="g"})'), 0)

    def check_dashboard(self):
        for title, expr in queries():
            with self.subTest(title=title, expr=expr):
                found = self.prometheus.query(filled(expr))
                if OF_TROUBLE not in expr:
                    self.assertTrue(found)

    def check_rules(self):
        """Each can be evaluated; those of Redis and of slotd itself notice when these are gone."""
        self.redis.end()
        self.prometheus.wait_for('count(ALERTS{alertname="SlotdRedisDown"}) == 2')
        self.daemons[0].kill()
        self.prometheus.wait_for('ALERTS{alertname="SlotdDown"}')
        rules = [rule for group in self.prometheus.ask("rules")["groups"] for rule in group["rules"]]
        self.assertGreater(len(rules), 10)
        for rule in rules:
            self.assertEqual((rule["health"], rule.get("lastError")), ("ok", None), rule["name"])


if __name__ == "__main__":
    unittest.main()
