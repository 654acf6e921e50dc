"""Two servers on one Redis: only those that follow each other, or with a database each; what is there stays."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from common.domain.script import SAMPLE
from common.http.client import ReporterClient
from common.store.connections import Connections
from common.store.presence import Presence, SharedRedisError
from common.store.redis_store import RedisStore
from tests.redis_server import RedisServer
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess, environment, run
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

GROUP = ("0", "--with", "match-groups")


@pytest.fixture
async def redis() -> AsyncIterator[RedisServer]:
    async with RedisServer(tcp=True) as redis:
        yield redis


@pytest.fixture
async def raw(redis: RedisServer) -> AsyncIterator[Connections]:
    raw = Connections(redis.url, 1, 5.0, 5.0)
    yield raw
    await raw.close()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Return a directory for a second server."""
    (tmp_path / "second").mkdir()
    return tmp_path / "second"


def refused(directory: Path, url: str, stage: str, *options: str) -> str:
    """Return the line in which a server says why it does not start."""
    serve = ("serve", "--stage", stage, "--port", "0", "--http-port", "0", "--redis", url, *options)
    ended = run(environment(directory), *serve)
    assert (ended.status, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(("0",), ("2.5",), id="0 and 2.5"),
        pytest.param(("2.5",), ("3", "--nodes", "2"), id="2.5 and 3", marks=pytest.mark.slow),
        pytest.param(("3", "--nodes", "1"), ("0",), id="3 and 0", marks=pytest.mark.slow),
    ],
)
def test_a_server_does_not_start_beside_one_that_it_does_not_follow(
    redis: RedisServer, tmp_path: Path, directory: Path, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    with ServerProcess(first[0], tmp_path, "--redis", redis.url, *first[1:]) as server:
        line = refused(directory, redis.url, *second)
        assert f"process {server.pid} on " in line
        assert "/1" in line
        with ServerProcess(second[0], directory, "--redis", f"{redis.url}/1", *second[1:]):
            pass
        server.send_signal(signal.SIGKILL)
        server.wait()
        with ServerProcess(second[0], directory, "--redis", redis.url, *second[1:]):
            pass  # nothing is left of who was killed


async def test_servers_that_follow_each_other_share_a_redis(
    redis: RedisServer, tmp_path: Path, directory: Path
) -> None:
    store = RedisStore(redis.url)  # which is no server
    await store.ping()
    with (
        ServerProcess(GROUP[0], tmp_path, "--redis", redis.url, *GROUP[1:]) as server,
        ServerProcess("3", directory, "--redis", redis.url, "--nodes", "1"),
    ):
        async with ReporterClient(server.url, TOKEN) as api:
            await Game.announced(api, "m")
    await store.close()


@pytest.mark.slow
async def test_a_server_is_seen_after_redis_was_away(
    redis: RedisServer, raw: Connections, tmp_path: Path, directory: Path
) -> None:
    with ServerProcess("2.5", tmp_path, "--redis", redis.url):
        await redis.kill()
        await redis.start()

        async def is_there() -> bool:
            return b"name=matchstream:" in await raw.call("CLIENT", "LIST")

        await eventually(is_there, "the server is there again, though nobody asks it anything")
        assert "another server" in refused(directory, redis.url, "0")


async def test_of_servers_that_start_together_not_two_are_let_in(redis: RedisServer) -> None:
    presences = [Presence(redis.url, follows=number == 0) for number in range(4)]
    outcomes = await asyncio.gather(*(presence.announce() for presence in presences), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) <= 1
    assert all(outcome is None or isinstance(outcome, SharedRedisError) for outcome in outcomes)
    for presence in presences:
        await presence.close()


async def test_where_it_cannot_be_known_the_log_says_so(redis: RedisServer, raw: Connections, tmp_path: Path) -> None:
    await raw.call("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-client")
    url = redis.url.replace("redis://", "redis://limited:secret@")
    with ServerProcess("2.5", tmp_path, "--redis", url) as server:
        async with ReporterClient(server.url, TOKEN) as api:
            await Game.announced(api, "m")
        assert server.log().count("another server") == 1
        assert "CLIENT LIST" in server.log()
        assert "secret" not in server.log()


async def test_a_server_that_plays_deletes_no_stored_match_unless_it_is_told_to(
    redis: RedisServer, tmp_path: Path
) -> None:
    play = ("--redis", redis.url, "--play", SAMPLE, "--speed", "60000")
    serve = ("serve", "--stage", "2.5", "--port", "0", "--http-port", "0", *play)
    store = RedisStore(redis.url)

    with ServerProcess("2.5", tmp_path, *play):
        await eventually(lambda: is_over(store), "the match is played")
    (before,) = await store.matches()
    ended = run(environment(tmp_path), *serve)
    assert ended.status == 2
    assert "give --replace" in ended.stderr
    assert await store.matches() == [before]
    with ServerProcess("2.5", tmp_path, *play, "--replace"):

        async def is_another() -> bool:
            return await is_over(store) and await store.matches() != [before]

        await eventually(is_another, "the match is played anew")
    await store.close()


async def is_over(store: RedisStore) -> bool:
    return [match.period for match in await store.matches()] == ["ended"]
