"""Every stage is served as a program, once a module; each test has matches, teams and users of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from common.http.client import ApiError, ReporterClient
from stages.catalogue import STAGES
from tests.stages.every_stage import every_stage, two_nodes
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect
    from tests.stages.game import Announce


@pytest.fixture(scope="module", params=every_stage())
def stage(request: pytest.FixtureRequest) -> Stage:
    name: str = request.param
    return STAGES[name]


@pytest.fixture(scope="module")
def server(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(stage.name, tmp_path_factory.mktemp("server"), *two_nodes(stage)) as server:
        yield server


@pytest.fixture
async def api(server: ServerProcess) -> AsyncIterator[ReporterClient]:
    async with ReporterClient(server.url, TOKEN) as client:
        yield client


@pytest.fixture
def connect(server: ServerProcess) -> Connect:
    """Return what makes a new fan, at the next of the server's ports."""
    addresses = server.fan_addresses()
    return lambda: Fan(next(addresses))


@pytest.fixture
async def announce(api: ReporterClient) -> AsyncIterator[Announce]:
    """Return what announces a new match; at the end all of them are cancelled, so the server is as it was before."""
    games: list[Game] = []

    async def announce(prefix: str) -> Game:
        games.append(await Game.announced(api, prefix))
        return games[-1]

    yield announce
    for game in games:
        try:
            await api.cancel_match(game.id)
        except ApiError as error:
            if error.status != 404:  # the test has cancelled it itself
                raise


@pytest.fixture
async def game(announce: Announce) -> Game:
    """Return a match that has started."""
    game = await announce("m")
    await game.start()
    return game
