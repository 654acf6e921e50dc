"""Fans who say their line and close their side of the connection, as `nc -N` does: they still listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from common.wire.frames import WELCOME
from tests.stages.every_stage import turning_points
from tests.stages.fan import Fan
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.http.client import ReporterClient
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.serving import ServerProcess

pytestmark = pytest.mark.parametrize("stage", turning_points(), indirect=True, scope="module")


@pytest.mark.parametrize("end", ["\n", "\r", ""])
async def test_who_closes_with_the_greeting_gets_the_match(connect: Connect, game: Game, end: str) -> None:
    async with connect() as fan:
        await fan.greet("netcat", game.id, end)
        fan.say_no_more()
        await fan.read_until(lambda: fan.kinds == ["status"])
        for number in range(3):
            await game.foul(f"{number}")
            await fan.read_events(number + 1)
        await game.stop()
        await fan.read_to_end()
    assert fan.told() == ["0", "1", "2"]
    assert fan.kinds[-1] == "stop"


async def test_who_closes_later_gets_the_rest_of_the_match(connect: Connect, game: Game) -> None:
    async with connect() as fan:
        await fan.watch("netcat", game.id)
        await game.foul("before")
        await fan.read_events(1)
        fan.say_no_more()
        await game.foul("after")
        await fan.read_events(2)
        await game.stop()
        await fan.read_to_end()
    assert fan.told() == ["before", "after"]


@pytest.mark.parametrize("said", [b"", b"\r\n", b"hello", b"\xff\xfb\x1f"])
async def test_who_closes_without_a_greeting_is_told_what_was_expected(connect: Connect, said: bytes) -> None:
    async with connect() as fan:
        await fan.send(said)
        fan.say_no_more()
        await fan.read_to_end()
    (error,) = fan.errors
    assert "V:2:<user>" in error
    assert fan.raw == WELCOME + f"ERROR: {error}\r\n".encode()


async def test_who_closes_and_asks_for_no_match_is_told_so(server: ServerProcess, api: ReporterClient) -> None:
    async with Fan(first_address(server)) as fan:
        await fan.greet("netcat", "no-such-2011-09-10")
        fan.say_no_more()
        await fan.read_to_end()
    assert len(fan.errors) == 1
    await eventually(lambda: nobody_is_connected(api), "its connection is gone")


async def test_who_goes_altogether_is_found_out_by_the_events(
    server: ServerProcess, api: ReporterClient, game: Game
) -> None:
    before = (await api.statistics()).drops
    async with Fan(first_address(server)) as fan:
        await fan.watch("gone", game.id)

    async def is_found_out() -> bool:
        await game.foul("to nobody")
        return await nobody_is_connected(api)

    await eventually(is_found_out, "its connection is gone")
    assert (await api.statistics()).drops == before


def first_address(server: ServerProcess) -> tuple[str, int]:
    """Return an address of the node that the API is asked of."""
    return next(server.fan_addresses())


async def nobody_is_connected(api: ReporterClient) -> bool:
    return (await api.statistics()).connections == 0
