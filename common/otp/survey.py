"""A survey of a node: who has how many messages waiting, who did how much, and all kinds of processes added up.

There may be a hundred thousand processes, so what is told is a row for each kind and the few processes that come first
in some order. It costs nothing while nobody asks: mailboxes and counts of messages are there anyway, all else is found
when it is asked for. A survey takes about 0.3 µs a process, in pieces between which the loop goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from common.otp.footprint import footprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from common.otp.node import Node
    from common.otp.process import Process

_PIECE: Final = 1000
"""Processes that are looked at before the loop goes on: about 0.3 ms."""
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
    """One process: messages that wait, messages handled, times it was restarted under its name, estimated bytes."""

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
    """What a survey has found: the kinds by name, and the first processes in the order that was asked for."""

    kinds: tuple[KindStatistics, ...]
    processes: tuple[ProcessStatistics, ...]


@dataclass(slots=True)
class _Tally:
    alive: int = 0
    mailbox: int = 0
    messages: int = 0
    examples: list[Process] = field(default_factory=list)


class Surveyor:
    """Makes surveys of a node. `salt` makes the numbers of nameless processes tell nothing outside of it."""

    def __init__(self, node: Node, salt: bytes) -> None:
        self._node = node
        self._salt = salt

    async def survey(self, most: int, order: Order) -> Survey:
        """Look at all processes; return the kinds, and the `most` processes that have most of what `order` says.

        Where that is equal, it is who handled more. In the order of memory, of kinds with `many` processes only those
        with the longest mailboxes are considered: to estimate all would take seconds.
        """
        tallies: dict[str, _Tally] = {}
        few: list[Process] = []
        first: list[Process] = []
        by_memory = order is Order.MEMORY
        key = self._key(Order.MAILBOX if by_memory else order)
        everyone = self._node.processes()
        for begin in range(0, len(everyone), _PIECE):
            piece = [process for process in everyone[begin : begin + _PIECE] if process.alive]
            _add(piece, tallies)
            few += [process for process in piece if by_memory and not process.server.many]
            first = heapq.nlargest(most, [*first, *piece], key=key)
            await asyncio.sleep(0)
        found = {process: None for process in (*few, *first) if process.alive}
        rows = sorted(map(self._row, found), key=_amount(order), reverse=True)
        return Survey(self._kinds(tallies), tuple(rows[:most]))

    def _key(self, order: Order) -> Callable[[Process], tuple[int, int]]:
        restarts = self._node.restarts
        if order is Order.MESSAGES:
            return lambda process: (process.handled, 0)
        if order is Order.RESTARTS:
            return lambda process: (restarts[process.kind, process.name], process.handled)
        return lambda process: (process.queued, process.handled)

    def _row(self, process: Process) -> ProcessStatistics:
        return ProcessStatistics(
            name=self._name(process),
            kind=process.kind,
            mailbox=process.queued,
            messages=process.handled,
            restarts=self._node.restarts[process.kind, process.name],
            memory_bytes=footprint(process),
        )

    def _name(self, process: Process) -> str:
        """Return the name, or of one of many a number that is always the same: who they are is nobody's business."""
        if not process.server.many:
            return process.name
        told = hashlib.blake2s(f"{process.name} {id(process)}".encode(), key=self._salt, digest_size=4)
        return f"{process.kind}#{told.hexdigest()}"

    def _kinds(self, tallies: dict[str, _Tally]) -> tuple[KindStatistics, ...]:
        past = self._node.past()
        restarts = self._node.restarts
        rows = []
        for kind in sorted({*tallies, *past}):
            tally = tallies.get(kind) or _Tally()
            ended, handled = past.get(kind, (0, 0))
            examples = [process for process in tally.examples if process.alive]
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


def _add(processes: Sequence[Process], tallies: dict[str, _Tally]) -> None:
    for process in processes:
        tally = tallies.get(process.kind)
        if tally is None:
            tally = tallies[process.kind] = _Tally()
        tally.alive += 1
        tally.mailbox += process.queued
        tally.messages += process.handled
        if len(tally.examples) < _SAMPLE:
            tally.examples.append(process)


def _amount(order: Order) -> Callable[[ProcessStatistics], tuple[int, int]]:
    if order is Order.MEMORY:
        return lambda row: (row.memory_bytes, row.messages)
    if order is Order.MESSAGES:
        return lambda row: (row.messages, row.mailbox)
    if order is Order.RESTARTS:
        return lambda row: (row.restarts, row.messages)
    return lambda row: (row.mailbox, row.messages)
