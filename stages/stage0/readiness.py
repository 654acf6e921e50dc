"""Whether a node serves: its listeners accept fans, and Redis answers. For `/readyz`, and before a fan is sent here.

What it must guarantee: however many ask and however often, Redis is asked one thing at a time and once in AGE_S at
most, and a Redis that hangs holds an asker up for TIMEOUT_S and no longer. A question that was not answered in time is
not given up, since its successor would wait behind it: it stays the only one until it is answered, or fails.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from common.http.roles import NotReadyError
from common.store.errors import StoreUnavailableError
from stages.stage0.listener import Listener, listener_name
from stages.stage0.operations import Ping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.otp import Node
    from stages.stage0.parts import Parts

_log = logging.getLogger(__name__)

AGE_S: Final = 1.0
"""How long an answer of Redis counts; a fan who is sent here later than that may find it gone all the same."""
TIMEOUT_S: Final = 1.0
"""How long Redis may take: it answers in less than a millisecond, and those who ask give up soon themselves."""


class Readiness:
    """Knows whether a node with these ports for fans serves."""

    def __init__(self, parts: Parts, node: Node, fan_ports: Sequence[int]) -> None:
        self._parts = parts
        self._node = node
        self._fan_ports = fan_ports
        self._ping: asyncio.Task[bool] | None = None
        self._begun_s = 0.0
        self._was_there = True

    async def check(self) -> None:
        """Return if fans and reporters are served now. Raise NotReadyError."""
        for port in self._fan_ports:
            self._check_listener(port)
        if not await self._redis_answers():
            raise NotReadyError("Redis does not answer; the log of this server says more")

    def stop(self) -> None:
        """Stop asking."""
        if self._ping is not None:
            self._ping.cancel()

    async def _redis_answers(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if self._ping is None or (self._ping.done() and now_s >= self._begun_s + AGE_S):
            self._ping = asyncio.create_task(self._ask_redis(), name="ready-ping")
            self._begun_s = now_s
        if not self._ping.done():
            await asyncio.wait((self._ping,), timeout=max(0.0, self._begun_s + TIMEOUT_S - now_s))
        return self._ping.done() and self._ping.result()

    async def _ask_redis(self) -> bool:
        try:
            await self._parts.db.query(self._node, Ping())
        except StoreUnavailableError as error:
            if self._was_there:
                _log.warning("not ready: %s", error)
            self._was_there = False
        else:
            if not self._was_there:
                _log.warning("Redis answers again")
            self._was_there = True
        return self._was_there

    # Hooks: what later lessons do otherwise (the table in `stages.stage0` has them all).

    def _check_listener(self, port: int) -> None:
        """Return if fans are accepted on a port. Raise NotReadyError."""
        process = self._node.whereis(listener_name(port))
        if process is None or not isinstance(process.server, Listener):
            raise NotReadyError(f"no fans are accepted on port {port}: its listener is being restarted, or has ended")
        if not process.server.has_file():
            raise NotReadyError(f"no fans are accepted on port {port}: all open files are in use")
