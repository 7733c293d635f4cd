"""slotd for Python: at most N at once, over threads, processes and hosts.

    import slotd

    with slotd.limit("reports", limit=5) as number:
        ...                             # at most five are here at once; number is 1 to 5

limit() waits for 10 seconds unless limit_timeout says otherwise, and raises
ConcurrencyLimitExceededException if no slot was free.  Who wants more than the number takes a hold:

    with slotd.acquire("reports", limit=5, wait=slotd.FOREVER) as hold:
        for page in pages:
            if not hold.valid():        # nothing proves any more that the slot is ours
                break
            write(page, hold.number, fence=hold.token)

A hold outlives a restart of slotd: a thread of this module reads what slotd says, connects again
when the connection breaks, and takes up again what was held and what was waited for.  If the slot
was lost all the same, hold.lost says why, and leaving the with block raises SlotLost, unless the
block raises something itself.  Then what was done at its end was not protected.

Everything may be used by any thread.  A child of fork() has no part in the holds of its parent: it
does not keep them, and cannot give them back; what it asks for itself has a connection of its own.

All times are seconds; None means: as configured in slotd.  The socket is $SLOTD_SOCKET, else
/run/slotd/slotd.sock.  Needs Python 3.8 on Linux, and nothing else.
"""
import array
import concurrent.futures
import contextlib
import dataclasses
import errno
import itertools
import math
import mmap
import operator
import os
import select
import socket
import struct
import threading
import time
import typing
import urllib.parse
import weakref

__all__ = ["limit", "alimit", "acquire", "LimitConfiguration", "Connection", "Hold", "FOREVER",
           "ConcurrencyLimitException", "ConcurrencyLimitExceededException", "SlotLost",
           "SlotdError"]

SOCKET = "/run/slotd/slotd.sock"
FOREVER = math.inf

PAUSE_MIN, PAUSE_MAX = 0.05, 2          # between attempts to connect
PAUSES_IN_A_LEASE = 32                  # at least, while a hold is to be resumed
GREET_TIMEOUT = 5                       # for each step of one
SEND_TIMEOUT = 10                       # until a slotd that does not read is taken for a broken one
HOPELESS = (errno.EACCES, errno.EPERM, errno.EPROTOTYPE, errno.ENOTDIR, errno.ELOOP)
LINE_MAX = 1024
WAIT_MAX = 366 * 86400                  # what the protocol can say, but for "forever"


class ConcurrencyLimitException(Exception):
    """What all exceptions of this module are."""


class ConcurrencyLimitExceededException(ConcurrencyLimitException):
    """No slot was free in time.  limit: so many are in use; timeout: seconds that it may take."""

    def __init__(self, limit, timeout):
        super().__init__(limit, timeout)        # so that it can be pickled
        self.limit, self.timeout = limit, timeout

    def __str__(self):
        return f"no slot free: limit {self.limit}, waited for {self.timeout:g} s"


class SlotdError(ConcurrencyLimitException):
    """Anything else that slotd refuses: code is the word of the protocol (see slotd-protocol(7)),
    values its keys.  Of this module's own are "unreachable" (nobody listens, with the reason as
    __cause__), "unanswered" and "closed"."""

    def __init__(self, code, values=None, text=""):
        super().__init__(code, values, text)
        self.code, self.values, self.text = code, values or {}, text

    def __str__(self):
        values = "".join(f" {key}={value}" for key, value in self.values.items())
        return f"{self.code}{values}: {self.text}" if self.text else f"{self.code}{values}"


class SlotLost(ConcurrencyLimitException):
    """The hold had ended before it was given back.  reason: Hold.lost; "unproven": it may have;
    "unreachable" or "unanswered": there is no page, and no slotd to ask."""

    def __init__(self, group, numbers, token, reason):
        super().__init__(group, numbers, token, reason)
        self.group, self.numbers, self.token, self.reason = group, numbers, token, reason

    def __str__(self):
        return f"slot {','.join(map(str, self.numbers))} of {self.group} was lost: {self.reason}"


@dataclasses.dataclass(frozen=True)
class LimitConfiguration:
    """What limit() takes, under the names of the former library."""

    key: str
    "The group."

    limit: typing.Optional[int] = None
    "So many at once; a lower limit in slotd.conf counts."

    limit_timeout: typing.Optional[float] = 10
    "Seconds to wait for a slot; 0: now or never; FOREVER."

    limit_interval: float = 0.1
    "Not used: nobody polls."

    limit_expire: float = 60
    "Not used: the slot of a process that ends is free at once.  See hold."

    hold: typing.Optional[float] = None
    "slotd takes the slot back after so many seconds."

    label: typing.Optional[str] = None
    "Shown by slotctl holders."


@contextlib.contextmanager
def limit(key, limit=None, limit_timeout=10, *, hold=None, label=None, path=None):
    """Runs the with block, or the function that it decorates, in a slot; gives the slot's number.
    key: the group, or a LimitConfiguration, which then says all but path, the socket."""
    with shared_connection(path).acquire(**_wanted(key, limit, limit_timeout, hold, label)) as held:
        yield held.number


@contextlib.asynccontextmanager
async def alimit(key, limit=None, limit_timeout=10, *, hold=None, label=None, path=None):
    """limit() for asyncio: nothing else of the event loop waits."""
    wanted = _wanted(key, limit, limit_timeout, hold, label)
    held = await shared_connection(path)._acquire(**wanted).outcome()
    try:
        yield held.number
    except BaseException:
        with contextlib.suppress(SlotLost):
            await held._arelease()
        raise
    await held._arelease()


def acquire(group, limit=None, wait=None, *, n=1, hold=None, label=None, path=None):
    """Takes a Hold on the connection that all of this process share; see Connection.acquire()."""
    return shared_connection(path).acquire(group, limit, wait, n=n, hold=hold, label=label)


def shared_connection(path=None):
    """The Connection that limit(), alimit() and acquire() use; it is made when it is needed."""
    path = path or os.environ.get("SLOTD_SOCKET") or SOCKET
    with _lock:
        if path not in _shared:
            _shared[path] = Connection(path)
        return _shared[path]


def _wanted(key, limit, limit_timeout, hold, label):
    if not isinstance(key, LimitConfiguration):
        key = LimitConfiguration(key, limit, limit_timeout, hold=hold, label=label)
    return dict(group=key.key, limit=key.limit, wait=key.limit_timeout, hold=key.hold,
                label=key.label)


class Hold:
    """A slot, or several, of a group.  Made by acquire(); give it back with release() or with.

    group, numbers (number: the first of them; 0: slotd let us in without one, as on_backend_down
    says), token (which only grows: let the guarded resource refuse lower ones), limit, label.

    lost: None, or why the hold is over: "hold" (its time was up), "lease", "taken", "evict",
    "lost" (slotd was started anew, and does not know it any more), "closed" or "fork"."""

    def __init__(self, connection, group, label, words):
        slots, token, *more = words
        values = _values(more)
        self.group, self.label = group, label
        self.numbers = tuple(map(int, slots.split(",")))
        self.number, self.token = self.numbers[0], int(token)
        self.limit = int(values["limit"]) if "limit" in values else None
        self.lost = None
        self._connection = connection
        self._key = group, slots, token         # as RESUME and !LOST name it
        self._release = None                    # its _Request
        self._settle(connection, values)

    def _settle(self, connection, values):
        """The connection has it now."""
        self._is_here = True
        self._cell = connection._page.cell(values) if connection._page else None

    def left(self):
        """Seconds for which nobody else can have the slot, whatever happens to slotd; 0: that is
        not proven, or not true; None: slotd gives us no way to know."""
        cell = self._cell               # one load: RESUME may replace it meanwhile
        if self.lost or self.number == 0:
            return 0.0
        if cell is None:
            return None
        tokens, deadlines, at = cell
        deadline = deadlines[at + 1]
        # Between the two loads: so both are true of this moment.  The cell may end and be another's
        # at any time, but a token never comes back.
        now = _boottime()
        return max(0, deadline - now) / 1e9 if tokens[at] == self.token else 0.0

    def valid(self):
        """True: proven now.  False: not, so that work which must not run twice should stop; unless
        it is lost it may be proven again.  None: slotd gives us no way to know, but has not said
        that it is lost.  Costs no system call."""
        left = self.left()
        return None if left is None else left > 0

    def release(self):
        """Gives it back; the second time nothing happens.  SlotLost: it had ended before, or may
        have."""
        request = self._connection._start_release(self)
        if request:
            with self._judged(request.proven):
                request.wait()

    async def _arelease(self):
        request = self._connection._start_release(self)
        if request:
            with self._judged(request.proven):
                await request.outcome()

    @contextlib.contextmanager
    def _judged(self, proven):
        """What was proven to the end has done its work, whatever comes of its release; what was not
        is in doubt, even if slotd takes it back as if nothing was."""
        reason = cause = None
        try:
            yield
            if proven is False:
                reason = "unproven"
        except SlotdError as error:
            if not proven:
                reason, cause = self.lost or error.code, error
        if reason:
            raise SlotLost(self.group, self.numbers, self.token, reason) from cause

    def __repr__(self):
        return f"<slotd.Hold {self.group} {','.join(map(str, self.numbers))} token={self.token}>"

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.release()
        except SlotLost:
            if kind is None:
                raise


class Connection:
    """A connection to slotd, for any number of threads.  All that it holds is given back when it is
    closed (also by with), or the process ends.

    label: shown by slotctl holders.  connect_timeout: how long to look for a slotd; for a request
    that was waiting when it went away, until its wait is over.  answer_timeout: how long to wait
    for an answer, beyond the wait that slotd was asked for."""

    def __init__(self, path=None, label=None, connect_timeout=5, answer_timeout=10):
        self.path = path or os.environ.get("SLOTD_SOCKET") or SOCKET
        self.label = label
        self.connect_timeout, self.answer_timeout = connect_timeout, answer_timeout
        self._tags = map(str, itertools.count(1))
        self._closed = False
        self._reset()
        with _lock:
            _connections.add(self)

    def _reset(self):
        """Nothing is held and waited for.  Until something is, nobody connects."""
        self._changed = threading.Condition(_lock)
        self._thread = None             # the reader
        self._socket = None             # its; registered from its first moment on, for fork
        self._page = None
        self._lease = 0                 # seconds; 0: there is no page
        self._is_up = False             # HELLO is answered, and what was held is asked for again
        self._was_up = False            # ... at any time
        self._cause = None              # why it is not
        self._holds = {}                # Hold._key: Hold, until it is released or lost
        self._requests = {}             # tag: _Request, in order of asking
        self._again = []                # holds whose RESUME slotd could not answer

    def acquire(self, group, limit=None, wait=None, *, n=1, hold=None, label=None):
        """Waits for n slots of the group, all or nothing.  wait: seconds; 0: now or never; FOREVER.
        hold: slotd takes them back after so many seconds."""
        return self._acquire(group, limit, wait, n, hold, label).wait()

    def close(self):
        with _lock:
            self._closed = True
            for hold in self._holds.values():
                hold.lost = "closed"
            for request in list(self._requests.values()):
                request.fail(SlotdError("closed"))
            self._holds, self._requests = {}, {}
            if self._socket:
                self._disconnect()
            self._changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    # ---------------------------------------------------------------- asking

    def _acquire(self, group, limit=None, wait=None, n=1, hold=None, label=None):
        if not isinstance(group, str) or not group:
            raise TypeError(f"a group is a str that is not empty, not {group!r}")
        keys = "".join([
            "" if limit is None else f" limit={operator.index(limit)}",
            "" if n == 1 else f" n={operator.index(n)}",
            "" if hold in (None, FOREVER) else f" hold={_ms(hold)}",
            "" if label is None else f" label={_quote(label)}"])
        return self._ask(_Acquire(self, group, keys, label, wait))

    def _start_release(self, hold):
        """-> the request, or None: there is nothing to do"""
        with _lock:
            if hold._release or hold.lost == "fork":
                return None
            hold._release = _Release(self, hold)
            if hold.lost:
                hold._release.fail(SlotdError("lost"))
            elif hold._is_here:
                self._ask(hold._release)
            else:
                hold._release.postpone()        # until RESUME has been answered
            return hold._release

    def _ask(self, request):
        with _lock:
            if self._closed:
                request.fail(SlotdError("closed"))
                return request
            self._requests[request.tag] = request
            if self._is_up:
                self._send(request)
            else:
                request.postpone()
                if not self._thread:
                    self._thread = threading.Thread(target=self._run, name="slotd", daemon=True)
                    self._thread.start()
                self._changed.notify()
            return request

    def _send(self, *requests):
        """Requests, or whole lines; what comes back for these is of no interest."""
        try:
            self._socket.sendall("".join(f"{request}\n" for request in requests).encode())
        except OSError:
            self._disconnect()          # the reader will see to it

    def _disconnect(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    # ---------------------------------------------------------------- the reader

    def _run(self):
        pause = PAUSE_MIN
        while True:
            with _lock:
                self._changed.wait_for(lambda: self._closed or self._requests or self._holds)
                if self._closed:
                    return
            try:
                with _lock:
                    self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._greet()
                self._take_up()
                pause = PAUSE_MIN
                self._read()
            except Exception as error:          # whatever it is: what was promised goes on
                self._break(error)
            with _lock:
                self._changed.wait_for(lambda: self._closed, pause)
                pause = min(2 * pause, self._pause_last())

    def _pause_last(self):
        """How long a pause may become.  While there is a hold to resume, only a small part of the
        lease: a slotd that is back before its end is not to be noticed after it."""
        if not self._holds or not self._lease:
            return PAUSE_MAX
        return min(max(self._lease / PAUSES_IN_A_LEASE, PAUSE_MIN), PAUSE_MAX)

    def _greet(self):
        """Connects, says HELLO, and looks at the page.  An activated socket accepts connections
        while its service is down, so no step takes for ever."""
        self._socket.settimeout(GREET_TIMEOUT)
        self._socket.connect(self.path)
        hello = "HELLO events=on detail=on" + (f" label={_quote(self.label)}" if self.label else "")
        try:
            page = self._hello(hello + " page=on")
        except SlotdError as error:
            if error.code != "badkey":
                raise
            page = self._hello(hello)           # of an older slotd
        if page is False:
            page = self._hello(hello + " page=off")
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                                struct.pack("@ll", SEND_TIMEOUT, 0))
        self._page = page

    def _hello(self, line):
        """-> the page, None: there is none, False: there is one that we cannot use"""
        sent = _boottime()
        self._socket.sendall(line.encode() + b"\n")
        answer, fds = b"", array.array("i")
        try:
            while not answer.endswith(b"\n"):
                more, ancillary, _, _ = self._socket.recvmsg(
                    4096, socket.CMSG_SPACE(fds.itemsize), socket.MSG_CMSG_CLOEXEC)
                for level, kind, data in ancillary:
                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                        fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
                if not more:
                    raise ConnectionResetError("slotd has closed the connection")
                answer += more
            words = answer.decode().split()
            if words[0] != "OK":
                raise _error(words[1:])
            values = _values(words[1:])
            self._lease = int(values.get("lease", 0)) / 1000
            if "lease" not in values:
                return None
            if not fds or not sent <= int(values["now"]) <= _boottime():
                return False                    # or we are in another time namespace
            try:
                return _Page(fds[0])
            except (OSError, ValueError):
                return False
        finally:
            for fd in fds:
                os.close(fd)

    def _take_up(self):
        """First what is held, then what waits: oldest first, with what is left of its wait."""
        with _lock:
            if self._closed:
                raise ConnectionAbortedError("closed")
            self._is_up = self._was_up = True
            resumed = [_Resume(self, hold) for hold in self._holds.values()]
            waiting = list(self._requests.values())
            self._requests = {request.tag: request for request in resumed + waiting}
            self._send(*resumed, *waiting)

    def _read(self):
        rest = b""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            if self._again and not poll.poll(PAUSE_MAX * 1000):
                self._resume_again()
                continue
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionResetError("slotd has closed the connection")
            *lines, rest = (rest + more).split(b"\n")
            with _lock:
                for line in lines:
                    self._take(line.decode().split())

    def _resume_again(self):
        with _lock:
            requests = [_Resume(self, hold) for hold in self._again if not hold.lost]
            self._again = []
            self._requests.update((request.tag, request) for request in requests)
            self._send(*requests)

    def _take(self, words):
        if words[0][0] == "#":
            request = self._requests.pop(words[0][1:], None)
            try:
                if request:
                    request.take(words[1:])
            except Exception:                   # that was no answer
                self._requests[request.tag] = request
                raise
        elif words[0] == "!LOST":
            hold = self._holds.get((urllib.parse.unquote(words[1]), words[2], words[3]))
            if hold:
                self._lose(hold, words[4])

    def _lose(self, hold, reason):
        hold.lost = reason
        self._holds.pop(hold._key, None)
        if hold._release:
            hold._release.fail(SlotdError("lost"))

    def _break(self, error):
        """Holds and waiters stay, to be taken up by the next connection."""
        with _lock:
            if self._socket:
                self._socket.close()
                self._socket = None
            self._cause = error
            self._again = []
            if self._is_up:             # else all are postponed already, and their time runs
                self._is_up = False
                requests, self._requests = self._requests, {}
                for hold in self._holds.values():
                    hold._is_here = False
                for request in requests.values():
                    request.postpone()
            if isinstance(error, OSError) and error.errno in HOPELESS:
                for request in [*self._requests.values(),
                                *(hold._release for hold in self._holds.values() if hold._release)]:
                    request.give_up = 0
                    request.is_over()


class _Request:
    """A line that slotd has not answered yet.  All but wait() and outcome() with _lock."""

    wait_end = -math.inf                # until when slotd may take, and a connection be looked for

    def __init__(self, connection):
        self.connection = connection
        self.tag = next(connection._tags)
        self.give_up = math.inf         # when its caller does
        self.refusal = None             # what was answered, though it still waits
        self.future = concurrent.futures.Future()
        self.future.set_running_or_notify_cancel()

    def postpone(self):
        """There is no connection for it."""
        self.give_up = time.monotonic() + self.connection.connect_timeout
        if self.connection._was_up:
            self.give_up = max(self.give_up, self.wait_end)

    def fail(self, error):
        if not self.future.done():
            self.future.set_exception(error)

    def abandon(self):
        """Nobody wants the answer any more."""

    def is_over(self):
        """Is it answered, or too late?"""
        connection = self.connection
        with _lock:
            if not self.future.done() and time.monotonic() >= self.give_up:
                self.abandon()
                error = self.refusal
                if not error and connection._is_up:
                    error = SlotdError("unanswered")
                elif not error:
                    error = SlotdError("unreachable", text=str(connection._cause))
                    error.__cause__ = connection._cause
                self.fail(error)
            return self.future.done()

    def left(self):
        """Until its caller should look again: a break may have brought give_up nearer."""
        return max(0, min(self.give_up - time.monotonic(), PAUSE_MAX))

    def wait(self):
        try:
            while not self.is_over():
                with contextlib.suppress(concurrent.futures.TimeoutError):
                    self.future.exception(self.left())
            return self.future.result()
        except BaseException:           # a KeyboardInterrupt, to begin with
            with _lock:
                self.abandon()
            raise

    async def outcome(self):
        """wait() for asyncio."""
        import asyncio                  # takes its time, and few need it
        woken = asyncio.wrap_future(self.future)
        try:
            while not self.is_over():
                await asyncio.wait([woken], timeout=self.left())
            return self.future.result()
        except BaseException:
            with _lock:
                self.abandon()
            raise
        finally:
            if not woken.cancel():
                woken.exception()       # asyncio wants somebody to have looked at it


class _Acquire(_Request):
    def __init__(self, connection, group, keys, label, wait):
        super().__init__(connection)
        self.group, self.keys, self.label, self.wanted_wait = group, keys, label, wait
        self.is_abandoned = False
        if wait is not None:
            self.wait_end = time.monotonic() + wait

    def __str__(self):
        wait = ""
        self.give_up = math.inf
        if self.wanted_wait is not None:
            wait = f" wait={_ms(self.wait_end - time.monotonic())}"
            self.give_up = self.wait_end + self.connection.answer_timeout
        return f"#{self.tag} ACQUIRE {_quote(self.group)}{self.keys}{wait}"

    def postpone(self):
        super().postpone()
        if not self.is_abandoned:
            self.connection._requests[self.tag] = self

    def abandon(self):
        connection = self.connection
        if self.future.done():
            if not self.future.exception():
                connection._start_release(self.future.result())
        elif connection._is_up and not self.is_abandoned:
            connection._send(f"#{next(connection._tags)} CANCEL #{self.tag}")
        else:
            connection._requests.pop(self.tag, None)
        self.is_abandoned = True

    def take(self, words):
        connection = self.connection
        if words[0] == "OK":
            hold = Hold(connection, self.group, self.label, words[1:])
            connection._holds[hold._key] = hold
            if self.is_abandoned:
                connection._start_release(hold)
            else:
                self.future.set_result(hold)
            return
        if self.is_abandoned:
            return
        error = _error(words[1:])
        if error.code == "shutdown" and self.wanted_wait != 0:
            self.refusal = error
            self.postpone()
        elif error.code in ("full", "timeout"):
            wait = self.wanted_wait
            if wait is None:
                wait = int(error.values.get("waited", 0)) / 1000
            self.fail(ConcurrencyLimitExceededException(int(error.values["limit"]), wait))
        else:
            self.fail(error)


class _Release(_Request):
    def __init__(self, connection, hold):
        super().__init__(connection)
        self.hold = hold
        # at the end of the work: slotd clears the cell at RELEASE; without a slot none can be lost
        self.proven = hold.number == 0 or hold.valid()

    def __str__(self):
        group, slots, token = self.hold._key
        self.give_up = time.monotonic() + self.connection.answer_timeout
        return f"#{self.tag} RELEASE {_quote(group)} {slots} token={token}"

    def take(self, words):
        self.connection._holds.pop(self.hold._key, None)
        if words[0] == "OK":
            if not self.future.done():
                self.future.set_result(None)
        else:
            self.connection._lose(self.hold, words[1])


class _Resume(_Request):
    """Nobody waits for it, but perhaps for the release of its hold."""

    def __init__(self, connection, hold):
        super().__init__(connection)
        self.hold = hold

    def __str__(self):
        hold = self.hold
        group, slots, token = hold._key
        line = f"#{self.tag} RESUME {_quote(group)} {slots} {token}"
        if hold.limit:
            line += f" limit={hold.limit}"
        label = f" label={_quote(hold.label)}" if hold.label else ""
        return line + label if len(line + label) < LINE_MAX - 1 else line

    def postpone(self):
        pass                            # the next connection begins with a new one

    def take(self, words):
        connection, hold = self.connection, self.hold
        if hold.lost:
            return
        if words[0] == "OK":
            hold._settle(connection, _values(words[1:]))
            if hold._release:
                connection._ask(hold._release)
        elif words[1] in ("lost", "denied", "unknown"):
            connection._lose(hold, "lost")
        else:
            connection._again.append(hold)


class _Page:
    """The lease page: memory that slotd writes and we read, with a cell for each hold."""

    HEADER = struct.Struct("@8s6I16s")
    HEADER_SIZE, CELL_SIZE = 4096, 32

    def __init__(self, fd):
        size = os.fstat(fd).st_size
        if size < self.HEADER_SIZE:
            raise ValueError("too short")
        data = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ)
        magic, version, header, cell, self.n_cells, n_inherited, _, boot = \
            self.HEADER.unpack_from(data)
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            this_boot = bytes.fromhex(file.read().strip().replace("-", ""))
        if ((magic, version, header, cell, boot)
                != (b"slotpage", 1, self.HEADER_SIZE, self.CELL_SIZE, this_boot)
                or size != header + cell * (self.n_cells + n_inherited)):
            raise ValueError("not a lease page of this boot")
        # native words: an item is loaded at once, not byte by byte
        self._tokens, self._deadlines = memoryview(data).cast("Q"), memoryview(data).cast("q")

    def cell(self, values):
        """-> for Hold.left(), or None if the hold has no cell"""
        n = int(values.get("cell", self.n_cells))
        if n >= self.n_cells:
            return None
        return self._tokens, self._deadlines, (self.HEADER_SIZE + self.CELL_SIZE * n) // 8


def _boottime():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _ms(seconds):
    return "forever" if seconds > WAIT_MAX else max(0, math.ceil(seconds * 1000))


def _quote(name):
    """Blanks and what is not ASCII, as the protocol wants it; "*" too, which RELEASE knows."""
    return urllib.parse.quote(name, safe="!\"#$&'()+,/:;<=>?@[\\]^`{|}~")


def _values(words):
    return dict(word.split("=", 1) for word in words if "=" in word)


def _error(words):
    """What stands behind ERR: a code, its keys, a text."""
    keys = list(itertools.takewhile(lambda word: "=" in word, words[1:]))
    return SlotdError(words[0], _values(keys), " ".join(words[1 + len(keys):]))


# One lock for all connections, which is never held for long: so that fork() finds none of them in
# the midst of something.
_lock = threading.RLock()
_connections = weakref.WeakSet()
_shared = {}                            # path: Connection


def _in_child():
    """The child closes what it has inherited, without a word: the holds stay the parent's, and end
    when the parent ends."""
    for connection in _connections:
        for hold in connection._holds.values():
            hold.lost = "fork"
        if connection._socket:
            connection._socket.close()
        connection._reset()
    _lock.release()


os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_in_child)
