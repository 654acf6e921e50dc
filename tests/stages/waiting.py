"""Waiting for a condition, with an end to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DEADLINE_S: Final = 120.0
"""How long anything may take that is expected to happen; generous, since only a failure ever waits for it."""

_PAUSE_S: Final = 0.02


async def eventually(condition: Callable[[], Awaitable[bool] | bool], what: str) -> None:
    """Return once `condition` holds; fail, saying `what` did not happen, when it does not within DEADLINE_S."""
    deadline_s = asyncio.get_running_loop().time() + DEADLINE_S
    while True:
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        if asyncio.get_running_loop().time() > deadline_s:
            raise AssertionError(f"not within {DEADLINE_S:.0f} s: {what}")
        await asyncio.sleep(_PAUSE_S)
