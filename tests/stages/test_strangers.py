"""Clients who take connections and do nothing with them: fans are served and the reporter gets through all the same."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from common.http.client import ApiError, ReporterClient
from stages.catalogue import STAGES
from tests.stages.every_stage import turning_points, two_nodes
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = 150
STRANGERS = 160
FEW_FILES = ("/bin/sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh")

LEFT_OUT = r"no fans are accepted( on port \d+)?: all open files( of all workers)? are in use"

SILENT = b""
HALF_A_HEAD = b"GET /1/checkin HTTP/1.1\r\nHost: "
HALF_A_BODY = b'POST /1/matches HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"home": '
BETWEEN_TWO_REQUESTS = b"GET /1/checkin HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module", params=turning_points())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    stage = STAGES[request.param]
    directory = tmp_path_factory.mktemp("few-files")
    waiting = ("--without", "admission") if stage.has("admission") else ()
    with ServerProcess(stage.name, directory, *two_nodes(stage), *waiting, prefix=FEW_FILES) as server:
        yield server


def is_full(server: ServerProcess) -> bool:
    """Return whether fans have been left in an accept queue for want of files."""
    return any("cannot accept" in line and "client_listener" in line for line in server.log().splitlines())


def strangers(server: ServerProcess, stack: ExitStack, said: bytes) -> None:
    """Connect to the API on every port, and say the same on each connection."""
    ports = itertools.cycle(server.http_ports)
    for _ in range(STRANGERS * len(server.http_ports)):
        stranger = stack.enter_context(socket.create_connection((server.host, next(ports))))
        stranger.sendall(said)


async def is_left_out(reader: ReporterClient) -> bool:
    """Return whether fans are not sent here, for want of files; workers tell their node of that once a second."""
    try:
        await reader.checkin()
    except ApiError as error:
        return re.search(LEFT_OUT, str(error)) is not None
    return False


async def check_service(server: ServerProcess, api: ReporterClient) -> None:
    """Announce, watch, post and hear, over new connections to every port."""
    game = await Game.announced(api, "m")
    await game.start()
    for http_port, fan_port in zip(server.http_ports, server.fan_ports, strict=True):
        async with (
            ReporterClient(f"http://{server.host}:{http_port}", TOKEN) as reporter,
            Fan((server.host, fan_port)) as fan,
        ):
            await fan.watch("fan", game.id)
            await Game(reporter, game.new).foul("all the same")
            await fan.read_events(1)
            assert fan.told()[-1:] == ["all the same"]
    await api.cancel_match(game.id)


@pytest.mark.parametrize("said", [SILENT, HALF_A_HEAD, HALF_A_BODY, BETWEEN_TWO_REQUESTS])
async def test_idlers_at_the_api_keep_nobody_out(server: ServerProcess, said: bytes) -> None:
    async with ReporterClient(server.url, TOKEN) as old:
        await (await Game.announced(old, "t")).start()
        with ExitStack() as stack:
            strangers(server, stack, said)
            async with ReporterClient(server.url, TOKEN) as new:
                await check_service(server, new)
            await check_service(server, old)  # over the connection of before: it has not given way to strangers


async def test_fans_who_use_up_all_files_leave_the_reporter_some(server: ServerProcess) -> None:
    async with AsyncExitStack() as stack:
        addresses = itertools.cycle(
            [(server.host, port) for port in server.fan_ports[: len(server.fan_ports) // 2 + 1]]
        )
        while not is_full(server):
            fan = await stack.enter_async_context(Fan(next(addresses)))
            welcome = asyncio.create_task(fan.welcome(), name="welcome")
            stack.callback(welcome.cancel)
            await eventually(lambda: is_full(server) or welcome.done(), "a fan is welcomed or left out")  # noqa: B023
        async with ReporterClient(server.url) as reader:
            await eventually(partial(is_left_out, reader), "nobody is sent here any more")
        with ExitStack() as idlers:
            strangers(server, idlers, SILENT)
            async with ReporterClient(server.url, TOKEN) as api:
                game = await Game.announced(api, "m")
                await game.start()
                assert len(await api.history(game.id)) == 1
                await api.cancel_match(game.id)
