"""The page in a browser: what it shows, that it stays up to date, and that nothing in it can do harm.

Environment: SCREENSHOTS=DIR keeps pictures of it there, to be looked at.
"""
import contextlib
import os
import unittest

from browser import CHROMIUM, Browser
from redis import Redis, free_port
from slotd import Daemon

HOSTILE = "</script><script>document.title='ran'</script><img/src=x/onerror=\"document.title='ran'\">&'"
RTL = "\u202eevil\u2066"
LONG = "m" * 128                # the longest that a name can be, in one word


def escaped(text):
    """as the line protocol wants it"""
    return "".join(f"%{byte:02X}" for byte in text.encode())


def of(group, selector=""):
    """-> the expression for what is within the row of that group"""
    return f"document.querySelector('#groups > [data-group=\"{group}\"] {selector}')"


def is_live(page):
    page.wait("document.getElementById('time').textContent != 'as of the load of this page'")


@unittest.skipUnless(CHROMIUM, "no Chromium is installed: make check-page installs it")
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())

    def setUp(self):
        self.stack = self.enterContext(contextlib.ExitStack())
        self.port = free_port()
        self.metrics = f"[metrics]\nlisten = 127.0.0.1:{self.port}\n"

    def start(self, config="", metrics_at_front=True, **options):
        config = self.metrics + config if metrics_at_front else config
        self.slotd = self.stack.enter_context(Daemon(config, **options))
        self.client = self.slotd_client()

    def slotd_client(self):
        return self.stack.enter_context(self.slotd.client())

    def hold(self, group, limit, n=1, label="job"):
        self.client.expect(r"OK \S+ \d+", f"ACQUIRE {escaped(group)} limit={limit} n={n} label={escaped(label)}")

    def queue(self, group, limit, label="next"):
        waiter = self.slotd_client()
        waiter.send(f"ACQUIRE {escaped(group)} limit={limit} wait=forever label={escaped(label)}")
        return waiter

    def settle(self, *clients):
        """Returns when slotd has read what they have said."""
        for client in clients or [self.client]:
            client.send("#p PING")
            client.expect("#p OK pong")

    def page(self, query="", **options):
        return self.browser.page(f"http://127.0.0.1:{self.port}/{query}", **options)

    def picture(self, page, name):
        if os.environ.get("SCREENSHOTS"):
            os.makedirs(os.environ["SCREENSHOTS"], exist_ok=True)
            page.screenshot(os.path.join(os.environ["SCREENSHOTS"], f"{name}.png"))

    def some_groups(self):
        self.start("[group quiet]\nlimit = 10\n")
        for i in range(3):
            self.hold("api-login", 3, label=f"worker-{i}")
        self.settle(*(self.queue("api-login", 3, label=f"waits-{i}") for i in range(2)))
        self.hold("build/linux-x86_64", 40, n=12)
        self.hold("nightly-report", 8, n=2, label="half past two")

    def check_numbers(self, page):
        self.assertEqual(page.ask("[...document.querySelectorAll('#groups > tbody')].map(b => b.dataset.group)"),
                         ["api-login", "build/linux-x86_64", "nightly-report", "quiet"])
        for group, count, width, waiting in (("api-login", "3 / 3", "100", "2"), ("quiet", "0 / 10", "0", "0"),
                                             ("build/linux-x86_64", "12 / 40", "30", "0"),
                                             ("nightly-report", "2 / 8", "25", "0")):
            self.assertEqual(page.ask(of(group, ".count") + ".textContent"), count)
            for part in ("used", "here"):
                self.assertEqual(float(page.ask(of(group, f".bar .{part}") + ".getAttribute('width')")), float(width))
            self.assertEqual(page.ask(of(group, "td.waiting") + ".textContent"), waiting)
        self.assertEqual(page.ask(of("api-login") + ".className"), "group waits")
        self.assertEqual(page.ask(of("quiet", "td.oldest") + ".textContent"), "–")
        self.assertRegex(page.ask(of("api-login", "td.oldest") + ".textContent"), r"^\d+(\.\d)? m?s$")
        self.assertEqual(page.ask("document.getElementById('state').textContent"), "ready")

    # what a bar looks like, not only what it says
    def check_drawn(self, page, group, share):
        drawn, whole = page.ask(f"['.here', '.room'].map(part => {of(group)}.querySelector('.bar ' + part)"
                                ".getBoundingClientRect().width)")
        self.assertAlmostEqual(drawn / whole, share, places=2)

    def open_row(self, page, group):
        page.ask(of(group, "summary") + ".click()")

    def cells(self, page, group, caption):
        """-> the texts of the cells of one of its lists"""
        return page.ask(f"[...{of(group)}.querySelectorAll('.list table')]"
                        f".filter(t => t.caption.textContent == '{caption}')"
                        ".flatMap(t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.innerText)))")

    def check_lists(self, page):
        holders = self.cells(page, "api-login", "Holders")
        self.assertEqual([cells[:4] for cells in holders],
                         [[str(i + 1), f"worker-{i}", str(os.getpid()), str(os.getuid())] for i in range(3)])
        self.assertEqual([cells[:2] + [cells[5]] for cells in self.cells(page, "api-login", "Waiters")],
                         [[str(i + 1), f"waits-{i}", "1"] for i in range(2)])

    def test_without_scripts(self):
        """Whole as it comes from slotd."""
        self.some_groups()
        with self.page(scripts=False) as page:
            self.check_numbers(page)
            self.check_drawn(page, "nightly-report", 0.25)
            self.assertTrue(page.ask("document.getElementById('tools').hidden"))
            self.assertEqual(page.ask(of("api-login", ".lists") + ".getBoundingClientRect().height"), 0)
            self.open_row(page, "api-login")
            self.assertGreater(page.ask(of("api-login", ".lists") + ".getBoundingClientRect().height"), 50)
            self.check_lists(page)
            self.picture(page, "without-scripts")
            self.assertEqual(page.complaints(), [])

    def test_with_scripts(self):
        """The same by the script, and no less accessible."""
        self.some_groups()
        with self.page() as page:
            is_live(page)
            self.check_numbers(page)
            self.check_drawn(page, "nightly-report", 0.25)
            self.open_row(page, "api-login")
            page.wait(of("api-login", ".lists") + ".innerText.includes('Gives up in')")
            self.check_lists(page)
            self.picture(page, "light")
            self.assertEqual(page.complaints(), [])
        with self.page(dark=True) as page:
            is_live(page)
            self.assertEqual(page.ask("getComputedStyle(document.body).backgroundColor"), "rgb(18, 22, 27)")
            self.picture(page, "dark")

    def test_live(self):
        """What happens is shown without a reload; what one has opened and chosen stays."""
        self.some_groups()
        with self.page() as page:
            is_live(page)
            page.ask("window.same = true")
            self.open_row(page, "nightly-report")
            self.hold("nightly-report", 8, n=4, label="late")
            page.wait(of("nightly-report", ".count") + ".textContent == '6 / 8'")
            page.wait(of("nightly-report", ".lists") + ".innerText.includes('late')")
            self.assertEqual(float(page.ask(of("nightly-report", ".bar .here") + ".getAttribute('width')")), 75)
            self.hold("all-new", 1)
            page.wait(of("all-new") + " !== null")
            self.client.expect("OK", "RELEASE all-new 1")
            page.wait(of("all-new") + " === null")
            self.assertTrue(page.ask("window.same && " + of("nightly-report", "details") + ".open"))
            self.assertRegex(page.ask(of("nightly-report", "td.grants") + ".textContent"), r"^2 · \d+(\.\d)?/s$")

    def test_operator(self):
        """A live limit and a pause are told as slotd tells them, and by the script; so is what is held
        above a limit that was lowered."""
        self.some_groups()
        self.client.expect("OK .*", f"LIVE nightly-report pause=on why={escaped('the database moves')}")
        self.client.expect("OK .*", f"LIVE build/linux-x86_64 limit=8 why={escaped(HOSTILE)}")
        notes = [of(group, ".notes") + ".textContent" for group in ("nightly-report", "build/linux-x86_64", "quiet")]
        for options in ({"scripts": False}, {"scripts": True}):
            with self.page(**options) as page:
                if options["scripts"]:
                    is_live(page)
                paused, limited, none = map(page.ask, notes)
                self.assertRegex(paused, "^paused by .+@.+: the database moves$")
                self.assertRegex(limited, "^limit set by .+@.+: </script>")
                self.assertEqual(none, "")
                self.assertEqual(page.ask(of("build/linux-x86_64") + ".className"), "group over")
                self.assertEqual(page.ask(of("build/linux-x86_64", ".count") + ".textContent"), "12 / 8")
                self.assertEqual(page.complaints(), [])
                self.picture(page, f"operator-{options['scripts']}")
        with self.page() as page:
            is_live(page)
            self.client.expect("OK .*", "LIVE nightly-report pause=off")
            page.wait(notes[0] + " == ''")

    def test_order_and_filter(self):
        self.some_groups()
        shown = ("[...document.querySelectorAll('#groups > tbody')].filter(b => b.checkVisibility())"
                 ".map(b => b.dataset.group)")
        with self.page() as page:
            is_live(page)
            by = "document.querySelector('#groups thead [data-key={}] button').click()".format
            page.ask(by("use"))
            self.assertEqual(page.ask(shown), ["api-login", "build/linux-x86_64", "nightly-report", "quiet"])
            page.ask(by("use"))
            self.assertEqual(page.ask(shown), ["quiet", "nightly-report", "build/linux-x86_64", "api-login"])
            self.assertEqual(page.ask("document.querySelector('#groups [data-key=use]').ariaSort"), "ascending")
            page.ask("const filter = document.getElementById('filter'); filter.value = 'LI';"
                     "filter.dispatchEvent(new Event('input'))")
            self.assertEqual(page.ask(shown), ["build/linux-x86_64", "api-login"][:1])
            self.assertEqual(page.ask("document.getElementById('shown').textContent"), "1 of 4 groups")

    def test_hostile(self):
        """Names and labels are text, and only that: with scripts, without, and in a link."""
        self.start()
        for name in (HOSTILE, RTL, LONG):
            self.hold(name[:128], 2, label=name[:60])
        shown = sorted(name[:128].replace(RTL, escaped(RTL[0]) + "evil" + escaped(RTL[-1]))
                       for name in (HOSTILE, RTL, LONG))
        ask = "[...document.querySelectorAll('#groups > tbody .name')].map(e => e.textContent)"
        for options in ({"scripts": True}, {"scripts": False}):
            with self.page(**options) as page:
                if options["scripts"]:
                    is_live(page)
                self.assertEqual(sorted(page.ask(ask)), shown)
                page.ask("document.querySelectorAll('#groups summary').forEach(s => s.click())")
                if options["scripts"]:
                    page.wait("document.querySelectorAll('.list td.label').length == 3")
                self.assertEqual(sorted(page.ask("[...document.querySelectorAll('.list td.label')].map(e => e.textContent)")),
                                 sorted(name[:60] for name in shown))
                self.assertEqual(page.ask("document.title"), f"slotd on {page.ask('host.textContent')}")
                self.assertEqual(page.ask("document.images.length"), 0)
                self.assertEqual(page.complaints(), [])
                self.picture(page, f"hostile-{options['scripts']}")
        with self.page(f"?group={escaped(HOSTILE[:128])}") as page:
            is_live(page)
            self.assertEqual(page.ask(ask), [HOSTILE[:128]])
            self.assertEqual(page.complaints(), [])

    def test_policy(self):
        """Even a script that had come in would not run."""
        self.start()
        with self.page() as page:
            is_live(page)
            page.ask("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">');"
                     "const s = document.createElement('script'); s.textContent = 'document.title = 2';"
                     "document.body.append(s)")
            self.assertRegex(page.ask("document.title"), "^slotd on ")
            self.assertTrue(any("Content Security Policy" in text for text in page.complaints()))

    def test_narrow(self):
        """On a telephone nothing is cut off, and nothing scrolls sideways but a list in its frame."""
        self.some_groups()
        self.hold(LONG, 2, label="w" * 64)
        with self.page(width=360, height=740) as page:
            is_live(page)
            for group in ("api-login", LONG):
                self.open_row(page, group)
            page.wait(of(LONG, ".lists") + ".innerText.includes('www')")
            self.picture(page, "narrow")
            self.assertLessEqual(page.ask("document.documentElement.scrollWidth"), 360)

    def test_many(self):
        """A thousand groups: all are there, live, and the lists of one are fetched when it is opened."""
        self.start()
        clients = [self.client, self.slotd_client()]
        for first in range(0, 1000, 100):
            for n, client in enumerate(clients, 1):
                client.send(*(f"ACQUIRE group-{i:04} limit=2 label=holder-{n}" for i in range(first, first + 100)))
            for client in clients:
                for _ in range(100):
                    client.expect(r"OK \d \d+")
        with self.page() as page:
            is_live(page)
            self.assertEqual(page.ask("document.getElementById('shown').textContent"), "1000 groups")
            self.open_row(page, "group-0003")
            page.wait(of("group-0003", ".lists") + ".innerText.includes('holder-2')")
            self.picture(page, "many")
            self.assertEqual(page.complaints(), [])

    def test_none(self):
        self.start()
        with self.page() as page:
            is_live(page)
            self.assertTrue(page.ask("document.getElementById('none').checkVisibility()"))
            self.hold("first", 1)
            page.wait("!document.getElementById('none').checkVisibility() && " + of("first") + " !== null")

    def test_trouble(self):
        """Redis goes away, and slotd itself: both are said; what was known last stays to be seen."""
        with Redis() as redis:
            self.start(redis.config(lease=30000, lease_more="grace_ms = 0")
                       .replace("[lease]", self.metrics + "[lease]"), metrics_at_front=False,
                       expect=["away", "hung"])
            self.client.expect(r"OK 1 \d+", "ACQUIRE g limit=4 wait=1m")
            with self.page() as page:
                is_live(page)
                self.assertEqual(page.ask("document.getElementById('backend').textContent"), "Redis, up")
                redis.end()
                page.wait("document.getElementById('state').className == 'unready'")
                self.assertRegex(page.ask("document.getElementById('state').textContent"), "^away: ")
                self.picture(page, "redis-away")
                self.slotd.kill(keep=True)
                page.wait("document.getElementById('state').textContent.startsWith('slotd cannot be reached')")
                self.assertEqual(page.ask(of("g", ".count") + ".textContent"), "1 / 4")
                self.picture(page, "slotd-gone")

    def test_contrast(self):
        """Every text against its ground: 4.5 to 1, as WCAG AA asks."""
        self.some_groups()
        measure = """(() => {
            const channels = c => c.match(/[\\d.]+/g).slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            const light = c => { const [r, g, b] = channels(c); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
            const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
                if (c != 'rgba(0, 0, 0, 0)') return c; } };
            return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && e.tagName != 'INPUT' &&
                [...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim())).map(e => {
                const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
                return [(a + 0.05) / (b + 0.05), e.tagName + '.' + e.className + '#' + e.id];
            }).sort((x, y) => x[0] - y[0])[0]; })()"""
        for dark in (False, True):
            with self.page(dark=dark) as page:
                is_live(page)
                self.open_row(page, "api-login")
                page.wait(of("api-login", ".lists") + ".innerText.includes('Gives up in')")
                worst, where = page.ask(measure)
                self.assertGreaterEqual(worst, 4.5, where)


if __name__ == "__main__":
    unittest.main()
