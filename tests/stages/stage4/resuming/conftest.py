"""A server of stage 4, whole and with lessons left out, and a match that has started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from common.store.embedded import EmbeddedRedis
from stages.catalogue import find_stage
from tests.stages.game import Game
from tests.stages.serving import TOKEN
from tests.stages.stage4.resuming.numbered import Served, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stages.stage0.parts import Stage

LEFT_OUT = (
    (),
    pytest.param(("encode-once",), marks=pytest.mark.slow),
    pytest.param(("time-slices",), marks=pytest.mark.slow),
    ("encode-once", "write-behind", "time-slices"),
)


@pytest.fixture(params=LEFT_OUT, ids=lambda names: "without " + (", ".join(names) or "nothing"))
def stage(request: pytest.FixtureRequest) -> Stage:
    return find_stage("4", left_out=request.param)


@pytest.fixture
async def redis_url(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setenv("MATCHSTREAM_TOKEN", TOKEN)
    async with EmbeddedRedis() as redis:
        yield redis.url


@pytest.fixture
async def served(stage: Stage, redis_url: str) -> AsyncIterator[Served]:
    async with serving(stage, redis_url) as served:
        yield served


@pytest.fixture
async def game(served: Served) -> Game:
    """Return a match that has started."""
    game = await Game.announced(served.api, "m")
    await game.start()
    return game
