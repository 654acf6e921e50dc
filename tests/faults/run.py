"""One run: a world, reporters and fans in it, faults; and afterwards what is stored, for the checker."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp

from common.domain.posts import Start, Stop
from common.http.client import ReporterClient
from tests.faults.checking import Violation, check
from tests.faults.fan import Fan
from tests.faults.faults import draw
from tests.faults.history import Archive, stored
from tests.faults.records import Records, Timeline
from tests.faults.reporter import Reporter
from tests.faults.world import World
from tests.stages.game import Game
from tests.stages.serving import TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.faults.faults import Fault, Kind

_REPORTERS: Final = {"a": 2, "b": 1}
"""How many reporters each of the matches has; the names are those of this module."""
_FANS: Final = 15
"""How many fans each of them has."""
_CALM_S: Final = 1.0
"""How long reporters go on when all faults are over: only what follows shows that nobody was left behind."""
_PATIENCE_S: Final = 60.0
"""How long the end of a match may take when all faults are over: to be answered, and then to reach every fan."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of: `faults` of these kinds begin within `seconds`, as the seed has it."""

    seed: int
    stage: str
    kinds: tuple[Kind, ...]
    seconds: float

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What strikes, in the order of time."""
        return draw(self.seed, self.stage, self.kinds, self.seconds)

    def rng(self, who: str) -> random.Random:
        """Return the chance by which one of the clients acts."""
        return random.Random(f"{self.seed} {self.stage} {who}")  # noqa: S311  # nothing secret about it


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that is over: what was recorded, and what is wrong with it."""

    plan: Plan
    records: Records
    violations: tuple[Violation, ...]


async def run(plan: Plan, directory: Path) -> Outcome:
    """Do one run, with the programs' logs in `directory`. Raise ServerError if a server does not serve or end."""
    async with World(plan.stage, directory) as world, aiohttp.ClientSession() as session:
        games = await _announced(world.urls[0])
        crews = [
            [
                Reporter(who := f"{name}-{number}", game.new, world.urls, session, plan.rng(who))
                for number in range(_REPORTERS[name])
            ]
            for name, game in games.items()
        ]
        for crew in crews:
            await crew[0].post(Start(home_players=(1, 7), visit_players=(10, 12), comment="start"), _PATIENCE_S)
        fans = [
            Fan(who := f"fan-{name}-{number}", game.id, world.fans, plan.rng(who))
            for name, game in games.items()
            for number in range(_FANS)
        ]
        async with _watching(fans):
            await _under_faults(world, plan.faults, [reporter for crew in crews for reporter in crew])
            for crew in crews:
                await crew[0].post(Stop(comment="stop"), _PATIENCE_S)
        archive = Archive(session, world.urls)
        ids = [game.id for game in games.values()]
        records = Records(
            posted=tuple(event for crew in crews for reporter in crew for event in reporter.posted),
            streams=tuple(fan.stream for fan in fans),
            timelines=(
                *await _lost(world, ids),
                *[Timeline(match_id, await archive.history(match_id)) for match_id in ids],
            ),
            final_scores=tuple([await archive.final_score(match_id) for match_id in ids]),
            tracebacks=tuple(world.tracebacks()),
        )
    return Outcome(plan, records, tuple(check(records)))


async def _announced(url: str) -> dict[str, Game]:
    async with ReporterClient(url, TOKEN) as api:
        return {name: await Game.announced(api, name) for name in _REPORTERS}


@asynccontextmanager
async def _watching(fans: Sequence[Fan]) -> AsyncIterator[None]:
    """Have the fans watch while the block runs, and until they have heard the end, if they do within reason."""
    watching = [asyncio.create_task(fan.watch(), name=fan.stream.fan) for fan in fans]
    try:
        yield
        await asyncio.wait(watching, timeout=_PATIENCE_S)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)
    for task in watching:
        if not task.cancelled():
            task.result()


async def _under_faults(world: World, faults: Sequence[Fault], reporters: Sequence[Reporter]) -> None:
    """Have the reporters post while all faults fall, one or several at once, and for a while after the last one."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number, reporter in enumerate(reporters):
            group.create_task(reporter.report(over), name=f"reporter-{number}")
        async with asyncio.TaskGroup() as blows:
            for fault in faults:
                blows.create_task(_strike(world, fault), name=str(fault))
        await asyncio.sleep(_CALM_S)
        over.set()


async def _strike(world: World, fault: Fault) -> None:
    await asyncio.sleep(fault.at_s)
    await world.strike(fault)


async def _lost(world: World, match_ids: Sequence[str]) -> list[Timeline]:
    """Return what the matches were whenever Redis went back."""
    return [
        Timeline(match_id, stored(match_id, events), fork)
        for fork, save in world.forks
        for match_id, events in zip(match_ids, await save.histories(match_ids), strict=True)
    ]
