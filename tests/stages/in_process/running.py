"""A server in this process, and the fans who watch what befalls it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.stage0.dispatcher import Dispatcher
from stages.stage0.live_match import LiveMatch
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from common.otp import Node, Process
    from stages.stage import Stage
    from stages.stage0.server import Addresses
    from tests.stages.fan import Connect, Fan
    from tests.stages.game import Game


@dataclass(frozen=True, slots=True)
class Running:
    """A server in this process."""

    stage: Stage
    node: Node
    addresses: Addresses
    redis_url: str

    def match(self, game: Game) -> LiveMatch:
        """Return the match's server."""
        match = self.node[f"match-{game.id}"].server
        assert isinstance(match, LiveMatch)
        return match

    def dispatcher(self, game: Game) -> Process:
        """Return the match's own dispatcher, to which the match sends its events."""
        match = self.match(game).process
        (found,) = (server for server in self.node.servers(Dispatcher) if server.process.parent is match)
        return found.process

    def event_managers(self, game: Game) -> list[Dispatcher]:
        """Return those that the users of a match subscribe to: the dispatcher, or its repeaters."""
        servers = [process.server for process in self.match(game).event_managers()]
        return [server for server in servers if isinstance(server, Dispatcher)]

    async def replaced(self, name: str, ended: Process) -> None:
        """Return when another process has the name, and is ready."""

        def another() -> bool:
            process = self.node.whereis(name)
            return process is not None and process is not ended and process.initialised

        await eventually(another, f"{name} is started again")


@asynccontextmanager
async def watching(connect: Connect, game: Game, *users: str) -> AsyncIterator[list[Fan]]:
    """Have fans who watch, one for each of `users`."""
    async with AsyncExitStack() as stack:
        fans = [await stack.enter_async_context(connect()) for _ in users]
        for fan, user in zip(fans, users, strict=True):
            await fan.watch(user, game.id)
        yield fans


async def are_subscribed(game: Game, fans: list[Fan]) -> None:
    """Have an event posted and heard by all: a user may have answered its fan and not added the handler yet."""
    await game.foul("heard by who is subscribed")
    for fan in fans:
        await fan.read_events(1)


async def play_on(game: Game, fans: list[Fan], late: Sequence[Fan] = ()) -> None:
    """Post events until the end, whatever a restart refuses; check what the fans hear.

    Those who watched from kick-off hear the whole history, the `late` ones all but the first event after it.
    """
    for number in range(3):
        await game.insist(f"after-{number}")
    await game.stop()
    history = await game.api.history(game.id)
    for known, group in ((1, fans), (2, late)):
        for fan in group:
            await fan.read_to_end()
            assert fan.kinds == ["status", *(event.kind for event in history[known:])]
            assert fan.told() == [event.details["comment"] for event in history[known:-1]]
