from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from common.domain.match import Player, Team
from common.domain.script import Script
from common.http.client import ApiError, ApiUnreachableError, ReporterClient
from common.http.server import ApiServer
from tests.common.http.conftest import MATCH_ID
from tests.common.http.memory_backend import MemoryBackend
from tests.common.http.samples import statistics


async def test_a_reporter_can_do_all_there_is(client: ReporterClient, backend: MemoryBackend, script: Script) -> None:
    elp, tig = script.teams
    assert [await client.put_team(elp), await client.put_team(tig), await client.put_team(tig)] == [True, True, False]
    match = await client.create_match(script.match)
    assert await client.matches() == (match,)
    events = [await client.post_event(MATCH_ID, script.steps[0].post)]
    events.append(await client.post_event(MATCH_ID, {"kind": "goal", "team": "tig", "player": 7}))
    assert tuple(events) == await client.history(MATCH_ID)
    assert (await client.match(MATCH_ID)).visit_score == 1
    assert await client.checkin() == 9103
    assert await client.statistics() == statistics()
    await client.cancel_match(MATCH_ID)
    assert backend.stored == {}


async def test_a_refusal_keeps_its_status_field_and_words(client: ReporterClient, announced: MemoryBackend) -> None:
    with pytest.raises(ApiError) as caught:
        await client.post_event(MATCH_ID, {"kind": "goal", "team": "tig"})
    assert (caught.value.status, caught.value.field) == (422, "player")
    assert str(caught.value) == f"{caught.value.message} (HTTP 422)"
    assert announced.stored[MATCH_ID][1] == []


async def test_ids_go_into_the_path_as_they_are(client: ReporterClient) -> None:
    with pytest.raises(ApiError, match=r"no match has the id a/b\?c#d%2F é") as caught:
        await client.match("a/b?c#d%2F é")
    assert caught.value.status == 404
    with pytest.raises(ApiError) as caught:
        await client.put_team(Team("No/Team", "x", (Player(1, "y"),)))
    assert (caught.value.status, caught.value.field) == (422, "id")


async def test_without_a_token_it_can_read_only(url: str, script: Script) -> None:
    async with ReporterClient(f"{url}/") as client:
        assert await client.matches() == ()
        with pytest.raises(ApiError, match="a token is needed"):
            await client.create_match(script.match)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "127.0.0.1:8888", "ftp://127.0.0.1", "", "http://[", "http://a:b"]
)
async def test_nobody_there_is_told_in_one_line(address: str) -> None:
    async with ReporterClient(address) as client:
        with pytest.raises(ApiUnreachableError, match=r"^no answer from [^\n]+$"):
            await client.checkin()


@pytest.fixture
async def stranger() -> AsyncIterator[str]:
    """Serve something that is not this API."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>It\nworks!</h1>")

    async def gate(_request: web.Request) -> web.Response:
        return web.Response(status=502, body=b"\xff bad\r\ngateway " + b"x" * 1000)

    async def silence(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    app = web.Application()
    app.router.add_get("/1/checkin", page)
    app.router.add_get("/1/matches", gate)
    app.router.add_get("/1/statistics", silence)
    server = ApiServer("127.0.0.1", [0])
    port = await server.bind()
    await server.start(app)
    yield f"http://127.0.0.1:{port}"
    await server.stop()


async def test_another_server_is_told_from_this_api(stranger: str) -> None:
    async with ReporterClient(stranger) as client:
        with pytest.raises(ApiError, match=r"is not a Match Stream API [^\n]+check the address \(HTTP 200\)$"):
            await client.checkin()
        with pytest.raises(ApiError, match=r"bad gateway x+ \(HTTP 502\)$") as caught:
            await client.matches()
        assert len(caught.value.message) <= 200
        with pytest.raises(ApiUnreachableError, match="Server disconnected"):
            await client.statistics()


async def test_a_server_that_never_answers_is_given_up(backend: MemoryBackend) -> None:
    server = ApiServer("127.0.0.1", [0])
    port = await server.bind()  # connected by the kernel, served by nobody
    async with ReporterClient(f"http://127.0.0.1:{port}", timeout=0.05) as client:
        with pytest.raises(ApiUnreachableError, match="TimeoutError"):
            await client.checkin()
    await server.stop()


async def test_it_is_used_within_async_with_only() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await ReporterClient("http://127.0.0.1:1").checkin()
