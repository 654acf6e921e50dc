"""The queue of requests, as the writer has Redis carry it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hiredis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.otp import Node
from stages.stage3 import keys
from stages.stage3.errors import FencedError
from stages.stage3.request_queue import (
    COMMANDS_AT_ONCE,
    KEPT_S,
    Command,
    RequestQueue,
    as_request,
    pack,
    read_reply,
)
from stages.stage3.subscriptions import Published, Subscriptions
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.store.connections import Connections
    from tests.stages.stage3.system import Listener, System

EPOCH = 7


@pytest.fixture
async def queue(raw: Connections) -> RequestQueue:
    await raw.call("SET", keys.EPOCH, EPOCH)
    return RequestQueue(raw)


@pytest.fixture
async def replies(system: System) -> Listener:
    node = Node()
    await system.subscriptions(node)
    listener, process = await system.listener(node)
    await Subscriptions.subscribe(node, "me", process)
    return listener


async def answers(replies: Listener, count: int) -> list[tuple[int, Any]]:
    await eventually(lambda: len(replies.heard) >= count, f"{count} answers come")
    assert len(replies.heard) == count
    assert all(isinstance(message, Published) for message in replies.heard)
    return [read_reply(message.data) for message in replies.heard]


async def ask(raw: Connections, number: int, *commands: Command) -> None:
    await raw.call(*as_request("me", number, pack(commands)))


async def test_requests_are_carried_out_once_in_order_and_answered(
    raw: Connections, queue: RequestQueue, replies: Listener
) -> None:
    await ask(raw, 1, ("RPUSH", "said", "one"), ("GET", "nothing"))
    await ask(raw, 2, ("RPUSH", "said", "two"))
    assert await queue.execute(EPOCH) == 2
    assert await queue.execute(EPOCH) == 0
    assert await answers(replies, 2) == [(1, [1, None]), (2, [2])]
    assert await raw.call("LRANGE", "said", 0, -1) == [b"one", b"two"]
    assert await raw.call("XLEN", keys.REQUESTS) == 0


async def test_answers_are_kept_until_they_are_taken_whether_they_are_heard_or_not(
    raw: Connections, queue: RequestQueue, replies: Listener
) -> None:
    await ask(raw, 1, ("INCR", "visits"))
    await raw.call(*as_request("nobody", 5, pack([("INCR", "visits")])))
    await queue.execute(EPOCH)
    await answers(replies, 1)
    for channel, number, visits in (("me", 1, 1), ("nobody", 5, 2)):
        (kept,) = await raw.call("HVALS", keys.answers_key(channel))
        assert read_reply(kept) == (number, [visits])
        assert 0 < await raw.call("TTL", keys.answers_key(channel)) <= KEPT_S


async def test_nothing_is_done_in_another_epoch(raw: Connections, queue: RequestQueue) -> None:
    await ask(raw, 1, ("INCR", "visits"))
    await raw.call("INCR", keys.EPOCH)
    with pytest.raises(FencedError, match="epoch 7 is over"):
        await queue.execute(EPOCH)
    await raw.call("DEL", keys.EPOCH)
    with pytest.raises(FencedError):
        await queue.execute(EPOCH)
    assert await raw.call("XLEN", keys.REQUESTS) == 1
    assert await raw.call("GET", "visits") is None


async def test_a_refused_command_is_answered_with_the_refusal_and_the_others_are_carried_out(
    raw: Connections, queue: RequestQueue, replies: Listener
) -> None:
    await ask(
        raw,
        1,
        ("SET", "word", "x"),
        ("INCR", "word"),
        ("NONSENSE",),
        ("EVAL", "this is no Lua", 0),
        ("EVAL", "return redis.call('INCR', KEYS[1])", 1, "word"),
        ("EVAL", "error('two\\r\\nlines')", 0),
        ("GET", "word"),
    )
    assert await queue.execute(EPOCH) == 1
    ((_, (stored, *refused, found)),) = await answers(replies, 1)
    assert stored == b"OK"
    assert [type(each) for each in refused] == [hiredis.ReplyError] * 5
    assert "not an integer" in str(refused[0])
    assert "not an integer" in str(refused[3])
    assert found == b"x"


@pytest.mark.parametrize(
    "fields",
    [
        ("reply", "me", "number", 1, "commands", b"\xc1"),
        ("reply", "me", "number", 1, "commands", b"\x05"),
        ("reply", "me", "number", 1),
        ("number", "x"),
    ],
)
async def test_what_is_no_request_does_not_stand_in_the_way(
    raw: Connections, queue: RequestQueue, replies: Listener, fields: tuple[str | int | bytes, ...]
) -> None:
    await raw.call("XADD", keys.REQUESTS, "*", *fields)
    await ask(raw, 2, ("PING",))
    assert await queue.execute(EPOCH) == 2
    *unread, good = await answers(replies, 2 if "me" in fields else 1)
    assert good == (2, [b"PONG"])
    assert all(isinstance(answer, hiredis.ReplyError) for _, answer in unread)


async def test_one_script_does_not_keep_redis_to_itself_for_long(
    raw: Connections, queue: RequestQueue, replies: Listener
) -> None:
    visits = [("HINCRBY", f"user:{number}", "visit_count", 1) for number in range(COMMANDS_AT_ONCE // 2)]
    for number in range(4):
        await ask(raw, number, *visits)
    assert await queue.execute(EPOCH) == 2
    assert await queue.execute(EPOCH) == 2
    assert [answer for _, answer in await answers(replies, 4)] == [[number] * len(visits) for number in (1, 2, 3, 4)]


async def test_to_wait_is_to_wait_for_the_first_that_is_left(raw: Connections, queue: RequestQueue) -> None:
    await queue.wait(0.01)
    await ask(raw, 1, ("PING",))
    await queue.wait(60)
    await ask(raw, 2, ("PING",))
    await queue.execute(EPOCH)
    await queue.wait(0)


_words = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.binary(), st.integers(-(2**53), 2**53))


@given(st.lists(_words, min_size=1, max_size=5))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_an_answer_is_what_redis_itself_would_have_answered(
    raw: Connections, queue: RequestQueue, replies: Listener, words: list[str | bytes | int]
) -> None:
    fresh = ("DEL", "list", "hash", "word")
    await raw.call(*fresh)
    replies.heard.clear()
    commands: list[Command] = [
        ("RPUSH", "list", *words),
        ("LRANGE", "list", 0, -1),
        ("LINDEX", "list", 99),
        ("HSET", "hash", "f", words[0]),
        ("HGETALL", "hash"),
        ("HMGET", "hash", "f", "none"),
        ("SET", "word", words[-1], "GET"),
        ("SET", "word", words[0], "GET"),
        ("SET", "word", words[0]),
        ("EXISTS", "word", "nothing"),
        ("SMEMBERS", "set"),
        ("EVAL", "return {KEYS[1], ARGV[1], ARGV[2] or false, 5, {}, redis.status_reply('FINE')}", 1, "k", words[0]),
        ("EVAL", "return redis.call('LLEN', KEYS[1])", 1, "list"),
        ("EVAL", "return redis.call('GET', 'nothing')", 0),
        ("EVAL", "local nothing = 1", 0),
        ("EVAL", "return true", 0),
    ]
    direct = await raw.call_all(commands)
    await raw.call(*fresh)
    await ask(raw, 1, *commands)
    await queue.execute(EPOCH)
    ((_, through),) = await answers(replies, 1)
    assert through == direct


@pytest.mark.parametrize("word", [0, -5, 2**53])
def test_words_are_sent_as_text(word: int) -> None:
    assert str(word).encode() in pack([("SET", "k", word)])
