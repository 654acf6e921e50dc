"""The event loop and the garbage collector."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import uvloop

from stages.catalogue import STAGES
from stages.stage1.vm import THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stages.in_process.running import Running


def loop_of(new_event_loop: Callable[[], asyncio.AbstractEventLoop]) -> type[asyncio.AbstractEventLoop]:
    """Return the kind of loop that a server would run in."""

    async def main() -> type[asyncio.AbstractEventLoop]:
        return type(asyncio.get_running_loop())

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main())


def test_the_loop_is_uvloops() -> None:
    assert issubclass(loop_of(STAGES["1"].parts.vm.new_event_loop), uvloop.Loop)
    assert not issubclass(loop_of(STAGES["0"].parts.vm.new_event_loop), uvloop.Loop)


async def test_the_collector_is_patient_and_leaves_what_is_there(same_process: None) -> None:
    vm = STAGES["1"].parts.vm
    gc.unfreeze()
    vm.started()
    assert gc.get_threshold() == THRESHOLDS
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()


async def test_a_server_that_is_ready_has_told_the_collector(running: Running) -> None:
    assert running.stage.has("vm")
    assert gc.get_threshold() == THRESHOLDS
