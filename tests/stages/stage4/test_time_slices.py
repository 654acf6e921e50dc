"""While an event goes out fan by fan others come and go: everyone hears each event once, in its status or by itself."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import TYPE_CHECKING

import pytest

from tests.stages.in_process.running import watching
from tests.stages.stage4.inside import audiences, seats_of
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from tests.stages.fan import Connect, Fan
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running

GOALS = 25


@pytest.fixture(autouse=True)
def piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the loop given up after each fan."""
    monkeypatch.setattr("stages.stage4.time_slices.PIECE", 1)
    monkeypatch.setattr("stages.stage4.time_slices.SLICE_S", 0.0)


def expected(fan: Fan) -> list[str]:
    """Return the goals that its status does not tell yet."""
    scored = fan.frames[0].details["visit_score"]
    assert isinstance(scored, int)
    return [str(number) for number in range(scored, GOALS)]


async def test_fans_come_and_go_while_events_are_sent_and_each_hears_each_once(
    running: Running, connect: Connect, game: Game
) -> None:
    rng = random.Random(3)  # noqa: S311  # nothing secret about it
    over = asyncio.Event()
    stayed: list[Fan] = []
    names = itertools.count()

    async def come_and_go() -> None:
        while not over.is_set():
            fan = connect()
            await fan.__aenter__()
            await fan.watch(f"fan-{next(names)}", game.id)
            if rng.random() < 1 / 2:
                fan.reset()
            else:
                stayed.append(fan)

    async with watching(connect, game, *(f"early-{number}" for number in range(30))) as early:
        coming = [asyncio.create_task(come_and_go(), name=f"coming-{number}") for number in range(4)]
        for number in range(GOALS):
            await game.goal(str(number))
        over.set()
        await asyncio.gather(*coming)
        await game.stop()
        for fan in [*early, *stayed]:
            await fan.read_to_end()
            assert fan.told() == expected(fan)
            assert fan.kinds[-1] == "stop"
        for fan in stayed:
            fan.leave()
    assert len({fan.frames[0].details["visit_score"] for fan in stayed}) > 3, "they came at different times"


def halfway(running: Running) -> bool:
    """Whether an event is on its way: some have it, and some are due."""
    crowds = (seats.crowd for seats in seats_of(running).values() if seats.sending is not None)
    return any(0 < crowd._sent < crowd._due for crowd in crowds)  # noqa: SLF001


@pytest.mark.parametrize("is_killed", [True, False])
async def test_an_audience_that_ends_halfway_leaves_the_rest_to_the_next(
    running: Running, connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    async with watching(connect, game, *(f"fan-{number}" for number in range(30))) as fans:
        (audience,) = audiences(running)
        at_a_piece = asyncio.sleep
        is_over = asyncio.Event()

        async def end_halfway(delay: float) -> None:
            if delay == 0 and halfway(running) and not is_over.is_set():
                is_over.set()
                audience.kill() if is_killed else audience.exit(RuntimeError("injected"))
            await at_a_piece(delay)

        monkeypatch.setattr("stages.stage4.time_slices.asyncio.sleep", end_halfway)
        await game.foul("halfway")
        await is_over.wait()
        monkeypatch.undo()
        await eventually(lambda: not audience.alive, "it has ended")
        await game.foul("after")
        await game.stop()
        for fan in fans:
            await fan.read_to_end()
            assert fan.told() == ["halfway", "after"]
