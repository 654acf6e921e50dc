"""A fan too many is told so at once and counted, and those who are in are served."""

from __future__ import annotations

import asyncio
import re
import resource
import select
import socket
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from common.http.client import ReporterClient
from common.tuning.open_files import kept_files
from common.wire.frames import WELCOME
from stages.catalogue import STAGES
from stages.options import Options
from stages.stage0.parts import layered
from stages.stage3.node_process import node_command
from stages.stage4.admission import AGAIN_S, AdmittingPlane, files_aside
from stages.stage4.door import TextDoor
from stages.stage4.plane import Plane
from stages.traffic import Drop, Traffic
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.refusals import refused
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from common.wire.greeting import Greeting

FULL: Final = re.compile(rb"ERROR: this server is full; try again in (\d+) s\r\n")
FILES: Final = 256


class Nobody:
    """A host to whom nobody gets."""

    def greeted(self, fd: int, greeting: Greeting) -> None:
        raise AssertionError(f"{fd} was let in: {greeting}")

    def gone(self, fd: int) -> None:
        raise AssertionError(f"{fd} waited")


@pytest.fixture
def few_files() -> Iterator[None]:
    """Allow this process FILES open files, for as long as the test takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def plane_of(most: int) -> Iterator[tuple[AdmittingPlane, Traffic]]:
    traffic = Traffic()
    plane: AdmittingPlane = layered(Plane, AdmittingPlane)(TextDoor(), traffic)
    plane.most = most
    plane.open(Nobody())
    try:
        yield plane, traffic
    finally:
        plane.cut_off_all()
        plane.close()


def coming(plane: AdmittingPlane, said: bytes = b"") -> socket.socket:
    """Have one more come, and say something before it hears anything; return its side."""
    here, fan = socket.socketpair()
    here.setblocking(False)
    fan.settimeout(DEADLINE_S)
    fan.sendall(said)
    plane.welcome(here.detach())
    return fan


def heard_to_the_end(fan: socket.socket) -> bytes:
    return b"".join(iter(lambda: fan.recv(4096), b""))


@pytest.mark.usefixtures("few_files")
def test_who_was_turned_away_and_stays_makes_room_for_the_next() -> None:
    aside = files_aside(FILES)
    with plane_of(1) as (plane, traffic), coming(plane) as first:
        assert first.recv(4096) == WELCOME
        late = [coming(plane, b"V:2:late\n") for _ in range(3 * aside)]
        assert plane.connected == 1 + aside
        assert +traffic.drops == {Drop.FULL: len(late)}
        told = {int(found[1]) for fan in late if (found := FULL.fullmatch(heard_to_the_end(fan)))}
        assert len(told) > 1
        assert AGAIN_S[0] <= min(told) <= max(told) <= AGAIN_S[1]
        plane.turn()  # nobody who was turned away is heard
        for fan in late:
            fan.close()
        while plane.connected > 1:
            plane.turn()
        first.close()
        plane.turn()
        with coming(plane) as next_one:
            assert next_one.recv(4096) == WELCOME


@contextmanager
def serving(directory: Path, *options: str) -> Iterator[ServerProcess]:
    with ServerProcess("4", directory, "--workers", "0", *options) as server:
        yield server


async def is_refused(address: tuple[str, int]) -> bool:
    """Return whether one more fan is refused, as it should be, or else let in; it has gone then."""
    async with Fan(address) as fan:
        await fan.read_until(lambda: bool(fan.heard))
        if not fan.errors:
            return False
        await fan.read_to_end()
        assert FULL.fullmatch(fan.raw)
        return True


async def test_no_more_fans_than_the_limit_are_let_in(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-fans", "3") as server:
        address = next(server.fan_addresses())
        async with ReporterClient(server.url, TOKEN) as api, AsyncExitStack() as stack:
            game = await Game.announced(api, "full")
            await game.start()
            fans = [await stack.enter_async_context(Fan(address)) for _ in range(3)]
            for number, fan in enumerate(fans):
                await fan.watch(f"fan-{number}", game.id)
            assert all(await asyncio.gather(*(is_refused(address) for _ in range(50))))
            await game.foul("to those who are in")
            for fan in fans:
                await fan.read_events(1)
            seen = await api.statistics()
            assert (seen.drops["full"], seen.greetings) == (50, 3)
            fans[0].leave()

            async def there_is_room() -> bool:
                await game.foul("by which it is found out that one has gone")
                return not await is_refused(address)

            await eventually(there_is_room, "who comes after one has left is let in")


async def test_who_comes_faster_than_the_rate_is_refused_and_not_delayed(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-rate", "0.001") as server:
        address = next(server.fan_addresses())
        assert [await is_refused(address) for _ in range(5)] == [False, True, True, True, True]
        async with ReporterClient(server.url, TOKEN) as api:
            assert (await api.statistics()).drops["full"] == 4


def limited(files: int) -> list[str]:
    """Return a command that runs another with so few open files."""
    return ["prlimit", f"--nofile={files}:{files}"]


async def test_without_a_file_left_a_fan_hears_that_it_is_full_and_the_api_is_served(tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, "--workers", "0", prefix=limited(FILES)) as server:
        async with AsyncExitStack() as stack:
            address = next(server.fan_addresses())
            api = await stack.enter_async_context(ReporterClient(server.url, TOKEN))
            game = await Game.announced(api, "files")
            await game.start()
            fans: list[socket.socket] = []
            while len(fans) < FILES:
                fan = stack.enter_context(socket.create_connection(address, timeout=DEADLINE_S))
                said = await asyncio.to_thread(fan.recv, 4096)
                if FULL.fullmatch(said):
                    break
                assert said == WELCOME
                fans.append(fan)
            full = FILES - kept_files(FILES) - files_aside(FILES)
            assert full - 40 < len(fans) < full
            stubborn = [stack.enter_context(socket.create_connection(address)) for _ in range(2 * files_aside(FILES))]
            for fan in stubborn:  # they do not close, so files are short for good
                fan.settimeout(DEADLINE_S)
                assert FULL.fullmatch(await asyncio.to_thread(heard_to_the_end, fan))
            fans[0].sendall(f"VERSION:1:CONNECT:one:MATCH:{game.id}\n".encode())
            assert b": status:" in await asyncio.to_thread(fans[0].recv, 1 << 16)
            async with ReporterClient(server.url, timeout=DEADLINE_S) as another:
                assert game.id in [match.id for match in await another.matches()]
            assert (await api.statistics()).drops["full"] == 1 + len(stubborn)
            assert not select.select(fans[1:], [], [], 0)[0]  # nobody who is in was sent anything
            assert "cannot accept" not in server.log()


@pytest.mark.parametrize("option", ["--max-fans", "--max-rate"])
def test_a_stage_that_has_no_use_for_a_limit_refuses_it(option: str) -> None:
    said = f"matchstream: stage 3 has no use for {option}: leave it out, or serve one with the lesson admission"
    assert refused("serve", "--stage", "3", option, "10") == said


def test_a_node_is_told_the_limits_of_its_parent() -> None:
    options = Options(host="127.0.0.1", port=1, http_port=2, redis_url="redis://r", max_fans=7, max_rate=0.5)
    command = node_command(STAGES["4"], options, 1, 2)
    assert command[command.index("--max-fans") + 1] == "7"
    assert float(command[command.index("--max-rate") + 1]) == 0.5
