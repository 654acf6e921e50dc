from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import aiohttp
import pytest

from common.domain.match import NewMatch, Player, Team
from common.domain.posts import Card, Goal, Start, Stop
from common.domain.script import Script, Step
from common.http.api import make_app
from common.http.client import ReporterClient
from common.http.roles import Backend
from common.http.server import ApiServer
from tests.common.http.memory_backend import MemoryBackend

TOKEN = "a-token-for-tests"  # noqa: S105  # opens nothing else
BEARER = {"Authorization": f"Bearer {TOKEN}"}
MATCH_ID = "elp-tig-2011-09-10"


@asynccontextmanager
async def serving(backend: Backend) -> AsyncIterator[str]:
    """Serve the API on a free port of loopback; the value is its URL."""
    server = ApiServer("127.0.0.1", [0])
    port = await server.bind()
    await server.start(make_app(backend, TOKEN))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop()


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


@pytest.fixture
async def url(backend: MemoryBackend) -> AsyncIterator[str]:
    async with serving(backend) as served:
        yield served


@pytest.fixture
async def reader(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(url) as session:
        yield session


@pytest.fixture
async def reporter(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(url, headers=BEARER) as session:
        yield session


@pytest.fixture
async def client(url: str) -> AsyncIterator[ReporterClient]:
    async with ReporterClient(url, TOKEN) as opened:
        yield opened


@pytest.fixture
def script() -> Script:
    elp = Team("elp", "Estudiantes", (Player(25, "Albil"), Player(11, "Verón")))
    tig = Team("tig", "Tigre", (Player(7, "Luna"), Player(12, "Garcia")))
    return Script(
        (elp, tig),
        NewMatch("elp", "tig", date(2011, 9, 10)),
        (
            Step(0, Start(home_players=(25, 11), visit_players=(7, 12))),
            Step(5, Goal(team="tig", player=7, comment="1")),
            Step(18.5, Card(team="elp", player=25, card="red")),
            Step(110, Stop()),
        ),
    )


@pytest.fixture
async def announced(backend: MemoryBackend, script: Script) -> MemoryBackend:
    """Return the backend with both teams and their match, not started."""
    for team in script.teams:
        await backend.put_team(team)
    await backend.create_match(script.match)
    return backend
