"""What the trial and a generator process say to each other: Job, Ready, Begin, EventsBegin, EventsEnd, Finish, Report.

In this order; EventsBegin is left out where fans do nothing but watch, EventsEnd where they do not connect again, and a
SentEvent comes for each event, if any.
They are pickled by a multiprocessing Connection; both ends are the same program on the same machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.load.conduct import Conduct

if TYPE_CHECKING:
    from array import array

    from harness.load.samples import Samples
    from harness.load.workload import Dialogue, Endpoint, Share


@dataclass(frozen=True, slots=True)
class Job:
    """What the process is to play. `endpoints` hold numeric addresses; `intended_s[k]` belongs to `share.fans[k]`.

    It is infinite for newcomers, whose moments are those of the `conduct`. `events` are numbered up to that, and their
    receipts are counted as they come (`harness.load.deliveries`); None: all receipts are kept. Who sends them may be on
    another machine, whose clock is up to `clocks_apart_s` from this one's.
    """

    share: Share
    intended_s: array[float]
    dialogue: Dialogue
    endpoints: tuple[Endpoint, ...]
    user_prefix: str
    answer_timeout_s: float
    conduct: Conduct = field(default_factory=Conduct)
    events: int | None = None
    clocks_apart_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has understood its job and waits for the moment."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The first intended start is at `t0`, in seconds of time.monotonic(), which all processes share."""

    t0: float


@dataclass(frozen=True, slots=True)
class EventsBegin:
    """The events begin `at` that moment of time.monotonic(): from there the moments of the conduct count."""

    at: float


@dataclass(frozen=True, slots=True)
class EventsEnd:
    """The last event comes now, after which the server may close its fans: who is not connected stays away."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Start no more fans, give the server `close_wait_s` to close those that are connected, then close and report."""

    close_wait_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """What the fans of the process saw and what it cost; see GeneratorUsage.

    `growth` is in bytes, from before the job to when all its fans were settled; None if they never were.
    """

    samples: Samples
    cpu_share: float
    turn_max_s: float
    growth: int | None
    peak_rss: int
