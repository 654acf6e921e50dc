"""The fans of one process: a state machine over sockets, its state in arrays, its results in columns.

What it must guarantee: a wave is a moment, a fan is never waited for, and an idle fan costs a socket object and some
70 bytes of this process. So there is no object for a fan: its state is a byte, its times are the columns that the trial
gets. And what is done for a fan is done in this order:

* **prepare**, before the load begins: its socket is made, bound and watched (`harness.load.sockets`).
* **start**, at its moment: connect(2), for the whole wave, and nothing else.
* **receive**: when it was connected and what it hears, whenever this process comes to it. Reading late does no harm to
  what is measured of the server, since the kernel says when something arrived (`harness.load.clock`) and how long the
  handshake took (`harness.load.connecting.handshake_s`). It does delay what the fan says, and with it the answer.

Here is when fans come and go, and what is known of them all; what each says and hears is in
`harness.load.conversations`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.load.conduct import Agenda
from harness.load.connecting import outcome_of
from harness.load.conversations import Conversations
from harness.load.deliveries import FOLD_AT, Folding
from harness.load.phases import ASKED, CONNECTED, CONNECTING, OVER, SECURING, STALLED, WATCHING
from harness.load.samples import Outcome, Progress

if TYPE_CHECKING:
    import select

    from harness.load.deliveries import SentEvent
    from harness.load.messages import Job

_LATE: Final = {
    CONNECTING: Outcome.CONNECT_TIMEOUT,
    SECURING: Outcome.NO_TLS,
    CONNECTED: Outcome.NO_WELCOME,
    ASKED: Outcome.NO_ANSWER,
}


class Fans(Conversations):
    """The fans of one job, numbered from 0 as in its share, prepared for their moments; `close` ends it.

    Nothing else happens before `begin`. Times are seconds of CLOCK_MONOTONIC after its t0.
    """

    __slots__ = (
        "_agenda",
        "_answer_timeout_s",
        "_fold_at",
        "_folded",
        "_folding",
        "_next",
        "_oldest",
        "_scheduled",
        "_stopped",
        "away",
        "returned",
    )

    def __init__(self, epoll: select.epoll, job: Job) -> None:
        super().__init__(epoll, job)
        n = len(job.share.fans)
        self.away = self.returned = 0  # who is on its way back, and how often one was back
        self._folding = None if job.events is None else Folding(n, job.events, job.clocks_apart_s)
        self._folded = 0  # receipts that are counts now
        self._fold_at = FOLD_AT  # so many receipts are kept
        self._answer_timeout_s = job.answer_timeout_s
        self._next = 0  # the first fan that is not started
        self._oldest = 0  # no fan before this one waits for an answer
        self._stopped = False
        self._scheduled = n - len(job.conduct.newcomers_s)
        self._agenda = Agenda(job.conduct)

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

    # A turn of epoll.

    def on_turn(self) -> None:
        """Get ready to take in what epoll has just reported: call it before the first `on_ready` of a turn."""
        self._clock.check()
        if self._folding is not None and len(self.samples.receipt_fan) >= self._fold_at:
            self._fold(self._folding)
