"""The fans of one process: a state machine over sockets, its state in arrays, its results in columns.

What it must guarantee: a wave is a moment, a fan is never waited for, and an idle fan costs a socket object and some
70 bytes of this process. So there is no object for a fan: its state is a byte, its times are the columns that the trial
gets. And what is done for a fan is done in this order:

* **prepare**, before the load begins: its socket is made, bound and watched (`harness.load.sockets`).
* **start**, at its moment: connect(2), for the whole wave, and nothing else.
* **receive**: when it was connected and what it hears, whenever this process comes to it. Reading late does no harm to
  what is measured of the server, since the kernel says when something arrived (`harness.load.clock`) and how long the
  handshake took (`harness.load.connecting.handshake_s`). It does delay what the fan says, and with it the answer.

Sockets are watched edge-triggered, so each is read until nothing is left, which one read tells unless it is full or the
other end has closed.
"""

from __future__ import annotations

import math
import select
import socket
import ssl
import struct
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.load.clock import STAMP_SPACE, ArrivalClock
from harness.load.conduct import Agenda
from harness.load.connecting import handshake_s, outcome_of, take_error
from harness.load.deliveries import FOLD_AT, Folding
from harness.load.outbox import Outbox
from harness.load.phases import ASKED, AWAY, CONNECTED, CONNECTING, OVER, PREPARED, SECURING, STALLED, WATCHING
from harness.load.protocols.catalogue import reader_of
from harness.load.protocols.reader import Callbacks, ClosedError, Completeness, RefusedError, StatusError, StreamError
from harness.load.samples import Outcome, Progress, Samples
from harness.load.sockets import Sockets
from harness.load.tls import TlsConnections, TlsState

if TYPE_CHECKING:
    from harness.load.deliveries import SentEvent
    from harness.load.messages import Job

CHUNK: Final = 4096  # bytes of a read: a frame has some 150, a status frame with full line-ups some 700

_ENDED: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_READABLE: Final = select.EPOLLIN | _ENDED

_LATE: Final = {
    CONNECTING: Outcome.CONNECT_TIMEOUT,
    SECURING: Outcome.NO_TLS,
    CONNECTED: Outcome.NO_WELCOME,
    ASKED: Outcome.NO_ANSWER,
}


class Fans:
    """The fans of one job, numbered from 0 as in its share, prepared for their moments; `close` ends it.

    Nothing else happens before `begin`. Times are seconds of CLOCK_MONOTONIC after its t0.
    """

    __slots__ = (
        "_agenda",
        "_answer_timeout_s",
        "_clock",
        "_conduct",
        "_dialogue",
        "_fan_of",
        "_fold_at",
        "_folded",
        "_folding",
        "_leaves_when_answered",
        "_next",
        "_oldest",
        "_outbox",
        "_phase",
        "_reader",
        "_scheduled",
        "_share",
        "_socket_of",
        "_sockets",
        "_stopped",
        "_tls",
        "_user_prefix",
        "answered",
        "away",
        "connected",
        "failed",
        "last_s",
        "lost",
        "returned",
        "samples",
        "slow",
    )

    def __init__(self, epoll: select.epoll, job: Job) -> None:
        n = len(job.share.fans)
        self.samples = Samples.blank(job.intended_s)
        self.connected = self.answered = self.failed = self.lost = self.slow = 0
        self.away = self.returned = 0  # who is on its way back, and how often one was back
        self.last_s = 0.0  # when something happened last
        self._share = job.share
        self._dialogue = job.dialogue
        self._reader = reader_of(job.dialogue, self._callbacks)
        self._tls = None if job.dialogue.tls is None else TlsConnections(job.dialogue.tls)
        self._folding = None if job.events is None else Folding(n, job.events, job.clocks_apart_s)
        self._folded = 0  # receipts that are counts now
        self._fold_at = FOLD_AT  # so many receipts are kept
        self._user_prefix = job.user_prefix.encode()
        self._answer_timeout_s = job.answer_timeout_s
        self._clock = ArrivalClock()
        self._phase = bytearray(n)
        self._sockets = Sockets(epoll, job)
        self._socket_of = self._sockets.of
        self._fan_of = self._sockets.fan_of
        self._outbox = Outbox(self._socket_of)
        self._next = 0  # the first fan that is not started
        self._oldest = 0  # no fan before this one waits for an answer
        self._stopped = False
        self._conduct = job.conduct
        self._scheduled = n - len(job.conduct.newcomers_s)
        self._agenda = Agenda(job.conduct)
        self._leaves_when_answered: dict[int, bool] = {}

    # The schedule.

    def begin(self, t0: float) -> None:
        """Set the moment from which all times count, in seconds of time.monotonic()."""
        self._clock.begin(t0)

    def start_due(self) -> None:
        """Start all fans whose moment has come: first call connect(2) for each, then see to those that it refused."""
        first = self._next
        if self._stopped:
            return
        self._next = upto = bisect_right(self.samples.intended_s, self._clock.now(), first)
        self._phase[first:upto] = bytes([CONNECTING]) * (upto - first)
        if first == upto:
            return
        refused = self._sockets.connect(range(first, upto), self.samples.started_s, self._clock.now)
        self.last_s = self._clock.now()
        for fan, error in refused:
            self._fail(fan, outcome_of(error), self._clock.now())

    def events_begin(self, at: float) -> None:
        """Set the moment of time.monotonic() from which the moments of newcomers and departures count."""
        at_s = at - self._clock.t0
        self._agenda.begin(at_s)
        for newcomer, after_s in enumerate(self._conduct.newcomers_s, self._scheduled):
            self.samples.intended_s[newcomer] = at_s + after_s

    def event_sent(self, event: SentEvent) -> None:
        """Count who received an event from now on, where receipts are counted as they come."""
        if self._folding is not None:
            self._folding.know(event)

    def leave_due(self) -> None:
        """Have all fans leave whose moment has come; one that waits for its answer leaves as soon as it has that."""
        for departure in self._agenda.take_due(self._clock.now()):
            if self._phase[departure.fan] == WATCHING:
                self._leave(departure.fan, resets=departure.resets)
            elif self._phase[departure.fan] not in {STALLED, OVER}:
                self._leaves_when_answered[departure.fan] = departure.resets

    def expire(self, now: float) -> None:
        """Give up the fans whose answer was overdue at `now`, in seconds of time.monotonic().

        The timeout runs from the intended start. Whatever came before `now` must have been read.
        """
        now -= self._clock.t0
        intended = self.samples.intended_s
        while self._oldest < self._next:
            fan = self._oldest
            if self._phase[fan] != OVER and math.isnan(self.samples.answered_s[fan]):
                if intended[fan] + self._answer_timeout_s > now:
                    return
                self._fail(fan, self._late(fan), now)
            self._oldest += 1

    def _late(self, fan: int) -> Outcome:
        """Return what a fan is whose answer is overdue."""
        return _LATE[self._phase[fan]]

    @property
    def next_moment_s(self) -> float:
        """When a fan is to be started or given up next, in seconds after t0; infinity if never."""
        intended = self.samples.intended_s
        start = intended[self._next] if self._next < len(intended) and not self._stopped else math.inf
        late = intended[self._oldest] + self._answer_timeout_s if self._oldest < self._next else math.inf
        return min(start, late, self._agenda.next_s)

    def stay_away(self) -> None:
        """Have who loses its connection from now on stay away, as all do here."""

    def stop(self) -> None:
        """Start no more fans."""
        self._stopped = True

    def close(self) -> None:
        """Close all connections; fans that are still connected were HELD."""
        for fan in range(len(self._socket_of)):
            if self._phase[fan] == WATCHING:
                self._say_goodbye(fan)
                self.samples.outcome[fan] = Outcome.HELD
            elif self._phase[fan] == STALLED:
                self.samples.outcome[fan] = Outcome.SLOW
            self._reader.forget(fan)
            self._sockets.close(fan)
        if self._folding is not None:
            self._fold(self._folding)
            self.samples.forget_receipts()  # what is left has numbers that nobody sent
            self.samples.deliveries = self._folding.counted

    def _fold(self, folding: Folding) -> None:
        upto = folding.foldable(self.samples.receipt_sequence)
        folding.fold(*self.samples.take_receipts(upto), np.asarray(self.samples.answered_s))
        self._folded += upto
        self._fold_at = len(self.samples.receipt_fan) + FOLD_AT  # those wait for an event to be known

    # What is known of all.

    @property
    def progress(self) -> Progress:
        """How far these fans are."""
        receipts = self._folded + len(self.samples.receipt_fan) - self.returned + self._reader.open
        return Progress(
            self._next, self.connected, self.answered, self.failed, self.lost, receipts, self.slow, self.away
        )

    @property
    def is_settled(self) -> bool:
        """Whether every fan of the share that came by the schedule was answered or has failed."""
        return self.answered + self.failed >= self._scheduled

    @property
    def open(self) -> int:
        """How many connections are open or being made."""
        return self._next - self.failed - self.lost

    # One fan.

    def on_turn(self) -> None:
        """Get ready to take in what epoll has just reported: call it before the first `on_ready` of a turn."""
        self._clock.check()
        if self._folding is not None and len(self.samples.receipt_fan) >= self._fold_at:
            self._fold(self._folding)

    def on_ready(self, fd: int, events: int) -> None:
        """Take in what epoll reports of one of the sockets."""
        fan = self._fan_of[fd]
        phase = self._phase[fan]
        if phase in {PREPARED, OVER, AWAY}:
            return
        if phase == STALLED:
            if events & _ENDED:
                self._end(fan, Outcome.SLOW_CLOSED, self._clock.now())
            return
        sock = self._socket_of[fan]
        assert sock is not None  # noqa: S101 - only a fan that is over has none; this tells the type checker
        if phase == CONNECTING:
            if events & select.EPOLLERR:
                self._on_broken(fan, take_error(sock))
                return
            self._on_connected(fan, sock)
        elif events & select.EPOLLOUT:
            self._outbox.go_on(fan)
        if events & _READABLE:
            self._hear(fan, sock, events)
        if self._outbox.broken:
            self._mind_what_broke(fan)

    def _on_connected(self, fan: int, sock: socket.SocketType) -> None:
        took_s = handshake_s(sock)
        samples = self.samples
        connected_s = self._clock.now() if took_s is None else samples.started_s[fan] + took_s
        samples.connected_s[fan] = self.last_s = connected_s
        self.connected += 1
        if self._tls is not None:
            self._phase[fan] = SECURING
            self._outbox.send(fan, self._tls.begin(fan))
        else:
            self._phase[fan] = CONNECTED
            if not self._dialogue.welcome_end:
                self._ask(fan)

    def _ask(self, fan: int) -> None:
        """Say hello."""
        self.samples.asked_s[fan] = self._clock.now()
        self._phase[fan] = ASKED
        self._say(fan, self._hello(fan))
        self._mind_what_broke(fan)

    def _hear(self, fan: int, sock: socket.SocketType, events: int) -> None:
        """Read what there is, and if the other end has closed up to that end."""
        phases = self._phase
        while phases[fan] < STALLED:
            try:
                data, ancillary, _, _ = sock.recvmsg(CHUNK, STAMP_SPACE)
            except BlockingIOError:
                return
            except OSError as error:
                self._on_broken(fan, error.errno or 0)
                return
            now = self.last_s = self._clock.arrival(ancillary)
            if not data:
                self._on_closed(fan, now)
            elif self._tls is None:
                self._take_in(fan, data, now)
            else:
                self._take_in_secured(fan, data, now, self._tls)
            if len(data) < CHUNK and not events & _ENDED:
                return
        if events & _ENDED and phases[fan] == STALLED:
            self._end(fan, Outcome.SLOW_CLOSED, self._clock.now())

    def _take_in(self, fan: int, data: bytes, now: float) -> None:
        phase = self._phase[fan]
        if phase == WATCHING:
            self._on_news(fan, data, now)
        elif phase == ASKED:
            self._on_answer(fan, data, now)
        else:
            self._on_greeting(fan, data, now)
        if self._outbox.broken:
            self._mind_what_broke(fan)

    def _take_in_secured(self, fan: int, data: bytes, now: float, tls: TlsConnections) -> None:
        """Take in what comes by TLS. Its handshake is a greeting, where the server has no other."""
        if self._phase[fan] == SECURING:
            try:
                is_over, to_send = tls.shake(fan, data)
            except ssl.SSLError:
                self._fail(fan, Outcome.NO_TLS, now)
                return
            self._outbox.send(fan, to_send)
            if not is_over or self._mind_what_broke(fan):
                return
            self._phase[fan] = CONNECTED
            if not self._dialogue.welcome_end:
                self.samples.welcomed_s[fan] = now
                self._ask(fan)
            if self._phase[fan] >= OVER:
                return
            data = b""  # what came with the end of the handshake is in its buffer
        text, state, to_send = tls.read(fan, data)
        self._outbox.send(fan, to_send)
        if text:
            self._take_in(fan, text, now)
        if state is TlsState.OPEN or self._phase[fan] >= STALLED:
            return
        if state is TlsState.CLOSED:
            self._on_closed(fan, now)
        elif self._phase[fan] == WATCHING:
            self._lose(fan, Outcome.MALFORMED, now)
        else:
            self._fail(fan, Outcome.MALFORMED, now)

    # What a fan says.

    @property
    def _callbacks(self) -> Callbacks:
        return Callbacks(self._receive, self._say, self._fill)

    def _hello(self, fan: int) -> bytes:
        return self._fill(fan, self._dialogue.hello)

    def _fill(self, fan: int, text: bytes) -> bytes:
        return self._dialogue.filled(text, fan, b"%s%d" % (self._user_prefix, self._share.fans[fan]))

    def _say(self, fan: int, text: bytes) -> None:
        self._outbox.send(fan, text if self._tls is None else self._tls.write(fan, text))

    def _say_goodbye(self, fan: int) -> None:
        if goodbye := self._reader.goodbye:
            self._say(fan, goodbye)
            self._outbox.take_broken()  # who is gone need not be told

    def _mind_what_broke(self, fan: int) -> bool:
        """Return whether a fan's connection broke while it spoke; then it is over."""
        error = self._outbox.take_broken()
        if error and self._phase[fan] < OVER:
            self._on_broken(fan, error)
        return bool(error)

    # What a fan hears.

    def _on_greeting(self, fan: int, data: bytes, now: float) -> None:
        heard = self._reader.greeting(fan, data)
        if heard is Completeness.REFUSAL:
            self._fail(fan, Outcome.ERROR_LINE, now)
        elif heard is Completeness.COMPLETE:
            self.samples.welcomed_s[fan] = now
            self._ask(fan)

    def _on_answer(self, fan: int, data: bytes, now: float) -> None:
        try:
            heard, rest = self._reader.answer(fan, data)
        except StreamError as error:
            self._fail(fan, self._outcome_of(fan, error), now)
            return
        if heard is Completeness.REFUSAL:
            self._fail(fan, Outcome.ERROR_LINE, now)
        elif heard is Completeness.COMPLETE:
            self._on_answered(fan, now)
            if fan in self._conduct.slow:
                self.slow += 1
                self._phase[fan] = STALLED
                return
            self._phase[fan] = WATCHING
            if rest:
                self._on_news(fan, rest, now)
            resets = self._leaves_when_answered.pop(fan, None)
            if resets is not None and self._phase[fan] == WATCHING:
                self._leave(fan, resets=resets)

    def _on_answered(self, fan: int, now: float) -> None:
        self.samples.answered_s[fan] = now
        self.answered += 1

    def _outcome_of(self, fan: int, error: StreamError) -> Outcome:
        """Return what a fan's failure is that cannot go on for this reason, and take the reason down."""
        match error:
            case StatusError():
                self.samples.status[fan] = error.status
                return Outcome.STATUS
            case ClosedError():
                self.samples.closes[fan] = error.code, error.reason
                return Outcome.CLOSE
            case RefusedError():
                return Outcome.ERROR_LINE
            case _:
                return Outcome.MALFORMED

    def _on_news(self, fan: int, data: bytes, now: float) -> None:
        samples = self.samples
        try:
            for sequence in self._reader.sequences(fan, data, now):
                samples.receipt_fan.append(fan)
                samples.receipt_sequence.append(sequence)
                samples.receipt_s.append(now)
        except StreamError as error:
            outcome = self._outcome_of(fan, error)
            is_good = isinstance(error, ClosedError) and error.is_in_good_order
            self._lose(fan, Outcome.ENDED if is_good else outcome, now)

    def _receive(self, fan: int, sequence: int, at_s: float) -> None:
        """Take down what came with the data before, as is known only now."""
        self.samples.receipt_fan.append(fan)
        self.samples.receipt_sequence.append(sequence)
        self.samples.receipt_s.append(at_s)

    # Its end.

    def _leave(self, fan: int, *, resets: bool) -> None:
        """Part from the server. What was not read yet is: else closing would be a reset (RFC 2525, 2.17)."""
        sock = self._socket_of[fan]
        assert sock is not None  # noqa: S101 -- only a fan that is over has none; this tells the type checker
        self._hear(fan, sock, 0)
        if self._phase[fan] != WATCHING:
            return
        if not resets:
            self._say_goodbye(fan)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._lose(fan, Outcome.BROKE_OFF if resets else Outcome.LEFT, self._clock.now())

    def _on_closed(self, fan: int, now: float) -> None:
        if self._phase[fan] == WATCHING:
            self._lose(fan, Outcome.ENDED, now)
        else:
            self._fail(fan, Outcome.CLOSED_BEFORE_ANSWER, now)

    def _on_broken(self, fan: int, error: int) -> None:
        now = self.last_s = self._clock.now()
        phase = self._phase[fan]
        if phase == WATCHING:
            self._lose(fan, Outcome.CUT, now)
        elif phase == CONNECTING:
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
        self._disconnect(fan)

    def _disconnect(self, fan: int) -> None:
        self._phase[fan] = OVER
        self._reader.forget(fan)
        self._outbox.forget(fan)
        if self._tls is not None:
            self._tls.forget(fan)
        self._sockets.close(fan)
