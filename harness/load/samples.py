"""What the fans saw, raw: one array a column, indexed by fan, so that a million fit and nothing is averaged early.

All times are seconds of CLOCK_MONOTONIC since t0, the first intended start; NaN says that it did not happen. The two
clocks of a response are made from the columns afterwards: the response time runs from the *intended* start, the talk's
from the connect.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import compress
from typing import TYPE_CHECKING, Self

import numpy as np

from harness.load.deliveries import Deliveries
from harness.load.lost_connections import LostConnections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


class Outcome(IntEnum):
    """What became of a fan. Only HELD and ENDED were served as they should be."""

    PENDING = 0
    """Nothing was decided when the generator was told to finish."""
    HELD = 1
    """Answered, and still connected at the end."""
    ENDED = 2
    """Answered, then closed by the server in good order, as after the end of a match."""
    CUT = 3
    """Answered, then the connection broke (reset, timed out)."""
    REFUSED = 4
    """Nobody listens there."""
    UNREACHABLE = 5
    """The network has no way to the server, or forbids it."""
    CONNECT_TIMEOUT = 6
    """Not connected in time; a full accept queue drops SYNs silently, which looks like this."""
    NO_WELCOME = 7
    """Connected, but not greeted in time."""
    NO_ANSWER = 8
    """Asked, but not answered in time."""
    ERROR_LINE = 9
    """The server said that it will not serve this fan."""
    CLOSED_BEFORE_ANSWER = 10
    """The server closed in good order, without an answer."""
    RESET = 11
    """The connection broke before the answer."""
    NO_SOCKET = 12
    """The generator could not make the connection, as it had no memory for it. Says nothing about the server."""
    NO_FILE = 13
    """… as it may have no more open files, or the machine may not. As above."""
    NO_PORT = 14
    """… as no local port was left towards the server. As above."""
    STATUS = 15
    """The server answered with another status of HTTP than 200: `Samples.status` has it."""
    MALFORMED = 16
    """The server sent, before the answer or after it, what is not the protocol that it was said to speak."""
    NO_TLS = 17
    """Connected, but the handshake of TLS failed, or was not over in time."""
    CLOSE = 18
    """The server closed the WebSocket before the answer, or with a code that complains: `Samples.closes` has it."""

    LEFT = 19
    """Answered, then closed in good order by the fan, which was told to."""
    BROKE_OFF = 20
    """Answered, then broken by the fan, which was told to."""
    SLOW = 21
    """Answered, then did not read, as it was told, and was still connected at the end."""
    SLOW_CLOSED = 22
    """Answered, then did not read, as it was told, until the connection was ended by the server."""
    UNTOLD = 23
    """Played by a host of a cluster that was lost before it told what became of it. Says nothing about the server."""

    @property
    def is_set_apart(self) -> bool:
        """Whether the fan was neither served to the end nor failed: it did what it was told to, or nobody knows."""
        return self >= Outcome.LEFT


def _column() -> array[float]:
    return array("d")


@dataclass(slots=True)
class Samples:
    """The columns. Row i of the first eight is fan i; the `receipt_*` three have a row for each event received.

    `status` has of each fan whose outcome is STATUS the status that it was answered with; `closes` of each whose
    WebSocket the server closed, also in good order, the code and the reason (RFC 6455, section 7.4).

    A fan's receipts are in the order in which they came; those of different fans are in no particular order. Where
    they were counted as they came there are none, and `deliveries` has the counts.

    Where fans connect again, `lost` has the connections that they lost, and a fan's columns are those of its first
    answer, but for `closed_s` and `outcome`, which say how it is now. A row of the receipts whose number is negative is
    none: there the fan was served again (`harness.load.deliveries`).
    """

    intended_s: array[float] = field(default_factory=_column)
    started_s: array[float] = field(default_factory=_column)
    connected_s: array[float] = field(default_factory=_column)
    welcomed_s: array[float] = field(default_factory=_column)
    asked_s: array[float] = field(default_factory=_column)
    answered_s: array[float] = field(default_factory=_column)
    closed_s: array[float] = field(default_factory=_column)
    outcome: bytearray = field(default_factory=bytearray)
    receipt_fan: array[int] = field(default_factory=lambda: array("i"))
    receipt_sequence: array[int] = field(default_factory=lambda: array("i"))
    receipt_s: array[float] = field(default_factory=_column)
    status: dict[int, int] = field(default_factory=dict)
    closes: dict[int, tuple[int, str]] = field(default_factory=dict)
    deliveries: Deliveries | None = None
    lost: LostConnections | None = None

    @classmethod
    def blank(cls, intended_s: array[float]) -> Self:
        """Return the samples of fans with these intended starts, to whom nothing has happened yet."""
        n = len(intended_s)
        blank = cls(intended_s, outcome=bytearray(n))
        for name in _TIMES[1:]:
            setattr(blank, name, array("d", [math.nan]) * n)
        return blank

    @classmethod
    def merge(cls, parts: Iterable[tuple[range, Samples]]) -> Self:
        """Return the samples of all fans from those of each process; row k of a part is the fan `fans[k]` of its range.

        Together the ranges must cover 0 … n-1, each number once.
        """
        parts = list(parts)
        merged = cls.blank(array("d", [math.nan]) * sum(len(fans) for fans, _ in parts))
        for fans, part in parts:
            rows = slice(fans.start, fans.stop, fans.step)
            for name in _TIMES:
                getattr(merged, name)[rows] = getattr(part, name)
            merged.outcome[rows] = part.outcome
            merged.receipt_fan.extend(map(fans.__getitem__, part.receipt_fan))
            merged.receipt_sequence.extend(part.receipt_sequence)
            merged.receipt_s.extend(part.receipt_s)
            merged.status.update((fans[fan], status) for fan, status in part.status.items())
            merged.closes.update((fans[fan], close) for fan, close in part.closes.items())
        counted = [(fans, part.deliveries) for fans, part in parts if part.deliveries is not None]
        if counted:
            events = counted[0][1].received.size - 1
            merged.deliveries = Deliveries.merged(len(merged), events, counted)
        lost = [(fans, part.lost) for fans, part in parts if part.lost is not None]
        if lost:
            merged.lost = LostConnections.merged(lost)
        return merged

    def __len__(self) -> int:
        return len(self.intended_s)

    def take_receipts(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return the first `count` receipts, which are kept no longer: fan, sequence, and when."""
        fan = np.array(self.receipt_fan[:count], np.int64)
        sequence = np.array(self.receipt_sequence[:count], np.int64)
        at_s = np.array(self.receipt_s[:count])
        del self.receipt_fan[:count], self.receipt_sequence[:count], self.receipt_s[:count]
        return fan, sequence, at_s

    def forget_receipts(self) -> None:
        """Keep no receipts any longer."""
        self.take_receipts(len(self.receipt_fan))

    def first(self, n: int) -> Samples:
        """Return the samples of the first `n` fans. The others must have received nothing."""
        first = Samples.blank(self.intended_s[:n])
        for name in _TIMES[1:]:
            setattr(first, name, getattr(self, name)[:n])
        first.outcome = self.outcome[:n]
        first.status = {fan: status for fan, status in self.status.items() if fan < n}
        first.closes = {fan: close for fan, close in self.closes.items() if fan < n}
        if self.deliveries is not None:
            first.deliveries = replace(self.deliveries, highest=self.deliveries.highest[:n])
        first.lost = self.lost
        first.receipt_fan, first.receipt_sequence, first.receipt_s = (
            self.receipt_fan,
            self.receipt_sequence,
            self.receipt_s,
        )
        return first

    def after(self, moment_s: float) -> Samples:
        """Return when things happened to the fans who were to start after that moment, and how they ended.

        What they received, and what status or code they were refused with, is not in it.
        """
        came = [intended > moment_s for intended in self.intended_s]
        part = Samples(outcome=bytearray(compress(self.outcome, came)))
        for name in _TIMES:
            getattr(part, name).extend(compress(getattr(self, name), came))
        return part

    def outcomes(self) -> Counter[Outcome]:
        """Return how many fans had each outcome; outcomes that nobody had are not in it."""
        return Counter({Outcome(value): count for value, count in Counter(self.outcome).items()})

    def response_s(self) -> array[float]:
        """Return the response time of every answered fan from its intended start, in the order of the fans."""
        times = zip(self.answered_s, self.intended_s, strict=True)
        return array("d", (answered - intended for answered, intended in times if not math.isnan(answered)))

    def talk_s(self) -> array[float]:
        """Return the talk's response time of every answered fan, in the order of the fans; its mean is the ART.

        That is the larger of two: from the connect to the welcome, and from the question to the answer (slide "Test
        client"). What a fan waited before it was connected is not in it. A server that does not speak first has only
        the second.
        """
        rows = zip(self.connected_s, self.welcomed_s, self.asked_s, self.answered_s, strict=True)
        return array(
            "d",
            (
                answer if math.isnan(welcomed) else max(welcomed - connected, answer)
                for connected, welcomed, asked, answered in rows
                if not math.isnan(answer := answered - asked)
            ),
        )

    def lag_s(self) -> array[float]:
        """Return how late the generator was with every fan that it started, in the order of the fans."""
        times = zip(self.started_s, self.intended_s, strict=True)
        return array("d", (started - intended for started, intended in times if not math.isnan(started)))

    def own_s(self) -> array[float]:
        """Return how much of the response time of every answered fan was the generator's own, in the order of the fans.

        That is from its intended start to connect(2), and from when it could ask to when it did.
        """
        rows = zip(
            self.intended_s,
            self.started_s,
            self.connected_s,
            self.welcomed_s,
            self.asked_s,
            self.answered_s,
            strict=True,
        )
        return array(
            "d",
            (
                started - intended + asked - (connected if math.isnan(welcomed) else welcomed)
                for intended, started, connected, welcomed, asked, answered in rows
                if not math.isnan(answered)
            ),
        )


_TIMES = ("intended_s", "started_s", "connected_s", "welcomed_s", "asked_s", "answered_s", "closed_s")


@dataclass(frozen=True, slots=True)
class GeneratorUsage:
    """How the generator itself fared, by which a reader judges whether it measured the server or itself.

    `cpu_share` has for each process the busy fraction of one core from t0 to the last thing that happened to it, or of
    one second, for a shorter burst is always busy; `lag_*_s` is how late fans were started (0 if none was);
    `turn_max_s` the longest turn of any epoll loop, or the longest that one woke too late, whichever is more: so late a
    fan may have said what it had to say;
    `bytes_per_connection` how much memory the processes gained until every fan was settled, or None if they never were;
    `peak_rss` (bytes) that of the largest process.
    """

    processes: int
    cpu_share: tuple[float, ...]
    lag_p50_s: float
    lag_p99_s: float
    lag_max_s: float
    turn_max_s: float
    bytes_per_connection: float | None
    peak_rss: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the fans are: counts that only grow, but for those of who is back later.

    Every started fan becomes either `answered` or `failed`. `closed` are those of the answered whom the server closed
    or lost since, or who left; `receipts` are the events received by all; `slow` those of the answered who do not read,
    of whom nothing is expected any more. `away` are those of the closed who are on their way back.
    """

    started: int = 0
    connected: int = 0
    answered: int = 0
    failed: int = 0
    closed: int = 0
    receipts: int = 0
    slow: int = 0
    away: int = 0

    @property
    def settled(self) -> int:
        """Fans whose first answer came or will not come."""
        return self.answered + self.failed

    @classmethod
    def total(cls, parts: Iterable[Progress]) -> Progress:
        """Return the sum."""
        rows = [(p.started, p.connected, p.answered, p.failed, p.closed, p.receipts, p.slow, p.away) for p in parts]
        return cls(*map(sum, zip(*rows, strict=True)))
