"""A service level objective: terms such as `failures=0,lost=0,p99<1s,fanout_p99<500ms` that a trial meets or breaks."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.errors import HarnessError
from harness.records.distribution import Distribution
from harness.records.seen import Seen

DEFAULT_SLO = "failures=0,lost=0,duplicated=0,reordered=0,unposted=0"
"""Everyone served, everything delivered: what a trial must show where nothing else is asked."""

_UNITS: Mapping[str, float] = MappingProxyType({"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0})
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "=": operator.eq}
)
_TERM = re.compile(
    r"\s*([a-z][a-z0-9_]*)\s*(<=|>=|<|>|=)\s*([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)\s*([a-zµ]*)\s*", re.ASCII
)

_Figure = Callable[[Seen], float | None]


class SloError(HarnessError):
    """An SLO cannot be read; the message says which term, and what would be right."""


def _response(name: str) -> _Figure:
    return lambda seen: _of_all(seen.response.intended, name, seen.fans.asked - seen.fans.answered)


def _art(name: str) -> _Figure:
    return lambda seen: getattr(seen.response.art, name, None)


def _delivery(name: str) -> _Figure:
    return lambda seen: getattr(seen.delivery, name, None)


def _fanout(name: str) -> _Figure:
    return lambda seen: None if seen.delivery is None else _of_all(seen.delivery.fanout, name, seen.delivery.lost)


def _last_fan(seen: Seen) -> float | None:
    if seen.delivery is None:
        return None
    return math.inf if seen.delivery.lost else seen.delivery.last_max_s


def _of_all(times: Distribution | None, name: str, missing: int) -> float | None:
    """Return a figure of times of which some are missing, each infinitely long; the mean is of those that came."""
    if name == "mean_s":
        return None if times is None else times.mean_s
    if times is None or name == "max_s":
        return math.inf if missing or times is None else times.max_s
    value: float | None = getattr(times, name)
    return math.inf if value is None else value


def _count_of_delivery(name: str) -> _Figure:
    # A trial without events has lost none: its other figures must not be refused for that.
    return lambda seen: 0 if seen.delivery is None else getattr(seen.delivery, name)


COUNTS: Mapping[str, _Figure] = MappingProxyType(
    {
        "served": lambda seen: seen.fans.served,
        "failures": lambda seen: seen.fans.failed,
        "lost": _count_of_delivery("lost"),
        "duplicated": _count_of_delivery("duplicated"),
        "reordered": _count_of_delivery("reordered"),
        "unposted": _count_of_delivery("unposted"),
    }
)
"""Figures that are a number of fans, deliveries or posts."""

TIMES: Mapping[str, _Figure] = MappingProxyType(
    {
        "mean": _response("mean_s"),
        "p50": _response("p50_s"),
        "p90": _response("p90_s"),
        "p99": _response("p99_s"),
        "p999": _response("p999_s"),
        "max": _response("max_s"),
        "art": _art("mean_s"),
        "art_p99": _art("p99_s"),
        "fanout_mean": _fanout("mean_s"),
        "fanout_p99": _fanout("p99_s"),
        "fanout_last": _last_fan,
        "post_lag_p99": _delivery("post_lag_p99_s"),
    }
)
"""Figures that are a time; without a prefix, the response time from the intended start.

`fanout_*` are from the intended post. A fan who was not answered, and a delivery that was lost, took infinitely long:
so percentiles and the longest say. `art_*` are the talk's, of those who were answered."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `limit` is in seconds for a time; `text` is how the user wrote it, without blanks."""

    name: str
    sign: str
    limit: float
    text: str

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
        return self.broken({term.name: _figure(term.name)(seen) for term in self.terms})

    def broken(self, figures: Mapping[str, float | None]) -> tuple[str, ...]:
        """Return the broken terms by figures of those names: counts, times in seconds, None where none was seen."""
        return tuple(
            f"{term.text} ({_shown(term.name, figures[term.name])})"
            for term in self.terms
            if not term.holds(figures[term.name])
        )


def parse_slo(text: str) -> Slo:
    """Read terms between commas: a figure's name, one of < <= > >= =, a number, and for a time a unit (us, ms, s).

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
    if name not in COUNTS and name not in TIMES:
        raise SloError(f"no figure is called {name!r} in the SLO: use one of {', '.join([*COUNTS, *TIMES])}")
    if name in TIMES and unit not in _UNITS:
        raise SloError(f"{part.strip()!r} in the SLO needs a unit of time: us, ms or s, as in {name}{sign}{number}ms")
    if name in COUNTS and unit:
        raise SloError(f"{part.strip()!r} in the SLO is a count and has no unit: write {name}{sign}{number}")
    limit = float(number) * _UNITS[unit] if unit else float(number)
    if not math.isfinite(limit):
        raise SloError(f"{part.strip()!r} in the SLO is out of range")
    return Term(name, sign, limit, f"{name}{sign}{number}{unit}")


def _figure(name: str) -> _Figure:
    return COUNTS[name] if name in COUNTS else TIMES[name]


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "not measured"
    if name in COUNTS:
        return f"{value:,.0f}"
    if math.isinf(value):
        return "∞: not all came"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
