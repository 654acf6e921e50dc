"""A survey of a node: who has how many messages waiting, who did how much, and all kinds of processes added up.

There may be a hundred thousand processes, so what is told is a row for each kind and the few processes that come first
in some order. It costs nothing while nobody asks: mailboxes and counts of messages are there anyway, all else is found
when it is asked for, in pieces, between which the loop goes on. To estimate memory is dear. What a survey takes is in
`reports/design-notes.md`.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import itertools
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from common.otp.footprint import footprint
from common.otp.gen_server import GenServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from common.otp.node import Node
    from common.otp.process import Process

_PIECE: Final = 1000
"""Processes that are looked at before the loop goes on: about 0.3 ms."""
_ROWS: Final = 8
"""Processes whose memory is estimated before the loop goes on: about 0.3 ms, too."""
_SAMPLE: Final = 8
"""Processes of a kind whose memory is estimated, to stand for all of it."""


class Order(StrEnum):
    """What the processes that are told have most of."""

    MAILBOX = "mailbox"
    MESSAGES = "messages"
    RESTARTS = "restarts"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class ProcessStatistics:
    """One process: messages that wait, messages handled, times it was restarted under its name, estimated bytes.

    A process without a name, and one of `many`, has a number in its place, and no restarts of its own.
    """

    name: str
    kind: str
    mailbox: int
    messages: int
    restarts: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class KindStatistics:
    """All processes of a kind: those alive now, and all that were ever started; of the former mailbox and memory.

    `messages` and `restarts` are those of all that ever were; `memory_bytes` is estimated from a few of them.
    """

    kind: str
    alive: int
    started: int
    mailbox: int
    messages: int
    restarts: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What a survey has found: the kinds by name, and the first processes in each order that was asked for.

    `few` are all processes but those of kinds with `many`, for who wants to ask them something else.
    """

    kinds: tuple[KindStatistics, ...]
    first: Mapping[Order, tuple[ProcessStatistics, ...]]
    few: tuple[Process, ...]


@dataclass(slots=True)
class _Tally:
    many: bool
    alive: int = 0
    mailbox: int = 0
    messages: int = 0
    examples: list[Process] = field(default_factory=list)


_Rank = tuple[int, int, int]
"""What a process has of what is asked for, what decides where that is equal, and a number, so that ranks differ."""


class _First:
    """The `most` processes of the highest rank among those that it is shown."""

    def __init__(self, most: int, rank: Callable[[Process], _Rank]) -> None:
        self._most = most
        self._rank = rank
        self._heap: list[tuple[_Rank, Process]] = []

    def choose(self, processes: Sequence[Process]) -> None:
        """Keep those of `processes` that rank higher than who was kept so far."""
        heap, rank = self._heap, self._rank
        for process in processes:
            ranked = rank(process)
            if len(heap) < self._most:
                heapq.heappush(heap, (ranked, process))
            elif ranked > heap[0][0]:
                heapq.heapreplace(heap, (ranked, process))

    def chosen(self) -> list[Process]:
        """Return those that were kept, in no order."""
        return [process for _, process in self._heap]


class Surveyor:
    """Makes surveys of a node. `salt` makes the numbers of nameless processes tell nothing outside of it."""

    def __init__(self, node: Node, salt: bytes) -> None:
        self._node = node
        self._salt = salt

    async def survey(self, wanted: Mapping[Order, int]) -> Survey:
        """Look at all processes; return the kinds, and in each order that is wanted as many of the first as there said.

        Where that is equal, it is who handled more, or who has more waiting. In the order of memory, of kinds with
        `many` processes only those with the longest mailboxes are considered: to estimate all would take seconds.
        """
        tallies: dict[type[GenServer], _Tally] = {}
        few: list[Process] = []
        found = {order: _First(most, self._rank(order)) for order, most in wanted.items() if most}
        everyone = self._node.processes()
        for begin in range(0, len(everyone), _PIECE):
            piece = everyone[begin : begin + _PIECE]
            _add(piece, tallies, few)
            for first in found.values():
                first.choose(piece)
            await asyncio.sleep(0)
        kinds = await self._kinds(tallies)  # soon: who has ended by then is among the past, too
        chosen = {order: first.chosen() for order, first in found.items()}
        if Order.MEMORY in chosen:
            chosen[Order.MEMORY] = [*few, *chosen[Order.MEMORY]]
        rows = await self._rows(itertools.chain(*chosen.values()))
        first_rows = {
            order: _ordered((rows[one] for one in dict.fromkeys(processes) if one in rows), order, wanted[order])
            for order, processes in chosen.items()
        }
        return Survey(kinds, first_rows, tuple(process for process in few if process.alive))

    async def _rows(self, processes: Iterable[Process]) -> dict[Process, ProcessStatistics]:
        rows: dict[Process, ProcessStatistics] = {}
        for number, process in enumerate(dict.fromkeys(processes), 1):
            if process.alive:
                rows[process] = self._row(process)
            if number % _ROWS == 0:
                await asyncio.sleep(0)
        return rows

    def _rank(self, order: Order) -> Callable[[Process], _Rank]:
        restarts = self._node.restarts
        if order is Order.MESSAGES:
            return lambda process: (process.handled, process.queued, id(process))
        if order is Order.RESTARTS and restarts:  # of the nameless: of all
            return lambda process: (restarts[process.kind, process.name], process.handled, id(process))
        return lambda process: (process.queued, process.handled, id(process))

    def _row(self, process: Process) -> ProcessStatistics:
        kind = process.kind
        name = None if process.server.many else self._node.name_of(process)
        return ProcessStatistics(
            name=self._number(process) if name is None else name,
            kind=kind,
            mailbox=process.queued,
            messages=process.handled,
            restarts=0 if name is None else self._node.restarts[kind, process.name],
            memory_bytes=footprint(process),
        )

    def _number(self, process: Process) -> str:
        """Return a number that stays the process's own; of a user it does not tell the name."""
        told = hashlib.blake2s(f"{process.name} {id(process)}".encode(), key=self._salt, digest_size=4)
        return f"{process.kind}#{told.hexdigest()}"

    async def _kinds(self, found: dict[type[GenServer], _Tally]) -> tuple[KindStatistics, ...]:
        tallies = _by_name(found)
        past = self._node.past()
        restarts = self._node.restarts
        rows = []
        for kind in sorted({*tallies, *past}):
            tally = tallies.get(kind) or _Tally(many=False)
            ended, handled = past.get(kind, (0, 0))
            examples = [process for process in tally.examples if process.alive]
            await asyncio.sleep(0)
            each = sum(map(footprint, examples)) / len(examples) if examples else 0.0
            rows.append(
                KindStatistics(
                    kind=kind,
                    alive=tally.alive,
                    started=tally.alive + ended,
                    mailbox=tally.mailbox,
                    messages=tally.messages + handled,
                    restarts=sum(count for (of, _), count in restarts.items() if of == kind),
                    memory_bytes=round(each * tally.alive),
                )
            )
        return tuple(rows)


def _add(processes: Sequence[Process], tallies: dict[type[GenServer], _Tally], few: list[Process]) -> None:
    """Add processes to what is known of their kinds; those that have ended count as `GenServer`, which none is."""
    for process in processes:
        kind = type(process.server)
        tally = tallies.get(kind)
        if tally is None:
            tally = tallies[kind] = _Tally(kind.many)
        tally.alive += 1
        tally.mailbox += process.queued
        tally.messages += process.handled
        if tally.alive <= _SAMPLE:
            tally.examples.append(process)
        if not tally.many:
            few.append(process)


def _by_name(found: dict[type[GenServer], _Tally]) -> dict[str, _Tally]:
    """Return the tallies by name: several classes may have one, as a supervisor and its managers do."""
    named: dict[str, _Tally] = {}
    for kind, tally in found.items():
        if kind is GenServer:
            continue
        sum_ = named.setdefault(kind.__name__, _Tally(tally.many))
        sum_.alive += tally.alive
        sum_.mailbox += tally.mailbox
        sum_.messages += tally.messages
        sum_.examples += tally.examples
    return named


def _ordered(rows: Iterable[ProcessStatistics], order: Order, most: int) -> tuple[ProcessStatistics, ...]:
    return tuple(sorted(rows, key=_amount(order), reverse=True)[:most])


def _amount(order: Order) -> Callable[[ProcessStatistics], tuple[int, int]]:
    if order is Order.MEMORY:
        return lambda row: (row.memory_bytes, row.messages)
    if order is Order.MESSAGES:
        return lambda row: (row.messages, row.mailbox)
    if order is Order.RESTARTS:
        return lambda row: (row.restarts, row.messages)
    return lambda row: (row.mailbox, row.messages)
