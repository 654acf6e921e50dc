"""What fans do besides watching: who leaves when and how, who comes instead, and who stops reading. Pure.

Real fans do not all come and then sit still. Some go and others come (churn), a train full of them loses its network at
once (resets), a proxy is started anew and all behind it are back in a moment (a storm), and some have a phone in a
pocket that takes nothing any more (slow). Who does what is decided beforehand, by a seed, so that two servers that are
compared are left by the same fans. What a fan does whom the server left is decided, too: it is gone, or it connects
again after a while (`harness.load.backoff`); so does then who was reset.

Whoever leaves was told to: that is no failure of the server, and it counts for the events between its coming and its
leaving. Whoever stops reading is set apart: what the others get is what the server is judged by.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from harness.load.backoff import Backoff
from harness.load.workload import InvalidLoadError

if TYPE_CHECKING:
    from harness.load.workload import Load
    from harness.records.asked import Disturbances

SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Departure:
    """A fan leaves `at_s` seconds after the events began; `resets`: it breaks its connection instead of closing it.

    `returns`: it comes back, as one does whose network broke, where fans connect again.
    """

    at_s: float
    fan: int
    resets: bool
    returns: bool = False


@dataclass(frozen=True, slots=True)
class Conduct:
    """What the fans of a trial, or of one generator process, do besides watching; nothing by default.

    `departures` are in the order of their moments. The k-th newcomer, the k-th fan after all those who come by the
    schedule, is to start `newcomers_s[k]` seconds after the events began. With a `backoff` fans connect again who lost
    their connection, or did not get one, and were not told to leave for good.
    """

    slow: frozenset[int] = frozenset()
    departures: tuple[Departure, ...] = ()
    newcomers_s: tuple[float, ...] = ()
    backoff: Backoff | None = None

    def of(self, fans: range, n: int) -> Self:
        """Return the part of those fans, numbered from 0 as in that range; `n` of all fans come by the schedule."""
        number = {fan: index for index, fan in enumerate(fans)}
        return type(self)(
            frozenset(number[fan] for fan in self.slow if fan in number),
            tuple(replace(d, fan=number[d.fan]) for d in self.departures if d.fan in number),
            tuple(self.newcomers_s[fan - n] for fan in fans if fan >= n),
            None if self.backoff is None else self.backoff.of(fans),
        )


ONLY_WATCH: Final = Conduct()


class Agenda:
    """The departures that are still to come. Moments are seconds, on the clock of whoever asks."""

    __slots__ = ("_begin_s", "_departures", "_done")

    def __init__(self, conduct: Conduct) -> None:
        self._departures = conduct.departures
        self._begin_s = math.inf
        self._done = 0

    def begin(self, at_s: float) -> None:
        """Set when the events begin; before, nobody is due."""
        self._begin_s = at_s

    @property
    def next_s(self) -> float:
        """When the next departure is due; infinity if none is."""
        return self._begin_s + self._departures[self._done].at_s if self._done < len(self._departures) else math.inf

    def take_due(self, now_s: float) -> tuple[Departure, ...]:
        """Return the departures that are due by now, each once."""
        first = self._done
        while self.next_s <= now_s:
            self._done += 1
        return self._departures[first : self._done]


def planned(load: Load, asked: Disturbances, events_s: float, seed: int = SEED) -> Conduct:
    """Return who of the fans of a load does what while the events take `events_s` seconds.

    Slow fans and those that break off are chosen once; the others leave in a random order, one after the other at equal
    distances, and for each a new one comes at that moment. When all are gone, those leave who came first for others.
    Or new ones come in waves, and nobody leaves for them; or as many as broke off in a storm, each after a random time
    (full jitter), so that the server has them all in that time.

    Raise InvalidLoadError for more fans than there are, a moment after the events, or several kinds of new ones.
    """
    n = load.n
    chance = random.Random(seed)  # noqa: S311 -- nothing secret about it
    order = list(range(n))
    chance.shuffle(order)
    slow, storm = round(asked.slow * n), round(asked.storm * n)
    if slow + asked.reset + storm > n:
        raise InvalidLoadError(
            f"{slow:,} slow fans and {asked.reset + storm:,} that are reset are more than N={n:,}: use fewer, or a "
            "larger N"
        )
    if asked.reset and asked.reset_at_s > events_s:
        raise InvalidLoadError(
            f"the reset at {asked.reset_at_s:g} s is after the events, which take {events_s:g} s: reset earlier, or "
            "ask for more events"
        )
    stays = n - asked.reset
    leaving = order[slow : stays - storm]
    if asked.churn_per_s and not leaving:
        raise InvalidLoadError("nobody is left for churn: use fewer slow fans and resets, or a larger N")
    newcomers_s = _back_s(asked, storm, events_s, chance) if storm else _newcomers_s(load, asked, events_s)
    leaving += range(n, n + len(newcomers_s))
    replaced_s = newcomers_s if asked.churn_per_s else ()
    departures = [Departure(at_s, fan, resets=False) for at_s, fan in zip(replaced_s, leaving, strict=False)]
    returns = bool(asked.reconnect_cap_s)
    departures += [Departure(asked.reset_at_s, fan, resets=True, returns=returns) for fan in sorted(order[stays:])]
    departures += [Departure(asked.storm_at_s, fan, resets=True) for fan in sorted(order[stays - storm : stays])]
    departures.sort(key=lambda departure: departure.at_s)
    return Conduct(frozenset(order[:slow]), tuple(departures), newcomers_s, backoff_of(asked, seed))


def backoff_of(asked: Disturbances, seed: int = SEED) -> Backoff | None:
    """Return how fans connect again; None where they do not."""
    return Backoff(asked.reconnect_base_s, asked.reconnect_cap_s, seed) if asked.reconnect_cap_s else None


def _newcomers_s(load: Load, asked: Disturbances, events_s: float) -> tuple[float, ...]:
    """Return when new fans come: one for each that leaves, or in waves. Raise InvalidLoadError."""
    if not asked.joining:
        rate_per_s = asked.churn_per_s * load.n
        return tuple((k + 1) / rate_per_s for k in range(int(events_s * rate_per_s)))
    if asked.churn_per_s:
        raise InvalidLoadError("with --churn fans come while events flow, as with --joining: give one of the two")
    moments_s = tuple((fan // asked.joining_c + 1) * load.interval_s for fan in range(asked.joining))
    if moments_s[-1] > events_s:
        raise InvalidLoadError(
            f"the last of {asked.joining:,} fans who join comes {moments_s[-1]:g} s after the first event, and the "
            f"events take {events_s:g} s: ask for more events, or for larger waves"
        )
    return moments_s


def _back_s(asked: Disturbances, storm: int, events_s: float, chance: random.Random) -> tuple[float, ...]:
    """Return when those are back who broke off in a storm. Raise InvalidLoadError."""
    if asked.joining or asked.churn_per_s:
        option = "--joining" if asked.joining else "--churn"
        raise InvalidLoadError(f"with {option} fans come while events flow, as after a --storm: give one of the two")
    over_s = asked.storm_at_s + asked.storm_within_s
    if over_s > events_s:
        raise InvalidLoadError(
            f"the storm is over {over_s:g} s after the first event, and the events take {events_s:g} s: have it "
            "earlier, or ask for more events"
        )
    return tuple(sorted(asked.storm_at_s + chance.uniform(0, asked.storm_within_s) for _ in range(storm)))
