"""Lesson `backlog`: an accept queue that takes a whole wave, and a listener that takes what is waiting in one go.

With a queue of 5 there was never more than a handful to accept at a time. Now there are thousands, and the listener
takes some before it lets the loop go on. asyncio's own servers take as many as the backlog is long before they greet
anyone, so here it is few. Stage 2.5, N 17,000, C 8,000: ART 1.10 to 1.18 s with bursts of 8, 16 and 32, and 1.11 to
1.14 s with 64 and 128; 1.24 to 1.33 s where each connection waited until the one before had its transport.
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
        waiting: list[socket.socket] = [self._listening.accept()[0]]
        with suppress(OSError):  # that were all; or no file is left, as the next time will show
            while len(waiting) < BURST:
                waiting.append(self._listening.accept()[0])
        await asyncio.gather(*map(self._hand_over, waiting))
