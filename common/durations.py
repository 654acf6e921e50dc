"""Durations as people write them on a command line: `2ms`, `90s`, `10m`, `1.5h`."""

import re
from types import MappingProxyType

_UNITS = MappingProxyType({"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0})
_DURATION = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]*)\s*", re.ASCII)


class DurationError(Exception):
    """A duration cannot be read; the message says how one is written."""


def parse_duration(text: str) -> float:
    """Return the seconds of a number with its unit: ms, s, m or h. Raise DurationError."""
    matched = _DURATION.fullmatch(text)
    if matched is None or matched[2] not in _UNITS:
        raise DurationError(
            f"{text.strip()!r} is no duration: write a number and ms, s, m or h, such as 500ms, 90s, 10m or 1.5h"
        )
    return float(matched[1]) * _UNITS[matched[2]]


def show_duration(seconds: float) -> str:
    """Return a duration to the second: `8 s`, `2 min 05 s`, `1 h 02 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
