"""A headless Chromium, driven over a pipe by the DevTools protocol.

    with Browser() as browser, browser.page("http://127.0.0.1:9717/") as page:
        page.wait("document.title != ''")
        page.screenshot("page.png")

Environment: CHROMIUM (chromium, else google-chrome), the program to run.
"""
import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

from slotd import TIMEOUT, Failure, wait_end

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
LAUNCH = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execvp(sys.argv[3], sys.argv[3:])"""


class Browser:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="slotd-browser-")
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        self._buffer = b""
        self._number = 0
        self.events = []                            # (session, method, params), the oldest first
        self._log = open(os.path.join(self.dir, "log"), "w+b")
        # which it wants as 3 and 4, and is started through LAUNCH for that
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *map(str, theirs), CHROMIUM,
             "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-extensions",
             "--no-proxy-server", "--hide-scrollbars", "--force-color-profile=srgb",
             "--remote-debugging-pipe", f"--user-data-dir={self.dir}/profile", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, pass_fds=theirs,
            env={**os.environ, "HOME": self.dir})
        for fd in (theirs_in, theirs_out, *theirs):
            os.close(fd)

    def call(self, method, session=None, **params):
        """-> what it answers"""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if "id" not in answer:
                self.events.append((answer.get("sessionId"), answer["method"], answer["params"]))
            elif answer["id"] == self._number:
                if "error" in answer:
                    raise Failure(f"{method}: {answer['error']}")
                return answer["result"]

    def wait_for(self, session, method):
        """The next event of that name, from those that have come already on.  -> its params"""
        while True:
            for i, (its_session, name, params) in enumerate(self.events):
                if (its_session, name) == (session, method):
                    del self.events[:i + 1]
                    return params
            answer = self._read()
            if "method" in answer:
                self.events.append((answer.get("sessionId"), answer["method"], answer["params"]))

    def _read(self):
        deadline = time.monotonic() + TIMEOUT
        while b"\0" not in self._buffer:
            if not select.select([self._in], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Failure(f"no word from {CHROMIUM}: {self.log()}")
            more = os.read(self._in, 1 << 20)
            if not more:
                raise Failure(f"{CHROMIUM} has ended: {self.log()}")
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def log(self):
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-2000:]

    @contextlib.contextmanager
    def page(self, url, width=1280, height=800, dark=False, scripts=True):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        page.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        page.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        page.call("Page.enable")
        page.call("Runtime.enable")
        page.call("Log.enable")
        page.call("Page.navigate", url=url)
        self.wait_for(session, "Page.loadEventFired")
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            wait_end(self.process, CHROMIUM)
        finally:
            self.process.kill()
            self.process.wait()
            for fd in (self._in, self._out):
                os.close(fd)
            self._log.close()
            shutil.rmtree(self.dir, ignore_errors=True)


class Page:
    def __init__(self, browser, session):
        self._browser = browser
        self._session = session

    def call(self, method, **params):
        return self._browser.call(method, self._session, **params)

    def ask(self, expression):
        """-> the value of the expression, of the promise if it is one"""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failure(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, condition):
        """Until the condition is true: it is looked at again after each change of the document."""
        self.ask(f"""new Promise((done, fail) => {{
            const look = () => {{ if ({condition}) {{ observer.disconnect(); done(true); }} }};
            const observer = new MutationObserver(look);
            observer.observe(document, {{subtree: true, childList: true, attributes: true, characterData: true}});
            setTimeout(() => fail(new Error("it is not so, after {TIMEOUT} s")), {TIMEOUT * 1000});
            look();
        }})""")

    def screenshot(self, path, whole=False):
        params = {"captureBeyondViewport": True} if whole else {}
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png", **params)["data"]))

    def complaints(self):
        """What the browser has logged: refused scripts, errors in ours."""
        self.call("Runtime.evaluate", expression="0")
        return [params.get("entry", {}).get("text") or str(params.get("exceptionDetails"))
                for session, method, params in self._browser.events
                if session == self._session and method in ("Log.entryAdded", "Runtime.exceptionThrown")]
