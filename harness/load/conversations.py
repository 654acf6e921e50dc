"""What each fan of a process says and hears, from its connection to its end; when it comes is the matter of `Fans`.

There is no object for a fan: its state is a byte, its times are the columns that the trial gets. Sockets are watched
edge-triggered, so each is read until nothing is left, which one read tells unless it is full or the other end has
closed. Times are seconds of CLOCK_MONOTONIC after the t0 of the clock.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
from typing import TYPE_CHECKING, Final

from harness.load.clock import STAMP_SPACE, ArrivalClock
from harness.load.connecting import handshake_s, outcome_of, take_error
from harness.load.outbox import Outbox
from harness.load.phases import ASKED, AWAY, CONNECTED, CONNECTING, OVER, PREPARED, SECURING, STALLED, WATCHING
from harness.load.protocols.catalogue import reader_of
from harness.load.protocols.reader import Callbacks, ClosedError, Completeness, RefusedError, StatusError, StreamError
from harness.load.samples import Outcome, Samples
from harness.load.sockets import Sockets
from harness.load.tls import TlsConnections, TlsState

if TYPE_CHECKING:
    from harness.load.messages import Job

CHUNK: Final = 4096  # bytes of a read: a frame has some 150, a status frame with full line-ups some 700

_ENDED: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_READABLE: Final = select.EPOLLIN | _ENDED


class Conversations:
    """The connections of the fans of one job, by the fans' numbers in its share, and what is said on each."""

    __slots__ = (
        "_clock",
        "_conduct",
        "_dialogue",
        "_fan_of",
        "_leaves_when_answered",
        "_outbox",
        "_phase",
        "_reader",
        "_share",
        "_socket_of",
        "_sockets",
        "_tls",
        "_user_prefix",
        "answered",
        "connected",
        "failed",
        "last_s",
        "lost",
        "samples",
        "slow",
    )

    def __init__(self, epoll: select.epoll, job: Job) -> None:
        self.samples = Samples.blank(job.intended_s)
        self.connected = self.answered = self.failed = self.lost = self.slow = 0
        self.last_s = 0.0  # when something happened last
        self._share = job.share
        self._dialogue = job.dialogue
        self._reader = reader_of(job.dialogue, self._callbacks)
        self._tls = None if job.dialogue.tls is None else TlsConnections(job.dialogue.tls)
        self._user_prefix = job.user_prefix.encode()
        self._clock = ArrivalClock()
        self._phase = bytearray(len(job.share.fans))
        self._sockets = Sockets(epoll, job)
        self._socket_of = self._sockets.of
        self._fan_of = self._sockets.fan_of
        self._outbox = Outbox(self._socket_of)
        self._conduct = job.conduct
        self._leaves_when_answered: dict[int, bool] = {}

    # What epoll reports.

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
