"""What a person wants to see, as the keys that they pressed left it: order, filter, pause. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from common.otp.survey import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.show.live.rows import ActorRow

ENTER: Final = frozenset("\r\n")
ESCAPE: Final = "\x1b"
ERASE: Final = frozenset("\x7f\b")


@dataclass(frozen=True, slots=True)
class _Sorting:
    """A column by which rows can be sorted, and which actors the server is to tell of then."""

    title: str
    asked: Order
    key: Callable[[ActorRow], float | str]


class Column(Enum):
    """The columns by which rows can be sorted, in the order in which one key goes through them."""

    MAILBOX = _Sorting("mailbox", Order.MAILBOX, lambda row: row.mailbox)
    MESSAGES = _Sorting("messages", Order.MESSAGES, lambda row: row.messages)
    RATE = _Sorting("per s", Order.MESSAGES, lambda row: -1.0 if row.per_s is None else row.per_s)
    RESTARTS = _Sorting("restarts", Order.RESTARTS, lambda row: row.restarts)
    MEMORY = _Sorting("memory", Order.MEMORY, lambda row: row.memory_bytes)
    NAME = _Sorting("name", Order.MAILBOX, lambda row: row.name)

    @property
    def next(self) -> Column:
        """The column after this one, the first after the last."""
        columns = list(Column)
        return columns[(columns.index(self) + 1) % len(columns)]


@dataclass(frozen=True, slots=True)
class View:
    """The largest first, names from A, or the other way round if `reverse`; only rows with `wanted` in them."""

    column: Column = Column.MAILBOX
    reverse: bool = False
    wanted: str = ""
    typing: bool = False
    paused: bool = False
    ended: bool = False


def _pause(view: View) -> View:
    return replace(view, paused=not view.paused)


def _filter(view: View) -> View:
    return replace(view, typing=True)


_KEYS: Final[dict[str, Callable[[View], View]]] = {
    "s": lambda view: replace(view, column=view.column.next),
    "r": lambda view: replace(view, reverse=not view.reverse),
    "/": _filter,
    "f": _filter,
    "p": _pause,
    " ": _pause,
    ESCAPE: lambda view: replace(view, wanted=""),
    "q": lambda view: replace(view, ended=True),
}


def press(view: View, key: str) -> View:
    """Return the view after a key: s, r, / or f, p or space, q; while a filter is typed, what is typed."""
    if view.typing:
        return _type(view, key)
    change = _KEYS.get(key)
    return view if change is None else change(view)


def _type(view: View, key: str) -> View:
    if key in ENTER:
        return replace(view, typing=False)
    if key == ESCAPE:
        return replace(view, typing=False, wanted="")
    if key in ERASE:
        return replace(view, wanted=view.wanted[:-1])
    return replace(view, wanted=view.wanted + key) if key.isprintable() else view


def arrange(rows: Iterable[ActorRow], view: View) -> list[ActorRow]:
    """Return the rows that are wanted, in the order that is wanted; of equal ones those with more messages first."""
    wanted = view.wanted.casefold()
    found = [row for row in rows if wanted in f"{row.name} {row.kind} {row.node}".casefold()]
    found.sort(key=lambda row: (-row.messages, row.name, row.node))
    descending = view.column is not Column.NAME
    found.sort(key=view.column.value.key, reverse=descending != view.reverse)
    return found
