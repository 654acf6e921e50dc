"""Fans who connect again: whoever loses its connection, or does not get one, tries to have another after a while.

Each try goes to the next of the server's addresses: who is turned away by one of them is not by all.

What it must guarantee: who is away is not served, and is no loss of events either; who is back is told apart from who
never left. Three things are kept in mind for that:

* What of the columns is about the way to the answer (when it was started, connected, welcomed, and asked) is that of
  the first answer. Each try writes there, as a first one does, and what it wrote is taken back where the fan had been
  answered before.
* A fan whom nobody has served yet is not settled while it tries: its response time goes on from its intended start, and
  its timeout, too. One that was served has as long for each try.
* A connection counts as lost until the last event (`stay_away`). Who is closed later is not to come back. Nor is who is
  told what is no answer: that is a defect, and to hide it behind the next try would be no honest figure.

Whoever watches an event stream, or has frames with numbers, says which event it had last, so a server can tell it what
it missed.

A fan that is there costs four bytes more than one that does not connect again, and where its events have ids a place in
a dictionary; for one that is away there is an object.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.load.connecting import SHORTAGES, outcome_of
from harness.load.deliveries import mark_of
from harness.load.fans import Fans
from harness.load.lost_connections import LostConnections
from harness.load.phases import AWAY, CONNECTING, WATCHING
from harness.load.protocols.catalogue import resuming
from harness.load.samples import Outcome

if TYPE_CHECKING:
    import select
    import socket

    from harness.load.backoff import Backoff
    from harness.load.messages import Job
    from harness.load.protocols.reader import Callbacks

_PARTED: Final = frozenset({Outcome.LEFT, Outcome.BROKE_OFF, Outcome.MALFORMED})
"""Who ended their connection themselves, and for good."""

_FINAL: Final = frozenset({*SHORTAGES, Outcome.MALFORMED})
"""After what no other try is made: this side has no room for it, or the server speaks something else."""


@dataclass(slots=True)
class _Away:
    """A fan without a connection: how often it has tried, and what the samples said of it when it lost the one it had.

    `row` is that of the connection which it lost, None of who was never served.
    """

    row: int | None
    columns: tuple[float, float, float, float]
    close: tuple[int, str] | None = None
    tries: int = 0


class ReconnectingFans(Fans):
    """Fans of a job who connect again as a backoff says; see Fans."""

    __slots__ = (
        "_away",
        "_backoff",
        "_deadlines",
        "_due",
        "_events",
        "_heard",
        "_lost",
        "_new",
        "_places",
        "_returning",
        "_stays_away",
    )

    def __init__(self, epoll: select.epoll, job: Job, backoff: Backoff) -> None:
        self._places: dict[int, bytes] = {}  # the id of the event that each had last
        super().__init__(epoll, job)
        self.samples.lost = self._lost = LostConnections()
        self._backoff = backoff
        self._events = math.inf if job.events is None else job.events
        self._heard = array("i", [0]) * len(job.share.fans)  # the highest number of an event that each had
        self._new = 0  # the first receipt of what is being taken in
        self._away: dict[int, _Away] = {}
        self._due: list[tuple[float, int]] = []  # a heap of when who is to try
        self._deadlines: deque[tuple[float, int, int]] = deque()  # when which try of whom is overdue
        self._stays_away = False
        self._returning = frozenset(each.fan for each in job.conduct.departures if each.returns)

    # The schedule.

    def start_due(self) -> None:
        """Start all fans whose moment has come, and then those who are to try again."""
        super().start_due()
        now = self._clock.now()
        while self._due and self._due[0][0] <= now and not self._stays_away:
            _, fan = heapq.heappop(self._due)
            if self._phase[fan] == AWAY:  # else it was given up meanwhile
                self._try_again(fan, self._away[fan])

    def _try_again(self, fan: int, away: _Away) -> None:
        samples = self.samples
        samples.started_s[fan] = self.last_s = now = self._clock.now()
        self._lost.tried += 1
        away.tries += 1
        if away.row is None:
            samples.closed_s[fan] = math.nan
            samples.status.pop(fan, None)
            samples.closes.pop(fan, None)
        else:
            self._deadlines.append((now + self._answer_timeout_s, fan, away.tries))
        self._phase[fan] = CONNECTING
        error = self._sockets.connect_again(fan, away.tries)
        if error:
            self._fail(fan, outcome_of(error), now)

    def expire(self, now: float) -> None:
        """Give up the fans, and the tries, whose answer was overdue at `now`, in seconds of time.monotonic()."""
        super().expire(now)
        now -= self._clock.t0
        while self._deadlines and self._deadlines[0][0] <= now:
            _, fan, number = self._deadlines.popleft()
            away = self._away.get(fan)
            if away is not None and away.tries == number and CONNECTING <= self._phase[fan] < WATCHING:
                self._fail(fan, self._late(fan), now)

    def _late(self, fan: int) -> Outcome:
        return Outcome(self.samples.outcome[fan]) if self._phase[fan] == AWAY else super()._late(fan)

    @property
    def next_moment_s(self) -> float:
        """When a fan is to be started, to try again or given up next, in seconds after t0; infinity if never."""
        due_s = self._due[0][0] if self._due and not self._stays_away else math.inf
        return min(super().next_moment_s, due_s, self._deadlines[0][0] if self._deadlines else math.inf)

    def stay_away(self) -> None:
        """Have nobody try any more."""
        self._stays_away = True

    def stop(self) -> None:
        """Start no more fans, and have nobody try any more."""
        super().stop()
        self.stay_away()
        for fan, away in self._away.items():
            if away.row is None and self._phase[fan] == AWAY:
                self._fail(fan, self._late(fan), self._clock.now())

    def close(self) -> None:
        """Close all connections; fans that are still connected were HELD."""
        for fan, away in self._away.items():
            self._restore(fan, away)
        super().close()

    # One fan.

    @property
    def _callbacks(self) -> Callbacks:
        return replace(super()._callbacks, place=self._places.__setitem__)

    def _hello(self, fan: int) -> bytes:
        return resuming(self._dialogue, super()._hello(fan), self._places.get(fan, b""))

    def on_ready(self, fd: int, events: int) -> None:
        """Take in what epoll reports of one of the sockets."""
        self._new = len(self.samples.receipt_sequence)
        super().on_ready(fd, events)
        self._note_heard(self._fan_of[fd])

    def _note_heard(self, fan: int) -> None:
        """Take note of the highest number in what is being taken in, all of which is this fan's."""
        for number in self.samples.receipt_sequence[self._new :]:
            if self._heard[fan] < number <= self._events:
                self._heard[fan] = number

    def _on_connected(self, fan: int, sock: socket.SocketType) -> None:
        was_connected = not math.isnan(self.samples.connected_s[fan])
        super()._on_connected(fan, sock)
        self.connected -= was_connected

    def _on_answered(self, fan: int, now: float) -> None:
        away = self._away.pop(fan, None)
        if away is None:
            super()._on_answered(fan, now)
            return
        samples = self.samples
        self._lost.served += 1
        samples.outcome[fan] = Outcome.PENDING
        samples.closed_s[fan] = math.nan
        samples.closes.pop(fan, None)
        tried_s = samples.started_s[fan]
        self._restore(fan, away)
        if away.row is None:
            super()._on_answered(fan, now)
            return
        self._lost.back_s[away.row] = now
        self._lost.tried_s[away.row] = tried_s
        samples.receipt_fan.append(fan)
        samples.receipt_sequence.append(mark_of(self._heard[fan]))
        samples.receipt_s.append(now)
        self.returned += 1
        self.away -= 1
        self.lost -= 1

    def _columns(self, fan: int) -> tuple[float, float, float, float]:
        samples = self.samples
        return samples.started_s[fan], samples.connected_s[fan], samples.welcomed_s[fan], samples.asked_s[fan]

    def _restore(self, fan: int, away: _Away) -> None:
        """Have the columns say again when the fan was first started, and if it was served how it came to that."""
        samples = self.samples
        samples.started_s[fan] = away.columns[0]
        if away.row is not None:
            samples.connected_s[fan], samples.welcomed_s[fan], samples.asked_s[fan] = away.columns[1:]

    # Its end.

    def _leave(self, fan: int, *, resets: bool) -> None:
        self._new = len(self.samples.receipt_sequence)
        super()._leave(fan, resets=resets)
        if fan in self._away and fan not in self._returning:  # it was closed just before
            self._leaves_when_answered[fan] = resets

    def _lose(self, fan: int, outcome: Outcome, now: float) -> None:
        if outcome is Outcome.BROKE_OFF and fan in self._returning:
            outcome = Outcome.CUT  # it is the network that broke
        super()._lose(fan, outcome, now)
        if self._stays_away or outcome in _PARTED:
            return
        self._note_heard(fan)
        row = self._lost.lose(fan, now, self._heard[fan], self._name_of(fan, outcome))
        self._away[fan] = away = _Away(row, self._columns(fan), self.samples.closes.get(fan))
        self.away += 1
        self._wait(fan, away)

    def _fail(self, fan: int, outcome: Outcome, now: float) -> None:
        away = self._away.get(fan)
        if away is not None and self._phase[fan] != AWAY:
            self._lost.failures[self._name_of(fan, outcome)] += 1
        if away is not None and away.row is not None:
            self._fail_to_return(fan, outcome, away)
            return
        is_late = now >= self.samples.intended_s[fan] + self._answer_timeout_s
        if is_late or self._stays_away or outcome in _FINAL:
            super()._fail(fan, outcome, now)
            return
        self._end(fan, outcome, now)
        if away is None:
            away = self._away[fan] = _Away(None, self._columns(fan))
        self._wait(fan, away)

    def _fail_to_return(self, fan: int, outcome: Outcome, away: _Away) -> None:
        """Have a fan try once more whom the samples go on to tell as it was lost."""
        samples = self.samples
        samples.status.pop(fan, None)
        if away.close is not None:
            samples.closes[fan] = away.close
        else:
            samples.closes.pop(fan, None)
        self._disconnect(fan)
        if outcome in _FINAL:
            samples.outcome[fan] = outcome
        if outcome in _FINAL or self._stays_away:
            self.away -= 1
        else:
            self._wait(fan, away)

    def _name_of(self, fan: int, outcome: Outcome) -> str:
        if outcome is Outcome.STATUS:
            return f"status_{self.samples.status[fan]}"
        if outcome is Outcome.CLOSE:
            return f"close_{self.samples.closes[fan][0]}"
        return outcome.name.lower()

    def _wait(self, fan: int, away: _Away) -> None:
        self._phase[fan] = AWAY
        heapq.heappush(self._due, (self._clock.now() + self._backoff.wait_s(fan, away.tries), fan))
