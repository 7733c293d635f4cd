"""A terminal of a test's own: a pty, a job in its foreground, and what is to be seen on its screen.

    with Terminal([SLOTCTL, "top"], env) as term:
        term.wait_for("GROUP +USE")
        term.press("q")
        assert term.end() == 0
"""
import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import threading
import unicodedata

from slotd import TIMEOUT, Failure

# Like a shell: leads the session, has the job in a process group of its own in the foreground, takes
# the terminal back when that stops or ends, and says so; on a line of fd 4 the job goes on.
LEADER = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
report, go = os.fdopen(3, "w", buffering=1), os.fdopen(4)
print(pid, file=report)
while True:
    status = os.waitpid(pid, os.WUNTRACED)[1]
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        print(os.waitstatus_to_exitcode(status), file=report)
        break
    print("stopped", file=report)
    go.readline()
    os.tcsetpgrp(0, pid)
    os.killpg(pid, signal.SIGCONT)
"""

# the last but one: what a ^Z has thrown away the end of
SEQUENCE = re.compile(r"\x1b\[([?>]?)([\d;]*)([@-~])|\x1b[()][0AB]|\x1b[=>78M]|\x1b\][^\x07\x1b]*\x07|"
                      r"\x1b(?:\[[?>]?[\d;]*|[()])?(?=\x1b)|(.)", re.S)

MARK = b"\x1b]mark\x07"         # shows nothing


class Screen:
    """As much of an xterm as ncurses makes use of."""

    def __init__(self, rows, columns):
        self.resize(rows, columns)
        self.rest = ""

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.region = (0, rows - 1)
        self.cells = [self.blank() for _ in range(rows)]
        self.reversed = [[False] * columns for _ in range(rows)]
        self.y = self.x = 0
        self.is_reverse, self.last = False, " "

    def blank(self):
        return [" "] * self.columns

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, text):
        text = self.rest + text
        cut = text.rfind("\x1b")        # a sequence that is not whole yet waits
        if cut >= 0 and not re.match(
                r"\x1b(\[[?>]?[\d;]*[@-~]|[()].|[=>78M]|\][^\x07]*\x07)", text[cut:]):
            text, self.rest = text[:cut], text[cut:]
        else:
            self.rest = ""
        for found in SEQUENCE.finditer(text):
            if found[4] is not None:
                self.put(found[4])
            elif found[3] is not None and not found[1]:
                self.control(found[3], [int(n or 0) for n in found[2].split(";")])
                self.y, self.x = min(self.y, self.rows - 1), min(self.x, self.columns - 1)
            elif found[0] == "\x1bM":
                if self.y == self.region[0]:
                    self.scroll(-1)
                else:
                    self.y -= 1

    def put(self, char):
        if char == "\n":
            if self.y == self.region[1]:
                self.scroll(1)
            else:
                self.y += 1
        elif char == "\r":
            self.x = 0
        elif char == "\b":
            self.x = max(0, self.x - 1)
        elif ord(char) < 32:
            raise Failure(f"control character {char!r} on the screen")
        elif unicodedata.combining(char):
            self.cells[self.y][self.x - 1] += char
        else:
            width = 2 if unicodedata.east_asian_width(char) in "WF" else 1
            if self.x + width > self.columns:
                self.x = self.columns - width       # ncurses counts on no wrapping
            self.cells[self.y][self.x:self.x + width] = [char, *[""] * (width - 1)]
            self.reversed[self.y][self.x] = self.is_reverse
            self.x += width
            self.last = char

    def scroll(self, by):
        top, bottom = self.region
        for rows, new in ((self.cells, self.blank), (self.reversed, lambda: [False] * self.columns)):
            for _ in range(abs(by)):
                del rows[top if by > 0 else bottom]
                rows.insert(bottom if by > 0 else top, new())

    def erase(self, y, start, end):
        self.cells[y][start:end] = [" "] * (end - start)
        self.reversed[y][start:end] = [self.is_reverse] * (end - start)

    def control(self, letter, numbers):
        n = max(1, numbers[0])
        x, y = min(self.x, self.columns - 1), self.y
        row = self.cells[y]
        if letter == "H":
            self.y, self.x = n - 1, max(1, (numbers + [1])[1]) - 1
        elif letter == "d":
            self.y = n - 1
        elif letter == "G":
            self.x = n - 1
        elif letter in "ABCD":
            self.y += {"A": -n, "B": n}.get(letter, 0)
            self.x = x + {"C": n, "D": -n}.get(letter, 0)
        elif letter == "J":
            self.erase(y, 0 if numbers[0] == 2 else x, self.columns)
            for other in range(0 if numbers[0] == 2 else y + 1, self.rows):
                self.erase(other, 0, self.columns)
        elif letter == "K":
            self.erase(y, 0 if numbers[0] else x, x + 1 if numbers[0] == 1 else self.columns)
        elif letter == "X":
            self.erase(y, x, min(self.columns, x + n))
        elif letter == "P":
            row[x:] = row[x + n:] + [" "] * min(n, self.columns - x)
        elif letter == "@":
            row[x:] = ([" "] * n + row[x:])[:self.columns - x]
        elif letter in "LM":
            region, self.region = self.region, (y, self.region[1])
            self.scroll(n if letter == "M" else -n)
            self.region = region
        elif letter in "ST":
            self.scroll(n if letter == "S" else -n)
        elif letter == "b":
            for _ in range(n):
                self.put(self.last)
        elif letter == "r":
            self.region = (n - 1, (numbers + [0])[1] - 1 if len(numbers) > 1 else self.rows - 1)
            self.y = self.x = 0
        elif letter == "m":
            for number in numbers:
                if number in (0, 7, 27):
                    self.is_reverse = number == 7


class Terminal:
    def __init__(self, command, env, rows=24, columns=80):
        self.master, self.slave = os.openpty()
        self.screen = Screen(rows, columns)
        self.raw = b""
        self.failure = None
        self._more = threading.Condition()
        self._set_size(rows, columns)
        self.settings = termios.tcgetattr(self.slave)
        report, self._go = os.pipe(), os.pipe()
        self._report = os.fdopen(report[0])
        self._leader = subprocess.Popen(
            [sys.executable, "-c", LEADER, *command], env=env, start_new_session=True,
            stdin=self.slave, stdout=self.slave, stderr=self.slave, pass_fds=(3, 4),
            preexec_fn=lambda: self._put_pipes(report[1], self._go[0]))
        os.close(report[1])
        os.close(self._go[0])
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.pid = int(self._report.readline())

    @staticmethod
    def _put_pipes(report, go):
        """As fd 3 and 4, which may be the other's now."""
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (report, go)]
        for fd, number in zip(high, (3, 4)):
            os.dup2(fd, number)

    def _read(self):
        rest = b""
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            with self._more:
                self.raw += data
                text, rest = whole(rest + data)
                try:
                    self.screen.feed(text)
                except Failure as failure:
                    self.failure = failure
                self._more.notify_all()

    def _set_size(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        """What is there is forgotten: the job has to draw it anew."""
        with self._more:
            self.screen.resize(rows, columns)
            self._set_size(rows, columns)

    def press(self, keys):
        os.write(self.master, keys.encode())

    def lines(self):
        with self._more:
            return self.screen.lines()

    def selected(self):
        """The line that is reversed, below that of the titles."""
        with self._more:
            rows = [y for y in range(self.screen.rows) if self.screen.reversed[y][0]]
            return self.screen.lines()[rows[-1]] if rows else ""

    def wait_for(self, pattern, of=None):
        """Waits until that is on the screen (or in what `of` makes of it).  -> the match"""
        found = None

        def is_there():
            nonlocal found
            text = "\n".join(self.screen.lines()) if of is None else of()
            found = re.search(pattern, text, re.M)
            return found

        with self._more:
            self._more.wait_for(lambda: is_there() or self.failure, TIMEOUT)
            if self.failure:
                raise self.failure
            if not found:
                raise Failure(f"not on the screen: {pattern}\n" + "\n".join(self.screen.lines()))
        return found

    def said(self):
        """The next word of the leader: "stopped", or the exit status of the job.  Then `raw` has all
        that it has written."""
        if not select.select([self._report], [], [], TIMEOUT)[0]:
            raise Failure("the job neither stops nor ends\n" + "\n".join(self.screen.lines()))
        word = self._report.readline().strip()
        os.write(self.slave, MARK)
        with self._more:
            if not self._more.wait_for(lambda: self.raw.endswith(MARK), TIMEOUT):
                raise Failure("the terminal does not show what is written to it")
        return word

    def go_on(self):
        os.write(self._go[1], b"\n")

    def end(self):
        """-> its exit status, -n if it died by a signal; the terminal is as it was."""
        status = int(self.said())
        self.check_settings()
        return status

    def check_settings(self):
        if termios.tcgetattr(self.slave) != self.settings:
            raise Failure("the terminal's settings are not what they were")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._leader.poll() is None:
            try:
                os.kill(self.pid, 9)
            except ProcessLookupError:
                pass
            self._leader.kill()
            self._leader.wait()
        for fd in (self.slave, self.master, self._go[1]):
            os.close(fd)
        self._report.close()


def whole(data):
    """-> the text of its whole characters, and the rest"""
    for cut in range(len(data), max(-1, len(data) - 4), -1):
        try:
            return data[:cut].decode(), data[cut:]
        except UnicodeDecodeError as error:
            if error.end < cut:
                raise
    return "", data
