"""What a process holds of others (links, monitors, callers): nothing, one or two as a rule, and 17,000 at times.

A tuple while they are few, a set beyond: an empty tuple costs nothing and one of two 56 bytes, where any set takes at
least 216. Both functions return what to hold from now on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

_T = TypeVar("_T")

_FEW: Final = 8
"""As a tuple of so many takes 104 bytes, and a set of them 728."""


def tied(ties: Collection[_T], one: _T) -> Collection[_T]:
    """Add one, unless it is there."""
    if not ties:
        return (one,)
    if isinstance(ties, set):
        ties.add(one)
        return ties
    if one in ties:
        return ties
    return (*ties, one) if len(ties) < _FEW else {*ties, one}


def untied(ties: Collection[_T], one: _T) -> Collection[_T]:
    """Remove one, if it is there."""
    if isinstance(ties, set):
        ties.discard(one)
        return ties or ()
    if one not in ties:
        return ties
    return () if len(ties) == 1 else tuple([each for each in ties if each is not one])
