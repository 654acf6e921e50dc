"""A service level objective: terms such as `failures=0,lost=0,p99<1s,fanout_p99<500ms` that a trial meets or breaks."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from harness.errors import HarnessError
from harness.records.distribution import Distribution, percentile_of
from harness.records.seen import Reconnects, Seen

DEFAULT_SLO = "failures=0,lost=0,duplicated=0,reordered=0,unposted=0"
"""Everyone served, everything delivered: what a trial must show where nothing else is asked."""

_UNITS: Mapping[str, float] = MappingProxyType({"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0})
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "=": operator.eq}
)
_TERM = re.compile(
    r"\s*([a-z][a-z0-9_.]*)\s*(<=|>=|<|>|=)\s*([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*([a-zµ]*|%)\s*", re.ASCII
)
_PERCENTILE = re.compile(
    r"(?:(art|fanout|newcomers|spread|back)_)?p([1-9][0-9]?(?:\.[0-9]+)?|0\.[0-9]+|99[0-9]+)", re.ASCII
)

_Figure = Callable[[Seen], float | None]


class SloError(HarnessError):
    """An SLO cannot be read; the message says which term, and what would be right."""


@dataclass(frozen=True, slots=True)
class _Times:
    """Times of which some may be missing, each infinitely long; the mean is of those that came."""

    of: Callable[[Seen], Distribution | None]
    missing: Callable[[Seen], int]

    def mean(self, seen: Seen) -> float | None:
        times = self.of(seen)
        return None if times is None else times.mean_s

    def longest(self, seen: Seen) -> float | None:
        times = self.of(seen)
        return math.inf if self.missing(seen) or times is None else times.max_s

    def percentile(self, percent: Fraction) -> _Figure:
        def figure(seen: Seen) -> float | None:
            times = self.of(seen)
            value = None if times is None else percentile_of(times, percent)
            return math.inf if value is None else value

        return figure


_RESPONSE = _Times(lambda seen: seen.response.intended, lambda seen: seen.fans.asked - seen.fans.answered)
_ART = _Times(lambda seen: seen.response.art, lambda seen: 0)
_FANOUT = _Times(
    lambda seen: None if seen.delivery is None else seen.delivery.fanout,
    lambda seen: 0 if seen.delivery is None else seen.delivery.lost,
)
_NEWCOMERS = _Times(
    lambda seen: seen.response.newcomers,
    lambda seen: 0 if seen.response.newcomers is None else seen.response.newcomers.missing,
)
_SPREAD = _Times(lambda seen: None if seen.own is None else seen.own.spread, lambda seen: 0)
_BACK = _Times(
    lambda seen: None if seen.reconnects is None else seen.reconnects.back,
    lambda seen: 0 if seen.reconnects is None else seen.reconnects.not_back,
)
_PHASES: Mapping[str | None, _Times] = MappingProxyType(
    {None: _RESPONSE, "art": _ART, "fanout": _FANOUT, "newcomers": _NEWCOMERS, "spread": _SPREAD, "back": _BACK}
)


def _if_any(times: _Times, figure: _Figure) -> _Figure:
    """Return a figure that was not measured (None) where there are no times at all, and none is missing.

    Where fans connect again and nobody had to, they were back at once.
    """
    none = _of_reconnects(lambda _: 0.0) if times is _BACK else lambda _: None
    return lambda seen: none(seen) if times.of(seen) is None and not times.missing(seen) else figure(seen)


def _percentile(phase: str | None, digits: str) -> _Figure:
    """Return the figure of a percentile: `99`, `99.9`, and `999`, which is the same."""
    decimals = max(0, len(digits) - 2) if digits.isdigit() else 0
    return _if_any(_PHASES[phase], _PHASES[phase].percentile(Fraction(digits) / 10**decimals))


def _delivery(name: str) -> _Figure:
    return lambda seen: getattr(seen.delivery, name, None)


def _last_fan(seen: Seen) -> float | None:
    if seen.delivery is None:
        return None
    return math.inf if seen.delivery.lost else seen.delivery.last_max_s


def _count_of_delivery(name: str) -> _Figure:
    # A trial without events has lost none: its other figures must not be refused for that.
    return lambda seen: 0 if seen.delivery is None else getattr(seen.delivery, name)


def _of_reconnects(figure: Callable[[Reconnects], float]) -> _Figure:
    return lambda seen: None if seen.reconnects is None else figure(seen.reconnects)


COUNTS: Mapping[str, _Figure] = MappingProxyType(
    {
        "served": lambda seen: seen.fans.served,
        "failures": lambda seen: seen.fans.failed,
        "lost": _count_of_delivery("lost"),
        "duplicated": _count_of_delivery("duplicated"),
        "reordered": _count_of_delivery("reordered"),
        "unposted": _count_of_delivery("unposted"),
        "lost_connections": _of_reconnects(lambda reconnects: reconnects.lost),
        "missed": _of_reconnects(lambda reconnects: reconnects.missed),
    }
)
"""Figures that are a number of fans, deliveries or posts."""

TIMES: Mapping[str, _Figure] = MappingProxyType(
    {
        "mean": _RESPONSE.mean,
        "max": _RESPONSE.longest,
        "art": _ART.mean,
        "fanout_mean": _FANOUT.mean,
        "fanout_last": _last_fan,
        "newcomers_mean": _NEWCOMERS.mean,
        "spread_mean": _SPREAD.mean,
        "spread_max": _SPREAD.longest,
        "back_mean": _if_any(_BACK, _BACK.mean),
        "back_max": _if_any(_BACK, _BACK.longest),
        "post_lag_p99": _delivery("post_lag_p99_s"),
    }
)
"""Figures that are a time; without a prefix, the response time from the intended start.

Besides there is any percentile: `p99`, `p99.9` (which is `p999`), `art_p95`, `fanout_p99`, `newcomers_p50`.

`fanout_*` are from the intended post, `newcomers_*` of those who came while events flowed, `spread_*` of the server's
own events, from the first fan that had one to the last, `back_*` from the loss of a connection until the fan was served
again, where fans connect again. A fan who was not answered, or was not back,
and a delivery that was lost, took infinitely long: so percentiles and the longest say. `art_*` are the talk's, of those
who were answered."""


def _deliveries(seen: Seen) -> int:
    return 0 if seen.delivery is None else seen.delivery.expected


_WHOLES: Mapping[str, Callable[[Seen], int]] = MappingProxyType(
    {
        "served": lambda seen: seen.fans.asked,
        "failures": lambda seen: seen.fans.asked,
        "lost": _deliveries,
        "duplicated": _deliveries,
        "reordered": _deliveries,
        "unposted": lambda seen: 0 if seen.delivery is None else seen.delivery.posted,
        "lost_connections": lambda seen: seen.fans.asked,
        "missed": lambda seen: _deliveries(seen) + (0 if seen.reconnects is None else seen.reconnects.missed),
    }
)
"""What each count is a share of."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `limit` is in seconds for a time, and in percent for a share of all fans, deliveries or posts.

    `text` is how the user wrote it, without blanks.
    """

    name: str
    sign: str
    limit: float
    text: str
    is_share: bool = False

    def holds(self, value: float | None) -> bool:
        """Whether a seen figure meets the term; one that was not seen (None) does not."""
        return value is not None and _OPERATORS[self.sign](value, self.limit)


@dataclass(frozen=True, slots=True)
class Slo:
    """All terms of an objective; without any, every trial meets it. `str` gives the text that it is parsed from."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return ",".join(term.text for term in self.terms)

    def check(self, seen: Seen) -> tuple[str, ...]:
        """Return the broken terms in order, each with what was seen: `p99<1s (3.1 s)`."""
        seen_by = ((term, _value(term, seen)) for term in self.terms)
        return tuple(f"{term.text} ({_shown(term, value)})" for term, value in seen_by if not term.holds(value))


def parse_slo(text: str) -> Slo:
    """Read terms between commas: a figure's name, one of < <= > >= =, a number, and for a time a unit (us, ms, s).

    A count may be a share of all, in percent: `failures<1%`.

    An empty text is an objective without terms. Raise SloError.
    """
    if not text.strip():
        return Slo(())
    return Slo(tuple(_parse_term(part) for part in text.split(",")))


def _parse_term(part: str) -> Term:
    matched = _TERM.fullmatch(part)
    if matched is None:
        raise SloError(f"the SLO term {part.strip()!r} cannot be read: write for example failures=0 or p99<1s")
    name, sign, number, unit = matched.groups()
    is_time = name in TIMES or _PERCENTILE.fullmatch(name) is not None
    if name not in COUNTS and not is_time:
        raise SloError(
            f"no figure is called {name!r} in the SLO: use one of {', '.join([*COUNTS, *TIMES])}, or a percentile "
            "such as p99, p99.9, art_p95, fanout_p99, newcomers_p50, back_p90"
        )
    if is_time and unit not in _UNITS:
        raise SloError(f"{part.strip()!r} in the SLO needs a unit of time: us, ms or s, as in {name}{sign}{number}ms")
    if name in COUNTS and unit not in {"", "%"}:
        raise SloError(
            f"{part.strip()!r} in the SLO is a count: write {name}{sign}{number}, or a share, as in {name}<1%"
        )
    limit = float(number) * _UNITS.get(unit, 1.0)
    if not math.isfinite(limit):
        raise SloError(f"{part.strip()!r} in the SLO is out of range")
    return Term(name, sign, limit, f"{name}{sign}{number}{unit}", is_share=unit == "%")


def _value(term: Term, seen: Seen) -> float | None:
    """Return what was seen of a term's figure, in its unit; None where it was not measured."""
    if term.name not in COUNTS:
        percentile = _PERCENTILE.fullmatch(term.name)
        return _percentile(*percentile.groups())(seen) if percentile else TIMES[term.name](seen)
    count = COUNTS[term.name](seen)
    if not term.is_share or not count:
        return count
    return 100 * count / _WHOLES[term.name](seen)


def _shown(term: Term, value: float | None) -> str:
    if value is None:
        return "not measured"
    if term.name in COUNTS:
        return f"{value:.3g} %" if term.is_share else f"{value:,.0f}"
    if math.isinf(value):
        return "∞: not all came"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
