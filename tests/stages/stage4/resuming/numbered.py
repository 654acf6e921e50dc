"""Fans who ask for numbers, and a server for them in this process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.http.client import ReporterClient
from common.wire.frames import epoch_of
from common.wire.reader import ResumedLine
from stages.options import Options
from tests.stages.fan import Fan
from tests.stages.serving import TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Self

    import pytest

    from common.domain.events import Event
    from common.otp import Node
    from common.wire.reader import Frame
    from stages.stage0.parts import Stage
    from tests.stages.game import Game


class Numbered(Fan):
    """A fan who asks for numbers, and knows its place."""

    @property
    def resumed(self) -> list[str]:
        """What the lines said that announce what was missed."""
        return [element.message for element in self.heard if isinstance(element, ResumedLine)]

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands."""
        place = self.frames[-1].place
        assert place is not None
        return place

    async def begin(self, match_id: str) -> Self:
        """Ask for numbers, and hear the status."""
        await self.send(f"V:3:me:{match_id}\n".encode())
        await self.read_until(lambda: bool(self.frames))
        return self

    async def resume(self, match_id: str, place: tuple[int, int]) -> Self:
        """Say what was heard last, and hear the first word of the answer."""
        await self.send("V:3:me:{}:{}:{}\n".format(match_id, *place).encode())
        await self.read_until(lambda: bool(self.resumed or self.frames or self.errors))
        return self


@dataclass
class Served:
    """A server in this process."""

    node: Node
    port: int
    api: ReporterClient
    browser_port: int = 0

    def fan(self) -> Numbered:
        """Return a fan who will connect to it."""
        return Numbered(("127.0.0.1", self.port))

    def kill(self, kind: type[object]) -> None:
        """Kill all processes of a kind."""
        for server in list(self.node.servers(kind)):  # type: ignore[type-var]
            server.process.kill()


@asynccontextmanager
async def serving(stage: Stage, redis_url: str, **choices: Any) -> AsyncIterator[Served]:
    """Serve, from one event to another of a test; `choices` are more of the Options."""
    options = Options(host="127.0.0.1", port=0, http_port=0, redis_url=redis_url, **choices)
    server = stage.parts.server(stage.parts, options)
    addresses = await server.start()
    try:
        async with ReporterClient(f"http://127.0.0.1:{addresses.http[0]}", TOKEN) as api:
            yield Served(server.node, addresses.fans[0], api, addresses.browsers[0] if addresses.browsers else 0)
    finally:
        await server.stop()


async def post(game: Game, *comments: str) -> None:
    for comment in comments:
        await game.foul(comment)


def small_windows(monkeypatch: pytest.MonkeyPatch, events: int) -> None:
    for module in ("window", "resume"):
        monkeypatch.setattr(f"stages.stage4.{module}.MOST", events)


def check(frames: Sequence[Frame], history: Sequence[Event]) -> None:
    """Check that these frames are those events, numbered."""
    assert [frame.place for frame in frames] == [(event.seq, epoch_of(event.at)) for event in history]
    assert [frame.kind for frame in frames] == [event.kind for event in history]
    assert [frame.details for frame in frames] == [event.details for event in history]
