import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from common.store.connections import Connections
from common.store.errors import StoreUnavailableError, UnknownOutcomeError
from tests.redis_server import RedisServer

HANG = b""
REFUSED_CONNECTION = "cannot be reached .*: check its address and that it runs"


@asynccontextmanager
async def fake_redis(directory: Path, answer: bytes, *, to: bytes = b"PING") -> AsyncIterator[str]:
    """Give `answer` (HANG: none) to a command that begins with the word `to`, and OK to all others."""
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # a client may give up at any time
            while words := await read_command(reader):
                writer.write(answer if words[0] == to else b"+OK\r\n")
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.create_task(serve(reader, writer), name="fake redis"))

    async with await asyncio.start_unix_server(accept, directory / "fake"):
        yield f"unix://{directory / 'fake'}"
    await asyncio.gather(*handlers)


async def read_command(reader: asyncio.StreamReader) -> list[bytes]:
    count = int((await reader.readline())[1:] or 0)
    return [(await reader.readexactly(int((await reader.readline())[1:]) + 2))[:-2] for _ in range(count)]


@asynccontextmanager
async def connections(url: str, limit: int = 1, command_timeout: float = 20.0) -> AsyncIterator[Connections]:
    made = Connections(url, limit, connect_timeout=10.0, command_timeout=command_timeout)
    yield made
    await made.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - the condition is Redis's, which sets no asyncio.Event
            await asyncio.sleep(0)


async def clients(redis: Connections) -> int:
    return len((await redis.call("CLIENT", "LIST")).splitlines())


async def test_calls_up_to_the_limit_run_at_once_and_the_rest_wait(redis: RedisServer) -> None:
    async with connections(redis.url, 3) as ours, connections(redis.url) as watch:
        calls = [asyncio.create_task(ours.call("BLPOP", "queue", 0), name=f"call {i}") for i in range(5)]

        async def three_wait() -> bool:
            return b"blocked_clients:3" in await watch.call("INFO", "clients")

        await until(three_wait)
        assert await clients(watch) == 3 + 1
        assert (ours.statistics().busy, ours.statistics().opened) == (3, 3)
        await watch.call("RPUSH", "queue", "a", "b", "c", "d", "e")
        assert sorted([value for _, value in await asyncio.gather(*calls)]) == [b"a", b"b", b"c", b"d", b"e"]
        assert await clients(watch) == 3 + 1
        assert ours.statistics().busy == 0


async def test_a_light_load_opens_one_connection(redis: RedisServer) -> None:
    async with connections(redis.url, 10) as ours:
        for _ in range(20):
            await ours.call("PING")
        assert ours.statistics().opened == 1
        assert ours.statistics().calls == 20


async def test_several_commands_have_their_answers_in_order(redis: RedisServer) -> None:
    async with connections(redis.url) as ours:
        assert await ours.call_all([("SET", "k", b"\xff\x00"), ("GET", "k"), ("INCRBY", "n", 7)]) == [
            b"OK",
            b"\xff\x00",
            7,
        ]
        assert await ours.call_all([]) == []


async def test_a_refused_command_among_others_disturbs_no_later_answer(redis: RedisServer) -> None:
    async with connections(redis.url) as ours:
        with pytest.raises(StoreUnavailableError, match=r"refused a command \(.*not an integer.*\)"):
            await ours.call_all([("SET", "k", "x"), ("INCR", "k"), ("GET", "k")])
        assert await ours.call("ECHO", "after") == b"after"
        assert ours.statistics().opened == 1
        assert ours.statistics().failures == 1


async def test_the_answer_of_a_cancelled_call_goes_to_nobody(redis: RedisServer) -> None:
    async with connections(redis.url) as ours, connections(redis.url) as watch:
        call = asyncio.create_task(ours.call("BLPOP", "queue", 0), name="cancelled")

        async def waits() -> bool:
            return b"blocked_clients:1" in await watch.call("INFO", "clients")

        await until(waits)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await watch.call("RPUSH", "queue", "not for the next call")
        assert await ours.call("ECHO", "mine") == b"mine"


async def test_a_redis_that_hangs_is_reported_within_the_time_out_to_all_who_wait(tmp_path: Path) -> None:
    async with fake_redis(tmp_path, HANG) as url, connections(url, command_timeout=0.05) as ours:
        outcomes = await asyncio.gather(*(ours.call("PING") for _ in range(5)), return_exceptions=True)
    assert {str(outcome) for outcome in outcomes} == {
        f"Redis at {tmp_path / 'fake'} did not answer within 0.05 s: check that it runs and is not overloaded"
    }
    # What was sent may have been done. The others' were not, unless a connection came free in their last moment.
    assert UnknownOutcomeError in {type(outcome) for outcome in outcomes}
    assert all(isinstance(outcome, StoreUnavailableError) for outcome in outcomes)


async def test_a_late_answer_goes_to_nobody(redis: RedisServer) -> None:
    async with connections(redis.url) as watch, connections(redis.url, command_timeout=1.0) as ours:
        with pytest.raises(StoreUnavailableError, match="did not answer"):
            await ours.call("BLPOP", "queue", 0)
        await watch.call("RPUSH", "queue", "late")
        assert await ours.call("ECHO", "mine") == b"mine"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading the dataset"),
        (b"-READONLY You can't write against a read only replica.\r\n", "read only replica"),
        (b"-BUSY Redis is busy running a script.\r\n", "busy running a script"),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "maxmemory"),
        (b"-MISCONF Errors writing to the AOF file\r\n", "AOF"),
        (b"-ERR max number of clients reached\r\n", "max number of clients"),
        (b"this is no Redis\r\n", "Protocol error"),
    ],
)
async def test_what_redis_refuses_is_said_on_one_line(tmp_path: Path, answer: bytes, said: str) -> None:
    async with fake_redis(tmp_path, answer) as url, connections(url) as ours:
        with pytest.raises(StoreUnavailableError, match=said) as caught:
            await ours.call("PING")
    assert str(tmp_path / "fake") in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_nobody_there(tmp_path: Path) -> None:
    async with connections(f"unix://{tmp_path}/nobody") as ours:
        with pytest.raises(StoreUnavailableError, match=f"Redis at {tmp_path}/nobody {REFUSED_CONNECTION}"):
            await ours.call("PING")


async def test_a_wrong_password_is_refused_and_never_shown() -> None:
    async with RedisServer(tcp=True, password="right") as redis:  # noqa: S106 - of this test alone
        async with connections(redis.url.replace("right", "hunter2")) as ours:
            with pytest.raises(StoreUnavailableError, match="put the right name and password into its URL") as caught:
                await ours.call("PING")
        assert "hunter2" not in str(caught.value)


async def test_a_password_that_redis_repeats_is_not_shown(tmp_path: Path) -> None:
    answer = b"-ERR unknown command 'AUTH', with args beginning with: 'hunter2'\r\n"
    async with (
        fake_redis(tmp_path, answer, to=b"AUTH") as url,
        connections(url.replace("unix://", "unix://:hunter2@")) as ours,
    ):
        with pytest.raises(StoreUnavailableError, match=r"with args beginning with: '\*\*\*'"):
            await ours.call("PING")


async def test_what_cannot_be_sent_costs_no_connection(redis: RedisServer) -> None:
    async with connections(redis.url) as ours:
        for _ in range(3):
            with pytest.raises(UnicodeEncodeError):
                await ours.call("ECHO", "\ud800")
        assert await clients(ours) == 1


async def test_after_closing_calls_fail_and_no_connection_is_left(redis: RedisServer) -> None:
    async with connections(redis.url) as watch:
        ours = Connections(redis.url, 2, 1.0, 5.0)
        under_way = asyncio.create_task(ours.call("BLPOP", "queue", 0), name="under way")

        async def waits() -> bool:
            return b"blocked_clients:1" in await watch.call("INFO", "clients")

        await until(waits)
        await ours.call("PING")
        await ours.close()
        with pytest.raises(StoreUnavailableError, match="closed by this program"):
            await ours.call("PING")
        await watch.call("RPUSH", "queue", "x")
        assert await under_way == [b"queue", b"x"]

        async def alone() -> bool:
            return await clients(watch) == 1

        await until(alone)


def test_at_least_one_connection_is_needed() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Connections("redis://", 0, 1.0, 1.0)
