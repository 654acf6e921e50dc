"""A stage with few open files: full is full for fans, who is in is served, and it goes on when files are free."""

from __future__ import annotations

import asyncio
import resource
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from common.http.client import ReporterClient
from common.tuning.open_files import kept_files
from stages.catalogue import STAGES
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stages.fan import Connect, Fan
    from tests.stages.game import Game
    from tests.stages.serving import ServerProcess

FEW = 2048
LIMITED = [name for name, stage in STAGES.items() if stage.parts.open_files <= FEW]

pytestmark = pytest.mark.parametrize("stage", LIMITED, indirect=True, scope="module")


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    """Let this process have more files than the server, for as long as the test takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= 2 * FEW, "the hard limit of open files is too low for this test"
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * FEW, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def complaints(server: ServerProcess) -> int:
    """Return how often the log says that files are used up."""
    return sum("cannot accept" in line for line in server.log().splitlines())


async def fill(server: ServerProcess, api: ReporterClient, connect: Connect, stack: AsyncExitStack) -> list[Fan]:
    """Connect fans one by one, until one is not welcomed: the last of those returned."""
    fans: list[Fan] = []
    while len(fans) < FEW:
        fan = await stack.enter_async_context(connect())
        fans.append(fan)
        welcome = asyncio.create_task(fan.welcome(), name="welcome")
        while not (await asyncio.wait([welcome], timeout=0.5))[0]:
            if complaints(server) and await is_left_outside(welcome, api):
                welcome.cancel()
                await asyncio.wait([welcome])
                return fans
        await welcome
    pytest.fail(f"{len(fans)} fans were welcomed")


async def is_left_outside(welcome: asyncio.Task[None], api: ReporterClient) -> bool:
    """Return whether a fan waits for its welcome because files are used up, and not because the server is slow."""
    for _ in range(2):  # whoever has just got the last file is welcomed before the server answers twice
        files = (await api.statistics()).open_files
        if files.open < files.limit - kept_files(files.limit):
            return False
    return not welcome.done()


async def ask_anew(server: ServerProcess) -> list[str]:
    """Return the ids of all matches, over a new connection."""
    async with ReporterClient(server.url, timeout=DEADLINE_S) as client:
        return [match.id for match in await client.matches()]


async def test_open_files_used_up(server: ServerProcess, connect: Connect, api: ReporterClient, game: Game) -> None:
    limit = (await api.statistics()).open_files.limit
    async with AsyncExitStack() as stack:
        fans = await fill(server, api, connect, stack)
        assert limit - kept_files(limit) - 40 < len(fans) <= limit - kept_files(limit)
        watching, waiting = fans[:3], fans[-1]
        for number, fan in enumerate(watching):
            await fan.watch(f"fan-{number}", game.id)
        await game.foul("to those who are in")
        for fan in watching:
            await fan.read_events(1)
        assert limit - kept_files(limit) <= (await api.statistics()).open_files.open < limit
        assert not waiting.heard
        assert game.id in await ask_anew(server)  # some are kept for who reads and reports

        for fan in fans[3:53]:
            fan.leave()
        await waiting.watch("late", game.id)  # it has waited in the accept queue
        again = await fill(server, api, connect, stack)
        assert 40 <= len(again) <= 52
        await game.foul("to all")
        await waiting.read_events(1)
        assert waiting.told() == ["to all"]
        assert complaints(server) == 1

    async def only_the_api_is_left() -> bool:
        return (await api.statistics()).open_files.open < 40

    await eventually(only_the_api_is_left, "all files are free again")
    async with connect() as fan:
        await fan.watch("next", game.id)
