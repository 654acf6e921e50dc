"""Browsers and the API under one address, which is nginx's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
from websockets.frames import CloseCode

from common.http.client import ReporterClient
from common.http.page_files import POLICY
from common.http.site import PAGES
from tests.stages.behind_nginx import behind, in_front_of, needs_nginx
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.stage4.browsers.browser import Browser, Stream
from tests.stages.stage4.browsers.socket_fan import SocketFan

if TYPE_CHECKING:
    from pathlib import Path

SERVED = ("--workers", "2", "--browser-port", "0")


@needs_nginx
async def test_a_page_of_the_api_may_watch_and_comes_back(tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, *SERVED) as server:
        async with in_front_of(tmp_path, *behind(server)) as front, ReporterClient(front.url, TOKEN) as api:
            host, port = front.url.removeprefix("http://").split(":")
            address = host, int(port)
            game = await Game.announced(api, "front")
            await game.start()
            async with (
                Stream(address) as fan,
                Stream(address) as again,
                SocketFan(address) as by_socket,
                Browser(address) as late,
            ):
                await fan.send(f"GET /1/match/{game.id}/stream HTTP/1.0\r\nHost: h\r\n\r\n".encode())  # not in chunks
                await fan.read_head()
                await fan.read_messages(1)
                await game.foul("at once")
                await fan.read_messages(2)
                place = fan.messages[0]["id"]
                await again.send(
                    f"GET /1/match/{game.id}/stream HTTP/1.0\r\nHost: h\r\nLast-Event-ID: {place}\r\n\r\n".encode()
                )
                await again.read_head()
                await again.read_messages(1)
                assert again.messages == fan.messages[1:]
                await by_socket.watch(game.id, place)
                await by_socket.read_messages(1)
                assert by_socket.messages == fan.messages[1:]
                await late.ask("/1/match/none/stream")
                await late.read_until(lambda: b"none" in late.body)
                assert late.status == 404
                await game.stop()
                for one in (fan, again, by_socket):
                    await one.read_to_end()
                    assert one.kinds[-1] == "stop"
                assert by_socket.closed == (CloseCode.NORMAL_CLOSURE, "the match is over")


@needs_nginx
async def test_while_no_server_is_there_for_browsers_nginx_says_when_to_come_again(tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, *SERVED) as server:
        places = behind(server)
    async with (
        in_front_of(tmp_path, *places) as front,
        aiohttp.ClientSession() as session,
        session.get(f"{front.url}/1/match/m/stream") as answer,
    ):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert answer.content_type == "application/json"


@needs_nginx
async def test_pages_come_from_whom_they_ask(tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, *SERVED) as server:
        browsers = f"http://{server.host}:{server.browser_ports[0]}"
        async with in_front_of(tmp_path, *behind(server)) as front, aiohttp.ClientSession() as session:
            ours = [*(path.replace("{id}", "m") for path in PAGES), "/site/report.js"]
            for origin, paths in ((server.url, ours), (browsers, ["/match/m", "/match.js"])):
                for path in paths:
                    async with session.get(f"{front.url}{path}") as through, session.get(f"{origin}{path}") as itself:
                        assert (through.status, itself.status) == (200, 200), path
                        assert await through.read() == await itself.read()
                        policies = [answer.headers["Content-Security-Policy"] for answer in (through, itself)]
                        assert policies == [POLICY, POLICY]
