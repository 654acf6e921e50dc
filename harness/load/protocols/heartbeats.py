"""Heartbeats in a text without frames: who hears the ping says the pong, however the text is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.load.protocols.reader import Say
    from harness.load.workload import Heartbeat


class Heartbeats:
    """Answers each ping; `forget` a fan that hears no more."""

    __slots__ = ("_cut", "_last", "_last_cut", "_pings", "_pong", "_say", "ping")

    def __init__(self, heartbeat: Heartbeat, say: Say) -> None:
        self.ping = heartbeat.ping
        self._pong = heartbeat.pong
        self._say = say
        self._cut: dict[int, bytes] = {}
        self._last = self._last_cut = b""
        self._pings = 0

    def hear(self, fan: int, data: bytes) -> None:
        """Have the fan answer the pings that are complete with `data`; the last data is remembered."""
        if self._cut:
            data = self._cut.pop(fan, b"") + data
        if data != self._last:
            *_, rest = data.split(self.ping)
            self._last, self._pings, self._last_cut = data, data.count(self.ping), self._beginning_at_the_end(rest)
        if self._last_cut:
            self._cut[fan] = self._last_cut
        if self._pings:
            self._say(fan, self._pong * self._pings)

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan."""
        self._cut.pop(fan, None)

    @property
    def kept(self) -> int:
        """How many bytes are kept of all fans together."""
        return sum(map(len, self._cut.values()))

    def _beginning_at_the_end(self, text: bytes) -> bytes:
        """Return the longest beginning of a ping with which a text ends."""
        lengths = range(min(len(self.ping) - 1, len(text)), 0, -1)
        return next((self.ping[:length] for length in lengths if text.endswith(self.ping[:length])), b"")
