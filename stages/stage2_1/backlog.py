"""Lesson `backlog`: an accept queue that takes a whole wave, and a listener that takes what is waiting in one go.

With a queue of 5 there was never more than a handful to accept at a time. Now there are thousands, and the listener
takes some before it lets the loop go on. asyncio's own servers take as many as the backlog is long before they greet
anyone, so here it is few: with bursts of 128 fans are greeted soon and served late (`reports/design-notes.md`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from stages.stage0.listener import Listener

if TYPE_CHECKING:
    import socket

BACKLOG: Final = 128_000
"""The talk's; the kernel cuts it to net.core.somaxconn (listen(2))."""
BURST: Final = 32
"""Connections that are accepted in one go."""


class BurstListener(Listener):
    """Accepts up to BURST connections at a time, and hands them over side by side."""

    async def _accept(self) -> None:
        waiting: list[socket.socket] = [self._accept_one()]
        with suppress(OSError):  # that were all; or no file is left, as the next time will show
            while len(waiting) < BURST:
                waiting.append(self._accept_one())
        await asyncio.gather(*map(self._hand_over, waiting))
