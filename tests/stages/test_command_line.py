"""`matchstream serve`, `play` and `watch` as programs: what they refuse, how they end, and how they find each other."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING

import psutil
import pytest

from common.domain.script import SAMPLE
from common.http.client import ReporterClient
from common.http.token import client_token
from stages.catalogue import STAGES
from tests.stages.every_stage import two_nodes
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.refusals import refused, the_line
from tests.stages.serving import TOKEN, Outcome, ServerProcess, environment, matchstream, run
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stages.stage0.parts import Stage


@pytest.fixture
def server(stage: Stage, tmp_path: Path) -> Iterator[ServerProcess]:
    """Return a server that the test may end, in place of the module's; it keeps its token in a file."""
    with ServerProcess(stage.name, tmp_path, *two_nodes(stage), environ=environment(tmp_path)) as server:
        yield server


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def tokens(directory: Path) -> list[str]:
    """Return the names of the token files that servers have left in `directory`."""
    return [path.name for path in directory.rglob("token-*")]


def test_a_port_that_is_taken(stage: Stage, tmp_path: Path, taken_port: int) -> None:
    for ports in (("--port", str(taken_port), "--http-port", "0"), ("--port", "0", "--http-port", str(taken_port))):
        line = the_line(run(environment(tmp_path), "serve", "--stage", stage.name, *ports))
        assert str(taken_port) in line
        assert "port" in line.partition("choose another ")[2]
    assert tokens(tmp_path) == []


UNUSABLE = {
    "a Redis URL that is none": (["--redis", "localhost:6379"], "redis://"),
    "a Redis that is not there": (["--redis", "unix:///nowhere/redis.sock"], "Redis at /nowhere/redis.sock"),
    "a host that is none": (["--host", "a..b"], "--host"),
    "a host of somebody else": (["--host", "192.0.2.1"], "--host"),  # TEST-NET-1: RFC 5737
}


@pytest.mark.parametrize(("options", "advice"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_options_that_cannot_be_used(tmp_path: Path, options: list[str], advice: str) -> None:
    ended = run(environment(tmp_path), "serve", "--stage", "0", "--port", "0", "--http-port", "0", *options)
    assert advice in the_line(ended)


@pytest.mark.parametrize("command", [("serve", "--stage", "0", "--play"), ("play",)])
def test_a_script_that_cannot_be_read(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert SAMPLE in refused(*command, "no-such-script", token=TOKEN)
    script = tmp_path / "match.toml"
    for content in (b"[teams", b"\xff", b""):
        script.write_bytes(content)
        assert f"{script}: " in refused(*command, str(script), token=TOKEN)


def test_an_unknown_stage() -> None:
    assert f"there is: {', '.join(STAGES)}" in refused("serve", "--stage", "17")


@pytest.mark.parametrize("address", ["9999", "localhost", "localhost:http", "localhost:0", "[]:9999", "a..b:9999"])
def test_an_address_that_cannot_be_watched(address: str) -> None:
    assert address in refused("watch", address)


def test_nobody_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert "matchstream serve" in refused("watch", f"127.0.0.1:{port}")
    play = ("play", SAMPLE, "--url", f"http://127.0.0.1:{port}")
    assert "no answer" in refused(*play, token=TOKEN)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert f"no token for 127.0.0.1:{port}" in refused(*play)
    assert "no URL" in refused("play", SAMPLE, "--url", "http://127.0.0.1:port", token=TOKEN)


async def test_programs_play_and_watch_a_match_and_sigterm_ends_it_all(server: ServerProcess, tmp_path: Path) -> None:
    environ = environment(tmp_path)
    children = psutil.Process(server.pid).children(recursive=True)
    assert children  # its Redis at least
    assert tokens(tmp_path) == [f"token-{server.host}-{server.http_ports[0]}"]

    play = ("play", SAMPLE, "--url", server.url, "--speed", "60000")
    played = run(environ, *play)
    assert (played.status, played.stderr) == (0, "")
    assert [line.split()[-1] for line in played.stdout.splitlines()][::30] == ["start", "stop"]
    assert "on the server already" in the_line(run(environ, *play))

    host, port = next(server.fan_addresses())
    async with ReporterClient(server.url, client_token(environ, server.host, server.http_ports[0])) as api:
        game = await Game.announced(api, "m")
        await game.start()
        watch = await start(environ, "watch", f"{host}:{port}", "--user", "me")
        await eventually(lambda: watched(api), "the match is watched")
        await game.goal("a [bold] one")
        await game.stop()
    seen = await outcome(watch)
    assert (seen.status, seen.stderr) == (0, "matchstream: the match is over\n")
    for text in (
        "Welcome",
        f"home {game.new.home}",
        "Casals (1), Luna (7)",
        "goal",
        "Ñandú (10)",
        "a [bold] one",
        "stop",
    ):
        assert text in " ".join(seen.stdout.split())

    async with Fan((host, port)) as fan:
        await fan.welcome()
        server.send_signal(signal.SIGTERM)
        await fan.read_to_end()
        assert server.wait() == 0
    assert not any(child.is_running() for child in children)
    assert tokens(tmp_path) == []
    assert "Traceback" not in server.log()


async def watched(api: ReporterClient) -> bool:
    return (await api.statistics()).handlers > 0


async def test_its_redis_ends_with_it_even_when_it_is_killed(server: ServerProcess) -> None:
    children = psutil.Process(server.pid).children(recursive=True)
    assert children
    server.send_signal(signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    await eventually(lambda: not any(runs(child) for child in children), "its Redis has ended")


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_the_server_plays_a_match_again_and_again_until_ctrl_c(stage: Stage, tmp_path: Path) -> None:
    with ServerProcess(
        stage.name, tmp_path, "--play", SAMPLE, "--loop", "--speed", "15000", *two_nodes(stage)
    ) as server:
        addresses = server.fan_addresses()

        async def watch_one() -> list[str]:
            """Come again until there is a match, as one who presses Enter again, and watch it to its end."""
            while True:
                async with Fan(next(addresses)) as fan:
                    await fan.greet("regular")
                    await fan.read_to_end()
                    if len(fan.kinds) > 1:
                        return fan.kinds

        async with asyncio.timeout(DEADLINE_S):
            played = [await watch_one() for _ in range(2)]
        server.send_signal(signal.SIGINT)
        assert server.wait() == 0
    assert all(kinds[0] == "status" and kinds[-1] == "stop" for kinds in played)


async def start(environ: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *matchstream(*arguments), env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def outcome(process: asyncio.subprocess.Process) -> Outcome:
    async with asyncio.timeout(DEADLINE_S):
        stdout, stderr = await process.communicate()
    assert process.returncode is not None
    return Outcome(process.returncode, stdout.decode(), stderr.decode())
