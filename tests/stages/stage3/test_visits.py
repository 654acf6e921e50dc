"""Visits in batches, on virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from common.store.errors import StoreUnavailableError
from stages.stage3.visits import BATCH_S, BATCH_SIZE, VisitBatches
from tests.virtual_time import now_s, run_virtual

if TYPE_CHECKING:
    from common.store.connection import Argument
    from stages.stage3.request_queue import Command

ROUND_TRIP_S = 0.1


class Writer:
    """Answers a batch after a while, with the number of the batch."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[tuple[float, list[Command]]] = []
        self._error = error

    async def carry_out(self, commands: list[Command]) -> list[Any]:
        self.batches.append((now_s(), commands))
        number = len(self.batches)
        await asyncio.sleep(ROUND_TRIP_S)
        if self._error is not None:
            raise self._error
        return [number] * len(commands)


def visitors(commands: list[Command]) -> list[Argument]:
    """Return who is counted by the commands of a batch; there may be another behind them, which keeps them bounded."""
    return [command[2] for command in commands if command[0] == "HINCRBY"]


def test_the_first_goes_at_once_and_those_behind_it_together() -> None:
    async def main() -> None:
        writer = Writer()
        visits = VisitBatches(writer.carry_out)
        one = asyncio.create_task(visits.visit("ana"), name="ana")
        await asyncio.sleep(BATCH_S / 10)
        two = asyncio.create_task(visits.visit("bea"), name="bea")
        await asyncio.sleep(BATCH_S / 10)
        assert [*await asyncio.gather(one, two, visits.visit("ana"))] == [1, 2, 2]
        assert [(at_s, visitors(commands)) for at_s, commands in writer.batches] == [
            (0.0, [b"ana"]),
            (BATCH_S, [b"bea", b"ana"]),
        ]

    run_virtual(main())


def test_a_full_batch_waits_for_nothing() -> None:
    async def main() -> None:
        writer = Writer()
        visits = VisitBatches(writer.carry_out)
        await visits.visit("ana")
        await asyncio.gather(*(visits.visit(f"fan-{number}") for number in range(2 * BATCH_SIZE + 1)))
        assert [len(visitors(commands)) for _, commands in writer.batches] == [1, BATCH_SIZE, BATCH_SIZE, 1]
        sent_s = [at_s for at_s, _ in writer.batches]
        assert sent_s == pytest.approx([0.0, ROUND_TRIP_S, ROUND_TRIP_S, ROUND_TRIP_S + BATCH_S])

    run_virtual(main())


def test_when_a_batch_fails_each_of_its_visitors_is_told() -> None:
    async def main() -> None:
        visits = VisitBatches(Writer(StoreUnavailableError("no writer")).carry_out)
        outcomes = await asyncio.gather(*(visits.visit("ana") for _ in range(3)), return_exceptions=True)
        assert len({id(outcome) for outcome in outcomes}) == 3
        for outcome in outcomes:
            with pytest.raises(StoreUnavailableError, match="may not have been counted: no writer"):
                raise outcome  # type: ignore[misc]

    run_virtual(main())
