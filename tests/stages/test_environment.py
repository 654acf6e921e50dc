"""A server that is told by its environment, and passwords that nobody else on the machine gets to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psutil
import pytest

from common.http.client import ReporterClient
from tests.loopback import OWN_ADDRESS
from tests.redis_server import RedisServer
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess, environment, run
from tests.stages.stage3.nodes import NodesProcess, nodes_below

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PASSWORD: Final = "open-sesame"  # noqa: S105  # of a Redis that lives for one test


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    """Return a Redis that demands a password."""
    async with RedisServer(tcp=True, password=PASSWORD) as redis:
        yield redis


def command_lines(pid: int) -> list[str]:
    """Return the command lines of a process and of all below it."""
    process = psutil.Process(pid)
    return [" ".join(one.cmdline()) for one in (process, *process.children(recursive=True))]


def test_a_server_is_told_by_its_environment(tmp_path: Path) -> None:
    told = {"MATCHSTREAM_HOST": OWN_ADDRESS, "MATCHSTREAM_WITH": "backlog listeners", "MATCHSTREAM_PORT": "1"}
    environ = environment(tmp_path, MATCHSTREAM_TOKEN=TOKEN, **told)
    with ServerProcess("0", tmp_path, environ=environ) as server:  # which gives its ports itself
        assert server.host == OWN_ADDRESS
        assert len(server.fan_ports) > 1


@pytest.mark.parametrize("in_file", [False, True])
async def test_the_password_of_redis_is_on_no_command_line_and_in_no_log(
    redis: RedisServer, tmp_path: Path, in_file: bool
) -> None:
    url = redis.url
    if in_file:
        file = tmp_path / "redis-url"
        file.write_text(f"{url}\n")
        url = f"@{file}"
    # What else is set is for the parent: its nodes are two, have ports of their own, and play nothing.
    told = {"MATCHSTREAM_REDIS": url, "MATCHSTREAM_NODES": "2", "MATCHSTREAM_HOST": OWN_ADDRESS}
    environ = environment(tmp_path, MATCHSTREAM_TOKEN=TOKEN, **told)
    with NodesProcess(tmp_path, environ=environ) as nodes:
        assert len(nodes_below(nodes.pid)) == len(nodes.numbers) == 2
        assert [line for line in command_lines(nodes.pid) if PASSWORD in line] == []
        async with ReporterClient(nodes.url_of(1), TOKEN) as api:
            await (await Game.announced(api, "m")).start()
        for pid in nodes_below(nodes.pid).values():
            ours = {name for name in psutil.Process(pid).environ() if name.startswith("MATCHSTREAM_")}
            assert ours == {"MATCHSTREAM_TOKEN", "MATCHSTREAM_JOIN"}
        await redis.stop()
        async with nodes.fan(0) as fan:
            await fan.greet("fan")
            await fan.read_to_end()
    assert "cannot be reached" in nodes.log()
    assert PASSWORD not in nodes.log()


async def test_a_password_on_the_command_line_is_warned_of_without_repeating_it(
    redis: RedisServer, tmp_path: Path
) -> None:
    environ = environment(tmp_path, MATCHSTREAM_TOKEN=TOKEN, MATCHSTREAM_JOIN="unix:///another")  # what is given wins
    with ServerProcess("0", tmp_path, "--redis", redis.url, environ=environ) as server:
        pass
    assert (
        "everyone on this machine can read the password in --redis: give the URL by MATCHSTREAM_REDIS" in server.log()
    )
    assert PASSWORD not in server.log()
    with ServerProcess("0", tmp_path, environ={**environ, "MATCHSTREAM_JOIN": "", "MATCHSTREAM_REDIS": redis.url}):
        pass
    assert "password" not in server.log()


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (None, "No such file or directory"),
        (b"", "and nothing else"),
        (b"redis://a\nredis://b\n", "and nothing else"),
        (b"\xff\xfe", "that is no text"),
        (b"\xef\xbb\xbfunix:///nowhere/redis.sock\r\n", "Redis at /nowhere/redis.sock cannot be reached"),
    ],
)
def test_a_file_with_no_url_is_refused_in_one_line(tmp_path: Path, content: bytes | None, refusal: str) -> None:
    file = tmp_path / "redis-url"
    if content is not None:
        file.write_bytes(content)
    ended = run(
        environment(tmp_path), "serve", "--stage", "0", "--port", "0", "--http-port", "0", "--redis", f"@{file}"
    )
    assert ended.status == 2
    (line,) = ended.stderr.splitlines()
    assert refusal in line
