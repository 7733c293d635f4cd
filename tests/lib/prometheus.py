"""A real Prometheus that scrapes slotd, and is asked through its API.

    with Prometheus([port], "conf/alerts.yml") as prometheus:
        prometheus.wait_for('slotd_held_slots{group="g"} == 2')
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from redis import free_port
from slotd import TIMEOUT, Failure, Log, wait_end

PROGRAM = shutil.which("prometheus")

CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: ['{rules}']
scrape_configs:
  - job_name: slotd
    static_configs: [{{targets: [{targets}]}}]
"""


class Prometheus:
    """Ready when the constructor returns; it begins to scrape 5 s later.  rules: a file of them."""

    def __init__(self, ports, rules):
        self.dir = tempfile.mkdtemp(prefix="slotd-prometheus-")
        self.port = free_port()
        targets = ", ".join(f"'127.0.0.1:{port}'" for port in ports)
        path = os.path.join(self.dir, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(rules=os.path.abspath(rules), targets=targets))
        self.process = subprocess.Popen(
            [PROGRAM, f"--config.file={path}", f"--storage.tsdb.path={self.dir}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.log = Log(self.process.stderr)
        try:
            self.log.wait_for("Server is ready to receive web requests")
        except BaseException:
            self.close(signal.SIGKILL)
            raise

    def ask(self, path, **arguments):
        """-> the data of the answer"""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise Failure(f"{arguments}: {error.read().decode()}") from None

    def query(self, expr):
        """-> [(labels, value)] of now"""
        return [(sample["metric"], float(sample["value"][1]))
                for sample in self.ask("query", query=expr)["result"]]

    def wait_for(self, expr):
        """Asks again and again until there is something.  -> [(labels, value)]"""
        deadline = time.monotonic() + TIMEOUT
        while not (found := self.query(expr)):
            if time.monotonic() > deadline:
                raise Failure(f"Prometheus has nothing for {expr}; its log:\n{self.log}")
        return found

    def close(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        wait_end(self.process, "prometheus")
        self.log.join()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
