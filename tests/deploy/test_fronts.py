"""A real server behind the real nginx and the real HAProxy, with the files of `deploy/`, by TLS."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import aiohttp
import pytest
from aiohttp import web

from common.http.client import ApiError, ReporterClient
from tests.deploy.certificates import Certificate, needs_openssl
from tests.deploy.fronts import Behind, behind_haproxy, behind_nginx, needs_haproxy
from tests.deploy.shipped import DEPLOY, environment_file
from tests.stages.behind_nginx import needs_nginx
from tests.stages.fan import Fan
from tests.stages.front import HOST, api_that, free_ports
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.deploy.fronts import TlsFront

STAGE: Final = environment_file((DEPLOY / "matchstream.env").read_text())["MATCHSTREAM_STAGE"]
BEYOND: Final = pytest.param("4", marks=pytest.mark.slow)
PROXIES: Final = {"nginx": behind_nginx, "haproxy": behind_haproxy}

pytestmark = needs_openssl


@pytest.fixture(scope="module", params=[STAGE, BEYOND])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(request.param, tmp_path_factory.mktemp("server"), "--nodes", "1") as server:
        yield server


def places(server: ServerProcess) -> Behind:
    """Return where a server of one node is, by its `ready` line."""
    apis = [f"{HOST}:{port}" for port in server.http_ports]
    return Behind([(f"{HOST}:{port}", apis[0]) for port in server.fan_ports], apis)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    (tmp_path / "tls").mkdir()
    return Certificate(tmp_path / "tls")


@pytest.fixture(params=[pytest.param("nginx", marks=needs_nginx), pytest.param("haproxy", marks=needs_haproxy)])
def proxy(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def front(proxy: str, server: ServerProcess, certificate: Certificate, tmp_path: Path) -> AsyncIterator[TlsFront]:
    async with PROXIES[proxy](tmp_path, certificate, places(server)) as front:
        yield front


@pytest.fixture
async def game(server: ServerProcess) -> AsyncIterator[Game]:
    """Return a match that has started, with a reporter who goes straight to the server."""
    async with ReporterClient(server.url, TOKEN) as api:
        game = await Game.announced(api, "d")
        await game.start()
        yield game
        await api.cancel_match(game.id)


@asynccontextmanager
async def https(url: str, trust: ssl.SSLContext) -> AsyncIterator[aiohttp.ClientSession]:
    """Open connections to an API; with a certificate that is not trusted they fail."""
    session = aiohttp.ClientSession(
        url, connector=aiohttp.TCPConnector(ssl=trust), timeout=aiohttp.ClientTimeout(DEADLINE_S)
    )
    async with session:
        yield session


async def test_a_fan_sees_a_match_by_tls_and_without(front: TlsFront, certificate: Certificate, game: Game) -> None:
    async with Fan(front.fans, certificate.trust) as by_tls, Fan(front.plain_fans) as plain:
        for fan in (by_tls, plain):
            await fan.welcome()
            await fan.watch("fan", game.id)
        comments = [f"foul {number}" for number in range(20)]
        for comment in comments:
            await game.foul(comment)
        await game.stop()
        for fan in (by_tls, plain):
            await fan.read_to_end()
            assert fan.kinds == ["status", *["foul"] * 20, "stop"]
            assert fan.told() == comments


async def test_who_speaks_no_tls_gets_nothing_where_tls_is_spoken(front: TlsFront) -> None:
    reader, writer = await asyncio.open_connection(*front.fans)
    writer.write(b"V:2:fan\n")
    async with asyncio.timeout(DEADLINE_S):
        with suppress(ConnectionResetError):
            assert b"Welcome" not in await reader.read()
    writer.close()


async def test_a_match_is_reported_by_tls(front: TlsFront, certificate: Certificate, game: Game) -> None:
    body = {"kind": "foul", "team": game.new.home, "player": 7}
    async with https(front.url, certificate.trust) as http:
        for token, status in ((TOKEN, 201), ("wrong", 401)):
            headers = {"Authorization": f"Bearer {token}"}
            async with http.post(f"/1/match/{game.id}/events", json=body, headers=headers) as answer:
                assert answer.status == status
                assert answer.headers.getall("Access-Control-Allow-Origin") == ["*"]


async def test_who_comes_by_tls_is_handed_out_the_port_that_speaks_it(
    front: TlsFront, certificate: Certificate
) -> None:
    async with https(front.url, certificate.trust) as http, http.get("/1/checkin") as answer:
        assert (await answer.json())["port"] == front.fans[1]
        assert answer.headers.getall("Access-Control-Allow-Origin") == ["*"]
    async with ReporterClient(front.plain_url) as api:
        assert await api.checkin() == front.plain_fans[1]


@pytest.mark.parametrize("path", ["/metrics", "/1/statistics", "/lab"])
async def test_a_nodes_figures_are_not_for_everybody(front: TlsFront, certificate: Certificate, path: str) -> None:
    async with https(front.url, certificate.trust) as http, http.get(path) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("path", ["/report", "/report/elp-tig-2011-09-10", "/site/report.js"])
async def test_pages_of_the_api_are_for_everybody(front: TlsFront, server: ServerProcess, path: str) -> None:
    """What the API itself says of them is said: they are there, or they are not."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{server.url}{path}") as itself,
        http.get(f"{front.plain_url}{path}") as through,
    ):
        assert (through.status, await through.read()) == (itself.status, await itself.read())


async def test_a_renewed_certificate_is_shown_and_nobody_is_cut_off(
    front: TlsFront, certificate: Certificate, game: Game
) -> None:
    async def is_shown() -> bool:
        try:
            async with Fan(front.fans, certificate.trust) as fan:
                return fan.certificate == certificate.shown
        except ConnectionError:  # just when one worker takes over from another
            return False

    async with Fan(front.fans, certificate.trust) as before:
        await before.watch("before", game.id)
        assert before.certificate == certificate.shown
        certificate.renew()
        assert before.certificate != certificate.shown
        await front.reload()
        await eventually(is_shown, "the new certificate is shown")
        async with Fan(front.fans, certificate.trust) as after:
            await after.watch("after", game.id)
            await game.foul("for both")
            for fan in (before, after):
                await fan.read_events(1)
                assert fan.told() == ["for both"]


@needs_haproxy
async def test_haproxy_hears_a_fan_out_who_says_no_more(
    server: ServerProcess, certificate: Certificate, game: Game, tmp_path: Path
) -> None:
    async with behind_haproxy(tmp_path, certificate, places(server)) as front, Fan(front.plain_fans) as fan:
        await fan.watch("fan", game.id)
        fan.say_no_more()
        await game.foul("heard")
        await fan.read_events(1)


@needs_haproxy
async def test_haproxy_passes_the_ports_of_a_dead_node_over(
    server: ServerProcess, certificate: Certificate, game: Game, tmp_path: Path
) -> None:
    """They have the fewest fans, so everybody is sent to them, before a check can have found that they are dead."""
    alive = places(server)
    with free_ports(4) as dead:
        gone = [f"{HOST}:{port}" for port in dead]
        both = Behind([*((at, gone[0]) for at in gone), *alive.fans], [*gone, *alive.http])
        async with behind_haproxy(tmp_path, certificate, both) as front, ReporterClient(front.plain_url) as api:
            for _ in range(12):
                async with Fan(front.fans, certificate.trust) as fan:
                    await fan.watch("fan", game.id)
                await api.match(game.id)


@needs_haproxy
async def test_nobody_is_behind_haproxy(certificate: Certificate, tmp_path: Path) -> None:
    with free_ports(1) as (dead,):
        at = f"{HOST}:{dead}"
        async with (
            behind_haproxy(tmp_path, certificate, Behind([(at, at)], [at])) as front,
            ReporterClient(front.plain_url) as api,
        ):
            with pytest.raises(ApiError, match="no server answers behind HAProxy") as away:
                await api.matches()
            assert away.value.status == 503
            with pytest.raises(ConnectionError):  # without a handshake
                async with Fan(front.fans, certificate.trust) as fan:
                    await fan.welcome()


@needs_haproxy
async def test_haproxy_posts_nothing_twice(certificate: Certificate, tmp_path: Path) -> None:
    posts = 0

    async def vanish(request: web.Request) -> web.Response:
        nonlocal posts
        if request.method == "POST":
            posts += 1
            assert request.transport is not None
            request.transport.abort()
        return web.Response()

    async with api_that(vanish) as apis:
        nobody = Behind([(apis[0], apis[0])], apis)
        async with behind_haproxy(tmp_path, certificate, nobody) as front, ReporterClient(front.plain_url) as api:
            with pytest.raises(ApiError, match="read the match") as lost:
                await api.post_event("m", {"kind": "stop"})
            assert lost.value.may_pass
    assert posts == 1
