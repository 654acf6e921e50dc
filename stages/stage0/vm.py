"""What runs the server: the event loop, and how CPython collects garbage. The baseline takes both as they come."""

from __future__ import annotations

import asyncio


class Vm:
    """asyncio's own event loop, and the garbage collector's defaults (the talk's "Erlang VM configuration")."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop that the server is to run in."""
        return asyncio.new_event_loop()

    def started(self) -> None:
        """Take note that everything that lives as long as the server is there now."""
