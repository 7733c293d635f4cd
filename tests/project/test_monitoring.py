"""What conf/ has for Prometheus and Grafana: rules that fire when they should, and a dashboard; both
name metrics that slotd has."""
import re
import shutil
import subprocess
import unittest

from metrics import DASHBOARD, dashboard, defined, family, queries

PROMTOOL = shutil.which("promtool")
ALERTS, CASES = "conf/alerts.yml", "tests/metrics/alerts.yml"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Names(unittest.TestCase):
    def check(self, text, where):
        used = set(re.findall(r"\bslotd_\w+", text))
        self.assertGreater(len(used), 10)
        for name in used:
            self.assertIn(family(name), defined(), f"{where} names {name}")

    def test_rules(self):
        self.check("\n".join(re.sub("#.*", "", line) for line in read(ALERTS).splitlines()), ALERTS)

    def test_dashboard(self):
        self.check(read(DASHBOARD), DASHBOARD)

    def test_test_of_rules(self):
        self.check(read(CASES), CASES)

    def test_labels(self):
        """Those by which something is chosen or added up are those of the metric."""
        for title, expr in queries():
            for name, inside in re.findall(r"\b(slotd_\w+)\{([^}]*)\}", expr):
                labels = set(re.findall(r"(\w+)=", inside)) - {"instance"}
                self.assertLessEqual(labels, set(defined()[family(name)][1]), title)

    def test_counters_are_not_shown_as_they_are(self):
        for title, expr in queries():
            for name in re.findall(r"\bslotd_\w+", expr):
                if defined()[family(name)][0] != "gauge":
                    self.assertRegex(expr, rf"(rate|increase)\({name}\{{", title)


class Dashboard(unittest.TestCase):
    def test_panels(self):
        panels = dashboard()["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        taken = set()
        for panel in panels:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            self.assertFalse(taken & cells, panel["title"])
            taken |= cells
            self.assertEqual(panel["type"] == "row", "targets" not in panel)

    def test_variables(self):
        variables = {v["name"] for v in dashboard()["templating"]["list"]}
        self.assertEqual(variables, {"datasource", "instance", "group"})
        used = set(re.findall(r"\$\{?(\w+)", read(DASHBOARD))) - {"__all", "__rate_interval", "__range"}
        self.assertEqual(used, variables)


@unittest.skipUnless(PROMTOOL, "there is no promtool: install prometheus")
class Rules(unittest.TestCase):
    def promtool(self, *args):
        done = subprocess.run([PROMTOOL, *args], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_are_well_formed(self):
        self.promtool("check", "rules", ALERTS)

    def test_fire_when_they_should(self):
        self.promtool("test", "rules", CASES)

    def test_each_is_tested(self):
        rules = re.findall(r"^ +- alert: (\w+)$", read(ALERTS), re.M)
        fired = set(re.findall(r'alertname="(\w+)"', read(CASES)))
        self.assertGreater(len(rules), 10)
        self.assertEqual(len(set(rules)), len(rules))
        self.assertEqual(fired, set(rules))

    def test_each_says_what_to_do(self):
        for rule in re.split(r"(?m)^ +- alert: ", read(ALERTS))[1:]:
            for key in ("severity: (critical|warning)", "summary: ", "description: "):
                self.assertRegex(rule, key)


if __name__ == "__main__":
    unittest.main()
