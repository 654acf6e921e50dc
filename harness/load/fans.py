"""The fans of one process: a state machine over bare file descriptors, its state in arrays, its results in columns.

What it must guarantee: a fan is never waited for; each time stamp is taken at the call it belongs to, not once a turn
of the loop; an idle fan costs some 70 bytes of this process and no object. So there is no object for a fan: its socket
is detached to its file descriptor, its state is a byte, its times are the columns that the trial gets.

Sockets are watched level-triggered, with one read a turn and socket, so that no fan keeps the others waiting.
Edge-triggered, which saves the second epoll_ctl(2) after the connect and asks that each socket be read until it is
empty, was measured and brings nothing: 43-49 µs of CPU a connection and 5.9-7.3 a receipt, against 39-53 and 6.1-6.9.
"""

from __future__ import annotations

import math
import os
import select
from array import array
from time import monotonic
from typing import TYPE_CHECKING, Final

from harness.load.connecting import Destination, connect, outcome_of, take_error
from harness.load.parsing import Heard, Reader
from harness.load.samples import Outcome, Progress, Samples

if TYPE_CHECKING:
    from harness.load.messages import Job

CHUNK: Final = 4096  # bytes of a read: a frame has some 150, a status frame with full line-ups some 700

_BECOMES_CONNECTED: Final = select.EPOLLIN | select.EPOLLOUT
_READABLE: Final = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR

# The phases of a fan, in the order in which it goes through them; 0 before it is started.
_CONNECTING: Final = 1
_CONNECTED: Final = 2  # and waits for the greeting
_ASKED: Final = 3
_WATCHING: Final = 4
_OVER: Final = 5

_LATE: Final = {
    _CONNECTING: Outcome.CONNECT_TIMEOUT,
    _CONNECTED: Outcome.NO_WELCOME,
    _ASKED: Outcome.NO_ANSWER,
}


class Fans:
    """The fans of one job, numbered from 0 as in its share. Nothing happens before `begin`; `close` ends it.

    Times are seconds of CLOCK_MONOTONIC after `begin`'s t0.
    """

    __slots__ = (
        "_answer_timeout_s",
        "_destinations",
        "_dialogue",
        "_epoll",
        "_fan_of",
        "_fd_of",
        "_next",
        "_oldest",
        "_phase",
        "_reader",
        "_share",
        "_stopped",
        "_t0",
        "_user_prefix",
        "answered",
        "connected",
        "failed",
        "last_s",
        "lost",
        "samples",
    )

    def __init__(self, epoll: select.epoll, job: Job) -> None:
        n = len(job.share.fans)
        self.samples = Samples.blank(job.intended_s)
        self.connected = self.answered = self.failed = self.lost = 0
        self.last_s = 0.0  # when something happened last
        self._epoll = epoll
        self._share = job.share
        self._dialogue = job.dialogue
        self._reader = Reader(job.dialogue)
        self._user_prefix = job.user_prefix.encode()
        self._answer_timeout_s = job.answer_timeout_s
        self._destinations = [Destination.of(endpoint, job.share.reach) for endpoint in job.endpoints]
        self._phase = bytearray(n)
        self._fd_of = array("i", [-1]) * n
        self._fan_of = array("i")  # by file descriptor
        self._next = 0  # the first fan that is not started
        self._oldest = 0  # no fan before this one waits for an answer
        self._stopped = False
        self._t0 = math.nan

    # The schedule.

    def begin(self, t0: float) -> None:
        """Set the moment from which all times count, in seconds of time.monotonic()."""
        self._t0 = t0

    def start_due(self, limit: int) -> bool:
        """Start up to `limit` fans whose moment has come; return whether there are more of them."""
        intended = self.samples.intended_s
        upto = len(intended) if not self._stopped else self._next
        for _ in range(limit):
            if self._next >= upto or intended[self._next] > monotonic() - self._t0:
                return False
            self._start(self._next)
            self._next += 1
        return self._next < upto and intended[self._next] <= monotonic() - self._t0

    def expire(self, now: float) -> None:
        """Give up the fans whose answer was overdue at `now`, in seconds of time.monotonic().

        The timeout runs from the intended start. Whatever came before `now` must have been read.
        """
        now -= self._t0
        intended = self.samples.intended_s
        while self._oldest < self._next:
            fan = self._oldest
            phase = self._phase[fan]
            if phase < _WATCHING:
                if intended[fan] + self._answer_timeout_s > now:
                    return
                self._fail(fan, _LATE[phase], now)
            self._oldest += 1

    @property
    def next_moment_s(self) -> float:
        """When a fan is to be started or given up next, in seconds after t0; infinity if never."""
        intended = self.samples.intended_s
        start = intended[self._next] if self._next < len(intended) and not self._stopped else math.inf
        late = intended[self._oldest] + self._answer_timeout_s if self._oldest < self._next else math.inf
        return min(start, late)

    def stop(self) -> None:
        """Start no more fans."""
        self._stopped = True

    def close(self) -> None:
        """Close all connections; fans that are still connected were HELD."""
        for fan in range(self._next):
            if self._fd_of[fan] >= 0:
                if self._phase[fan] == _WATCHING:
                    self.samples.outcome[fan] = Outcome.HELD
                os.close(self._fd_of[fan])
                self._fd_of[fan] = -1

    # What is known of all.

    @property
    def progress(self) -> Progress:
        """How far these fans are."""
        receipts = len(self.samples.receipt_fan)
        return Progress(self._next, self.connected, self.answered, self.failed, self.lost, receipts)

    @property
    def is_settled(self) -> bool:
        """Whether every fan of the share was answered or has failed."""
        return self.answered + self.failed == len(self._phase)

    @property
    def open(self) -> int:
        """How many connections are open or being made."""
        return self._next - self.failed - self.lost

    # One fan.

    def _start(self, fan: int) -> None:
        destination = self._destinations[self._share.fans[fan] % len(self._destinations)]
        source = self._share.sources[fan % len(self._share.sources)]
        now = self.samples.started_s[fan] = self.last_s = monotonic() - self._t0
        try:
            fd = connect(destination, source)
        except OSError as error:
            self._fail(fan, outcome_of(error.errno or 0), now)
            return
        self._epoll.register(fd, _BECOMES_CONNECTED)
        if fd >= len(self._fan_of):
            self._fan_of.extend([-1] * (fd + 1 - len(self._fan_of)))
        self._fan_of[fd] = fan
        self._fd_of[fan] = fd
        self._phase[fan] = _CONNECTING

    def on_ready(self, fd: int, events: int) -> None:
        """Take in what epoll reports of one of the sockets."""
        fan = self._fan_of[fd]
        phase = self._phase[fan]
        if phase == _CONNECTING:
            if events & select.EPOLLERR:
                self._on_broken(fan, take_error(fd))
                return
            phase = self._on_connected(fan)
        if phase == _OVER or not events & _READABLE:
            return
        try:
            data = os.read(fd, CHUNK)
        except OSError as error:
            self._on_broken(fan, error.errno or 0)
            return
        now = self.last_s = monotonic() - self._t0
        if not data:
            self._on_closed(fan, now)
        elif phase == _WATCHING:
            self._on_news(fan, data, now)
        elif phase == _ASKED:
            self._on_answer(fan, data, now)
        else:
            self._on_greeting(fan, data, now)

    def _on_connected(self, fan: int) -> int:
        self.samples.connected_s[fan] = self.last_s = monotonic() - self._t0
        self.connected += 1
        self._epoll.modify(self._fd_of[fan], select.EPOLLIN)
        if self._dialogue.welcome_end:
            self._phase[fan] = _CONNECTED
            return _CONNECTED
        return self._ask(fan)

    def _ask(self, fan: int) -> int:
        """Say hello. It is small and first, so the kernel takes all of it (see MAX_HELLO)."""
        hello = self._dialogue.hello_of(b"%s%d" % (self._user_prefix, self._share.fans[fan]))
        self.samples.asked_s[fan] = monotonic() - self._t0
        try:
            os.write(self._fd_of[fan], hello)
        except OSError as error:
            self._on_broken(fan, error.errno or 0)
            return _OVER
        self._phase[fan] = _ASKED
        return _ASKED

    def _on_greeting(self, fan: int, data: bytes, now: float) -> None:
        heard = self._reader.greeting(fan, data)
        if heard is Heard.REFUSAL:
            self._fail(fan, Outcome.ERROR_LINE, now)
        elif heard is Heard.COMPLETE:
            self.samples.welcomed_s[fan] = now
            self._ask(fan)

    def _on_answer(self, fan: int, data: bytes, now: float) -> None:
        heard, rest = self._reader.answer(fan, data)
        if heard is Heard.REFUSAL:
            self._fail(fan, Outcome.ERROR_LINE, now)
        elif heard is Heard.COMPLETE:
            self.samples.answered_s[fan] = now
            self.answered += 1
            self._phase[fan] = _WATCHING
            if rest:
                self._on_news(fan, rest, now)

    def _on_news(self, fan: int, data: bytes, now: float) -> None:
        samples = self.samples
        for mark in self._reader.marks(fan, data):
            samples.receipt_fan.append(fan)
            samples.receipt_mark.append(mark)
            samples.receipt_s.append(now)

    # Its end.

    def _on_closed(self, fan: int, now: float) -> None:
        if self._phase[fan] == _WATCHING:
            self._lose(fan, Outcome.ENDED, now)
        else:
            self._fail(fan, Outcome.CLOSED_BEFORE_ANSWER, now)

    def _on_broken(self, fan: int, error: int) -> None:
        now = self.last_s = monotonic() - self._t0
        phase = self._phase[fan]
        if phase == _WATCHING:
            self._lose(fan, Outcome.CUT, now)
        elif phase == _CONNECTING:
            self._fail(fan, outcome_of(error), now)
        else:
            self._fail(fan, Outcome.RESET, now)

    def _fail(self, fan: int, outcome: Outcome, now: float) -> None:
        self.failed += 1
        self._end(fan, outcome, now)

    def _lose(self, fan: int, outcome: Outcome, now: float) -> None:
        self.lost += 1
        self._end(fan, outcome, now)

    def _end(self, fan: int, outcome: Outcome, now: float) -> None:
        self.samples.outcome[fan] = outcome
        self.samples.closed_s[fan] = now
        self._phase[fan] = _OVER
        self._reader.forget(fan)
        if self._fd_of[fan] >= 0:
            os.close(self._fd_of[fan])
            self._fd_of[fan] = -1
