"""Browsers at a whole server: with workers and without, slow ones, ones too many, and when it stops."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from websockets.frames import CloseCode

from common.http.client import ReporterClient
from stages.options import Slow
from stages.stage4.slow_fans import TOO_SLOW
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.metrics import metric
from tests.stages.refusals import refused
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.stage4.browsers.browser import Browser, Stream
from tests.stages.stage4.browsers.socket_fan import SocketFan
from tests.stages.stage4.workers import WorkersProcess, serving, workers
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

SERVED = ("--browser-port", "0", "--grace", "10s")
MUCH = 250
"""Events of 280 characters and 1,120 bytes: more than the kernel and the server keep together for who does not read."""


def browsers_at(server: ServerProcess) -> tuple[str, int]:
    return server.host, server.browser_ports[0]


async def test_browsers_of_all_workers_hear_the_same_and_are_counted_apart(tmp_path: Path) -> None:
    with WorkersProcess(tmp_path, *SERVED) as server:
        async with ReporterClient(server.url, TOKEN) as api, AsyncExitStack() as stack:
            game = await Game.announced(api, "workers")
            await game.start()
            await serving(api)
            by_text = await stack.enter_async_context(Fan(next(server.fan_addresses())))
            await by_text.watch("fan", game.id)
            fans: list[Stream] = []
            while min(one.accepted for one in (await workers(api)).values()) < 2:
                fan = await stack.enter_async_context(Stream(browsers_at(server)))
                await fan.watch(game.id)
                await fan.read_messages(1)
                fans.append(fan)
            await game.foul("to all")
            for fan in fans:
                await fan.read_messages(2)
            by_socket = await stack.enter_async_context(SocketFan(browsers_at(server)))
            await by_socket.watch(game.id, fans[0].messages[0]["id"])
            await by_socket.read_messages(1)
            again = await stack.enter_async_context(Stream(browsers_at(server)))
            await again.resume(game.id, fans[0].messages[0]["id"])
            await again.read_messages(1)
            seen = await api.statistics()
            counts = seen.doors["event-source"]
            assert (counts.watching, counts.greetings) == (len(fans) + 1,) * 2
            assert counts.deliveries == len(fans) + 1
            of_sockets = seen.doors["websocket"]
            assert (of_sockets.watching, of_sockets.greetings, of_sockets.deliveries) == (1, 1, 1)
            assert (seen.handlers, seen.greetings) == (len(fans) + 3,) * 2
            for name, value in (("watching", counts.watching), ("greetings_total", counts.greetings)):
                assert await metric(server.url, f"matchstream_door_{name}", door="event-source") == value
            await game.stop()
            for one in (*fans, again, by_socket):
                await one.read_to_end()
            assert [fan.messages[1:] for fan in fans] == [fans[0].messages[1:]] * len(fans)
            assert again.messages == by_socket.messages == fans[0].messages[1:]


@pytest.mark.parametrize("workers_", ["0", "2"])
async def test_a_server_that_stops_has_each_browser_come_back_later(workers_: str, tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, "--workers", workers_, *SERVED) as server:
        async with ReporterClient(server.url, TOKEN) as api, AsyncExitStack() as stack:
            game = await Game.announced(api, "drain")
            await game.start()
            fans = [await stack.enter_async_context(Stream(browsers_at(server))) for _ in range(6)]
            sockets = [await stack.enter_async_context(SocketFan(browsers_at(server))) for _ in range(2)]
            for one in (*fans, *sockets):
                await one.watch(game.id)
                await one.read_messages(1)
            server.send_signal(signal.SIGTERM)
            for fan in fans:
                await fan.read_to_end()
                kind, why = fan.last
                again = re.fullmatch(r"the server is stopping; connect again in (\d+) s", why)
                assert (kind, fan.kinds) == ("goodbye", ["status"])
                assert again is not None
                assert int(fan.blocks[-1]["retry"]) == 1000 * int(again[1]) >= 1000
            for by_socket in sockets:
                await by_socket.read_to_end()
                code, why = by_socket.closed
                assert code == CloseCode.SERVICE_RESTART
                assert re.fullmatch(r"the server is stopping; connect again in \d+ s", why)
        assert server.wait() == 0
        assert f"{len(fans) + len(sockets)} fans were told goodbye, of whom 0 did not" in server.log()


async def test_a_browser_too_many_is_told_when_to_come_again(tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, "--workers", "0", "--max-fans", "2", *SERVED) as server:
        async with (
            ReporterClient(server.url, TOKEN) as api,
            Fan(next(server.fan_addresses())) as by_text,
            Stream(browsers_at(server)) as fan,
            Browser(browsers_at(server)) as late,
        ):
            game = await Game.announced(api, "full")
            await game.start()
            await by_text.watch("fan", game.id)
            await fan.watch(game.id)
            await late.ask(f"/1/match/{game.id}/stream")
            await late.read_to_end()
            assert late.status == 503
            assert late.problem == f"this server is full; try again in {late.headers['retry-after']} s"
            assert (await api.statistics()).drops["full"] == 1
            await game.foul("to those who are in")
            await fan.read_messages(2)


@pytest.mark.parametrize("slow", Slow)
async def test_a_browser_that_does_not_read_costs_no_more_than_another_fan(slow: Slow, tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, "--workers", "0", "--slow", slow, *SERVED) as server:
        async with ReporterClient(server.url, TOKEN) as api, Stream(browsers_at(server)) as quick:
            game = await Game.announced(api, "slow")
            await game.start()
            await quick.watch(game.id)
            with socket.socket() as fan:
                fan.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
                fan.connect(browsers_at(server))
                fan.sendall(f"GET /1/match/{game.id}/stream HTTP/1.1\r\nHost: h\r\n\r\n".encode())

                async def both_watch() -> bool:
                    return (await api.statistics()).doors["event-source"].watching == 2

                await eventually(both_watch, "both watch")
                posted = 0
                while (seen := await api.statistics()).drops["slow"] + seen.skips == 0:
                    await game.foul(f"{posted:\U0001f600>280}")
                    posted += 1
                    await quick.read_until(lambda: quick.body.count(b'"kind":"foul"') == posted)  # noqa: B023  # it is awaited here
                    assert posted < MUCH
                assert (seen.drops["slow"], seen.skips) == ((1, 0) if slow is Slow.CLOSE else (0, 1))
                assert seen.doors["event-source"].watching == 1
                heard = Stream(browsers_at(server))
                heard.body = await asyncio.to_thread(read_while, fan, slow)
                if slow is Slow.SKIP:
                    await eventually(both_watch, "it watches again")
                await game.stop()
                heard.body += await asyncio.to_thread(lambda: b"".join(iter(lambda: fan.recv(1 << 16), b"")))
                counts = (await api.statistics()).doors["event-source"]
            assert counts.greetings == 2
    head, heard.body = heard.body.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP" not in heard.body
    missed = heard.kinds.index("status", 1) if slow is Slow.SKIP else len(heard.kinds)
    assert 1 < missed <= posted
    assert heard.kinds == ["status", *["foul"] * (missed - 1), *(["status", "stop"] if slow is Slow.SKIP else [])]
    assert heard.messages[1:missed] == quick.messages[1:missed]
    if slow is Slow.CLOSE:
        assert heard.last == ("refused", TOO_SLOW)


def read_while(fan: socket.socket, slow: Slow) -> bytes:
    """Return what a browser hears that begins to read at last: up to the second status, or the last word."""
    heard = b""
    while heard.count(b'"kind":"status"') < 2 if slow is Slow.SKIP else TOO_SLOW.encode() not in heard:
        data = fan.recv(1 << 16)
        assert data, heard[-300:]
        heard += data
    return heard


async def test_each_node_has_a_port_for_browsers(tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, "--nodes", "2", "--workers", "0", *SERVED) as server:
        assert len(server.browser_ports) == 2
        async with ReporterClient(server.url, TOKEN) as api, AsyncExitStack() as stack:
            game = await Game.announced(api, "nodes")
            await game.start()
            fans = [await stack.enter_async_context(Stream((server.host, port))) for port in server.browser_ports]
            for fan in fans:
                await fan.watch(game.id)
                await fan.read_messages(1)
            await game.foul("to both")
            await game.stop()
            for fan in fans:
                await fan.read_to_end()
                assert fan.told() == ["to both"]


def test_a_stage_that_has_no_door_for_browsers_refuses_a_port_for_them() -> None:
    said = "matchstream: stage 3 has no use for --browser-port: leave it out, or serve one with the lesson "
    assert refused("serve", "--stage", "3", "--browser-port", "0") == f"{said}event-source or websocket"


def test_a_port_that_is_taken_is_told_with_its_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = f"matchstream: cannot listen on 127.0.0.1:{port}: Address already in use; choose another --host, or "
        options = ("--port", "0", "--http-port", "0", "--browser-port", str(port))
        assert refused("serve", "--stage", "4", "--workers", "0", *options) == f"{said}--browser-port"
