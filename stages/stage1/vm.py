"""Lesson `vm`: uvloop, and a garbage collector that is told how this server allocates.

The collector looks for cycles when 700 more objects were made than freed. A server that takes thousands of fans a
second makes objects that stay, so it looks all the time and finds nothing; and each full collection walks over every
fan that is connected. Here it begins at 50,000, and what is there when the server is ready (modules, the supervision
tree) is frozen: never walked over again (gc.freeze).

What it is worth is in the head of `stages.stage1`.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Final

import uvloop

from stages.stage0.vm import Vm

if TYPE_CHECKING:
    import asyncio

THRESHOLDS: Final = (50_000, 20, 100)
"""Objects until the youngest generation is looked through, and how many such looks until the next older one is."""


class TunedVm(Vm):
    """uvloop and a patient garbage collector."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a uvloop event loop."""
        return uvloop.new_event_loop()

    def started(self) -> None:
        """Collect once, then leave what is there in peace, and begin later from now on."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
