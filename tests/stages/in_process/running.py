"""A server in this process, and the fans who watch what befalls it."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from common.otp.node import Node
    from stages.stage0.server import Addresses
    from tests.stages.fan import Connect, Fan
    from tests.stages.game import Game


@dataclass(frozen=True, slots=True)
class Running:
    """A server in this process."""

    node: Node
    addresses: Addresses
    redis_url: str


@asynccontextmanager
async def watching(connect: Connect, game: Game, *users: str) -> AsyncIterator[list[Fan]]:
    """Have fans who watch, one for each of `users`."""
    async with AsyncExitStack() as stack:
        fans = [await stack.enter_async_context(connect()) for _ in users]
        for fan, user in zip(fans, users, strict=True):
            await fan.watch(user, game.id)
        yield fans


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
