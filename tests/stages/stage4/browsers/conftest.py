"""A server in this process that serves browsers, whole and with lessons left out, and a match that has started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.catalogue import find_stage
from tests.stages.stage4.resuming.conftest import game, redis_url
from tests.stages.stage4.resuming.numbered import Served, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stages.stage0.parts import Stage

__all__ = ["game", "redis_url"]

LEFT_OUT = ((), ("encode-once", "write-behind", "time-slices", "slow-fans", "admission", "drain"))


@pytest.fixture(params=LEFT_OUT, ids=("whole", "bare"))
def stage(request: pytest.FixtureRequest) -> Stage:
    return find_stage("4", left_out=request.param)


@pytest.fixture
async def served(stage: Stage, redis_url: str) -> AsyncIterator[Served]:
    async with serving(stage, redis_url, browser_port=0) as served:
        yield served
