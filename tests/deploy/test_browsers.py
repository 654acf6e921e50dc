"""Browsers and the API under one address, which is a proxy's, with the files of `deploy/`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import pytest
from websockets.frames import CloseCode

from common.http.client import ReporterClient
from tests.deploy.certificates import Certificate, needs_openssl
from tests.deploy.fronts import Behind, behind_haproxy, behind_nginx, needs_haproxy
from tests.stages.behind_nginx import needs_nginx
from tests.stages.front import HOST, free_ports
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.stage4.browsers.browser import Browser, Stream
from tests.stages.stage4.browsers.socket_fan import SocketFan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.deploy.fronts import TlsFront

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    options = ("--nodes", "1", "--workers", "1", "--browser-port", "0")
    with ServerProcess("4", tmp_path_factory.mktemp("server"), *options) as server:
        yield server


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


def places(server: ServerProcess, browsers: str) -> Behind:
    apis = [f"{HOST}:{port}" for port in server.http_ports]
    return Behind([(f"{HOST}:{port}", apis[0]) for port in server.fan_ports], apis, [(browsers, apis[0])])


@pytest.mark.slow
@pytest.mark.parametrize(
    "proxy",
    [pytest.param(behind_haproxy, marks=needs_haproxy), pytest.param(behind_nginx, marks=needs_nginx)],
    ids=("haproxy", "nginx"),
)
async def test_a_browser_watches_where_it_got_the_page(
    proxy: Callable[[Path, Certificate, Behind], AbstractAsyncContextManager[TlsFront]],
    server: ServerProcess,
    certificate: Certificate,
    tmp_path: Path,
) -> None:
    served = places(server, f"{HOST}:{server.browser_ports[0]}")
    async with proxy(tmp_path, certificate, served) as front, ReporterClient(front.plain_url, TOKEN) as api:
        at = urlsplit(front.plain_url)
        address = str(at.hostname), int(at.port or 0)
        game = await Game.announced(api, "b")
        await game.start()
        async with Browser(address) as page, Stream(address) as fan, SocketFan(address) as by_socket:
            await page.ask(f"/match/{game.id}")
            assert page.status == 200
            assert page.headers["content-type"].startswith("text/html")
            await fan.send(f"GET /1/match/{game.id}/stream HTTP/1.0\r\nHost: h\r\n\r\n".encode())  # not in chunks
            await fan.read_head()
            await fan.read_messages(1)
            await by_socket.watch(game.id)
            await by_socket.read_messages(1)
            await game.foul("at once")  # and not with the next one: nothing is kept back
            for one in (fan, by_socket):
                await one.read_messages(2)
            await game.stop()
            for one in (fan, by_socket):
                await one.read_to_end()
                assert one.kinds == ["status", "foul", "stop"]
            assert by_socket.closed == (CloseCode.NORMAL_CLOSURE, "the match is over")
        await api.cancel_match(game.id)


@needs_haproxy
async def test_while_nobody_serves_browsers_haproxy_says_when_to_come_again(
    server: ServerProcess, certificate: Certificate, tmp_path: Path
) -> None:
    with free_ports(1) as (nobody,):
        async with (
            behind_haproxy(tmp_path, certificate, places(server, f"{HOST}:{nobody}")) as front,
            aiohttp.ClientSession() as http,
        ):
            for path in ("/1/match/m/stream", "/1/match/m/ws", "/match/m", "/match.js"):
                async with http.get(f"{front.plain_url}{path}") as answer:
                    assert (answer.status, answer.headers["Retry-After"]) == (503, "1"), path
                    assert answer.content_type == "application/json"
            async with http.get(f"{front.plain_url}/1/matches") as answer:
                assert answer.status == 200
