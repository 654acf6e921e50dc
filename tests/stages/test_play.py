"""`matchstream play` as a program: it gets over outages, and goes on where a match stands."""

from __future__ import annotations

import re
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.redis_server import RedisServer
from tests.stages.serving import TOKEN, ServerProcess, environment, matchstream, run
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from common.http.client import ReporterClient
    from tests.stages.serving import Outcome

MATCH: Final = "paa-pab-2011-09-10"
WHOLE: Final = ["start", "foul", "goal", "stop"]
_HEAD: Final = """
[teams.paa]
name = "A"
players = {1 = "Casals"}
[teams.pab]
name = "B"
players = {7 = "Luna"}
[match]
home = "paa"
visit = "pab"
date = 2011-09-10
"""
_STEPS: Final = (
    'minute = 0\nkind = "start"\nhome_players = [1]\nvisit_players = [7]\n',
    'minute = 1\nkind = "foul"\nteam = "paa"\n',
    'minute = 2\nkind = "goal"\nteam = "pab"\nplayer = 7\n',
    'minute = 3\nkind = "stop"\n',
)


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer() as redis:
        yield redis


@pytest.fixture
def server(redis: RedisServer, tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess("0", tmp_path, "--redis", redis.url) as server:
        yield server


def script(directory: Path, steps: Sequence[str]) -> str:
    """Write a script with these steps; return its path."""
    path = directory / "match.toml"
    path.write_text(_HEAD + "".join(f"[[match.events]]\n{step}" for step in steps))
    return str(path)


def play(directory: Path, server: ServerProcess, *arguments: str) -> Outcome:
    """Play to the end, fast."""
    environ = environment(directory, MATCHSTREAM_TOKEN=TOKEN)
    return run(environ, "play", "--url", server.url, "--speed", "60000", *arguments)


async def kinds(api: ReporterClient) -> list[str]:
    return [event.kind for event in await api.history(MATCH)]


@contextmanager
def playing(directory: Path, server: ServerProcess, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Play while the block runs, a minute in half a second; its words go to a file."""
    with (directory / "play.log").open("w") as log:
        command = matchstream("play", "--url", server.url, "--speed", "120", *arguments)
        environ = environment(directory, MATCHSTREAM_TOKEN=TOKEN)
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("is_stopped", [pytest.param(True, marks=pytest.mark.slow), False], ids=["stopped", "killed"])
async def test_an_outage_is_waited_for_and_told(  # fixtures
    server: ServerProcess, redis: RedisServer, tmp_path: Path, api: ReporterClient, *, is_stopped: bool
) -> None:
    def said() -> str:
        return (tmp_path / "play.log").read_text()

    with playing(tmp_path, server, script(tmp_path, _STEPS), "--patience", "5m") as process:
        await eventually(lambda: "start" in said(), "the match is on")
        if is_stopped:
            server.send_signal(signal.SIGSTOP)
            await eventually(lambda: "trying again" in said(), "the outage is told")
            server.send_signal(signal.SIGCONT)
        else:
            await redis.kill()
            await eventually(lambda: "trying again" in said(), "the outage is told")
            await redis.start()
        await eventually(lambda: process.poll() is not None, "it is played to the end")
        assert process.returncode == 0
    assert await kinds(api) == WHOLE
    outage, recovery = (line for line in said().splitlines() if line.startswith("matchstream: "))
    assert re.fullmatch(r"matchstream: .*; trying again, for 5 min 00 s at most", outage)
    assert re.fullmatch(r"matchstream: through again, after \d+ s", recovery)


async def test_an_outage_that_lasts_longer_than_its_patience_ends_it(
    server: ServerProcess, redis: RedisServer, tmp_path: Path
) -> None:
    await redis.kill()
    ended = play(tmp_path, server, script(tmp_path, _STEPS), "--patience", "0.3s")
    assert ended.status == 2
    outage, end = ended.stderr.splitlines()
    assert outage.endswith("; trying again, for 0 s at most")
    assert "HTTP 503" in end
    await redis.start()


async def test_a_match_is_resumed_where_it_stands(server: ServerProcess, tmp_path: Path, api: ReporterClient) -> None:
    """Whether it is not there yet, has begun, or is over."""
    before: list[str] = []
    for so_far in (1, len(_STEPS), len(_STEPS)):
        ended = play(tmp_path, server, script(tmp_path, _STEPS[:so_far]), "--resume")
        assert (ended.status, ended.stderr) == (0, "")
        assert [line.split()[-1] for line in ended.stdout.splitlines()] == WHOLE[len(before) : so_far]
        before = await kinds(api)
        assert before == WHOLE[:so_far]


@pytest.mark.slow
async def test_a_match_that_is_not_that_of_the_script_is_not_resumed(
    server: ServerProcess, tmp_path: Path, api: ReporterClient
) -> None:
    assert play(tmp_path, server, script(tmp_path, _STEPS[:3])).status == 0
    for other, planned in (((_STEPS[0], _STEPS[2]), "goal"), (_STEPS[:1], "nothing more")):
        ended = play(tmp_path, server, script(tmp_path, other), "--resume")
        assert (ended.status, ended.stdout) == (2, "")
        assert ended.stderr.startswith(f"matchstream: event 2 of {MATCH} is foul, and the script has {planned} there")
        assert ended.stderr.count("\n") == 1
    assert await kinds(api) == WHOLE[:3]


def test_what_makes_no_sense_is_refused_in_one_line(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    for arguments, said in (
        (("--resume", "--replace"), "give --replace to begin anew or --resume to go on, not both"),
        (("--patience", "long"), "'long' is no duration: write a number and ms, s, m or h"),
    ):
        ended = run(environ, "play", script(tmp_path, _STEPS), *arguments)
        assert (ended.status, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
        assert ended.stderr.startswith(f"matchstream: {said}")
