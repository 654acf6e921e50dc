"""The channel between a node and a worker: both ends in this process, over a pair of sockets."""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from common.domain.errors import UnknownMatchError
from stages.stage4.channel import MOST_UNREAD, Channel, ChannelLostError, Over, Told, encode
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class End:
    """One end, which keeps what it hears."""

    heard: list[tuple[int, Any]] = field(default_factory=list)
    lost: int = 0
    channel: Channel = field(init=False)

    async def open(self, end: socket.socket) -> None:
        self.channel = await Channel.over(end, lambda *heard: self.heard.append(heard), self._lose)

    def _lose(self) -> None:
        self.lost += 1

    async def hears(self, count: int) -> None:
        await eventually(lambda: len(self.heard) >= count, f"{count} messages are heard")


@pytest.fixture
async def ends() -> AsyncIterator[tuple[End, End]]:
    one, other = End(), End()
    for end, sock in zip((one, other), socket.socketpair(), strict=True):
        await end.open(sock)
    yield one, other
    for end in (one, other):
        end.channel.abort()
    await eventually(lambda: bool(one.lost and other.lost), "both ends are lost")
    assert (one.lost, other.lost) == (1, 1)


async def test_what_is_told_arrives_whole_and_in_order_whatever_its_size(ends: tuple[End, End]) -> None:
    one, other = ends
    sent = ["small", "x" * 1_000_000, "", *range(100)]
    for message in sent:
        one.channel.tell(message)
    await other.hears(len(sent))
    assert [message for _, message in other.heard] == sent


async def test_a_frame_may_come_in_any_pieces() -> None:
    ours, theirs = socket.socketpair()
    end = End()
    await end.open(ours)
    body = encode("in pieces")
    for byte in struct.pack("!IQ", len(body), 7) + body:
        theirs.send(bytes((byte,)))
        await asyncio.sleep(0)
    await end.hears(1)
    assert end.heard == [(7, "in pieces")]
    theirs.close()
    await eventually(lambda: end.lost == 1, "the end is lost")


async def test_both_may_ask_at_once_and_answers_come_in_any_order(ends: tuple[End, End]) -> None:
    one, other = ends
    asked = [one.channel.ask("first"), one.channel.ask("second"), other.channel.ask("third")]
    await other.hears(2)
    await one.hears(1)
    for number, question in reversed(other.heard):
        other.channel.answer(number, f"{question} answered")
    (number, _) = one.heard[0]
    one.channel.answer(number, None)
    assert await asyncio.gather(*asked) == ["first answered", "second answered", None]


async def test_a_refusal_raises_what_the_other_end_raised(ends: tuple[End, End]) -> None:
    one, other = ends
    asked = one.channel.ask("question")
    await other.hears(1)
    other.channel.refuse(other.heard[0][0], UnknownMatchError("there is none", "match"))
    with pytest.raises(UnknownMatchError, match="there is none") as raised:
        await asked
    assert raised.value.field == "match"


async def test_who_follows_hears_all_news_up_to_the_end_even_before_the_answer(ends: tuple[End, End]) -> None:
    one, other = ends
    news: list[Any] = []
    asked = one.channel.follow("match", news.append)
    await other.hears(1)
    number = other.heard[0][0]
    other.channel.send(number, encode(Told("early")))
    other.channel.answer(number, "place")
    other.channel.send(number, encode(Told("late")))
    other.channel.send(number, encode(Over()))
    assert await asked == "place"
    await eventually(lambda: news == ["early", "late", Over()], "all news have come")


async def test_an_answer_that_nobody_waits_for_any_more_is_dropped(ends: tuple[End, End]) -> None:
    one, other = ends
    one.channel.ask("given up").cancel()
    await other.hears(1)
    other.channel.answer(other.heard[0][0], "too late")
    other.channel.tell("next")
    await one.hears(1)
    assert one.heard == [(0, "next")]


async def test_who_waits_when_the_channel_ends_is_told(ends: tuple[End, End]) -> None:
    one, other = ends
    asked = one.channel.ask("question")
    other.channel.close()
    with pytest.raises(ChannelLostError):
        await asked
    assert not one.channel.is_open
    one.channel.tell("to nobody")


async def test_who_does_not_read_is_given_up() -> None:
    ours, theirs = socket.socketpair()
    end = End()
    await end.open(ours)
    piece = bytes(MOST_UNREAD // 4)
    for _ in range(6):
        assert end.lost == 0
        end.channel.tell(piece)
    assert not end.channel.is_open
    await eventually(lambda: end.lost == 1, "the end is lost")
    theirs.close()


def test_errors_of_the_store_can_be_sent() -> None:
    """Those whose constructors take something else than they keep cannot be unpickled."""
    error = pickle.loads(pickle.dumps(UnknownMatchError("why", "field")))  # noqa: S301
    assert (str(error), error.field) == ("why", "field")
