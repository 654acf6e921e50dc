"""The last word of a server that is told to stop, to all its fans."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from common.wire.frames import GOODBYE

if TYPE_CHECKING:
    from asyncio import Transport

_LOOK_S: Final = 0.01


class Farewells:
    """Says goodbye to fans, and knows who has not taken it yet: a process that ends takes what is unsent along."""

    def __init__(self) -> None:
        self.said = 0
        """How many fans were told."""
        self._closing: list[Transport] = []

    def say(self, transport: Transport) -> None:
        """Tell one fan, and close when that is sent."""
        if not transport.is_closing():
            transport.write(GOODBYE)
            transport.close()
            self.said += 1
            self._closing.append(transport)

    async def sent(self, within_s: float) -> int:
        """Return when all is handed to the kernel; after `within_s` cut off who does not read, and return how many."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + within_s
        while unsent := [transport for transport in self._closing if transport.get_write_buffer_size()]:
            if loop.time() >= until_s:
                break
            self._closing = unsent
            await asyncio.sleep(_LOOK_S)
        for transport in unsent:
            transport.abort()
        return len(unsent)
