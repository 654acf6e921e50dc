"""Between a node and one of its workers: questions, answers and news over a pair of sockets, in order.

A frame is a head (the size of its body, the number of the conversation) and a body, a pickled message. Pickles can run
code, so they are for people who trust each other: both ends of the pair belong to this program, which has made it, and
nobody else can write to it.

What must hold:

* What is sent arrives in the order in which it was sent, or not at all, since the other end has gone.
* Who does not read holds nobody up and takes no memory for ever: beyond MOST_UNREAD bytes the channel is closed.
* Each question is answered, or raises ChannelLostError when the channel ends.

Rejected: SOCK_SEQPACKET, which asyncio does not know, and which takes no message larger than the socket's buffer.
"""

from __future__ import annotations

import asyncio
import itertools
import pickle
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from common.store.errors import UnknownOutcomeError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

MOST_UNREAD: Final = 8 * 1024 * 1024
"""Bytes that may wait for the other end to read them; an event takes some 3 KB."""

_HEAD: Final = struct.Struct("!IQ")
_NO_CONVERSATION: Final = 0


class ChannelLostError(UnknownOutcomeError):
    """The other end has gone, or is given up: a worker whose node has gone can reach no store, and ends soon."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What was asked has this answer."""

    answer: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """What was asked raises this."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Told:
    """News for who follows."""

    news: Any


@dataclass(frozen=True, slots=True)
class Over:
    """No more news comes; to who follows it is news itself."""


def encode(message: object) -> bytes:
    """Return the body of a frame, which may be sent over many channels."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


class Channel(asyncio.Protocol):
    """One end. `heard` gets what the other end says, with the number under which to answer; `lost` is called last."""

    def __init__(self, heard: Callable[[int, Any], None], lost: Callable[[], None]) -> None:
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._numbers = itertools.count(_NO_CONVERSATION + 1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._followed: dict[int, Callable[[Any], None]] = {}

    @classmethod
    async def over(cls, end: socket.socket, heard: Callable[[int, Any], None], lost: Callable[[], None]) -> Channel:
        """Return a channel over one end of a pair of stream sockets, which it closes in the end."""
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(heard, lost), sock=end)
        return channel

    @property
    def is_open(self) -> bool:
        """Whether the other end may hear."""
        return self._transport is not None and not self._transport.is_closing()

    def tell(self, message: object) -> None:
        """Say something that needs no answer."""
        self.send(_NO_CONVERSATION, encode(message))

    def ask(self, message: object) -> asyncio.Future[Any]:
        """Ask; return what is done with the answer, or with what the other end raised."""
        _, future = self._ask(message)
        return future

    def follow(self, message: object, told: Callable[[Any], None]) -> asyncio.Future[Any]:
        """Ask as `ask` does, and have `told` called with all news, which may come before the answer, up to an `Over`.

        Nothing comes after a refusal.
        """
        number, future = self._ask(message)
        self._followed[number] = told
        return future

    def answer(self, number: int, answer: object) -> None:
        """Answer what was heard under a number."""
        self.send(number, encode(Answered(answer)))

    def refuse(self, number: int, error: Exception) -> None:
        """Have what was heard under a number raise an error."""
        self.send(number, encode(Refused(error)))

    def send(self, number: int, body: bytes) -> None:
        """Send a body that is encoded, under a number; if the channel has ended, to nobody."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.writelines((_HEAD.pack(len(body), number), body))
        if transport.get_write_buffer_size() > MOST_UNREAD:
            transport.abort()

    def close(self) -> None:
        """End the channel once all is sent; `lost` is called then."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the channel now."""
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # it is a stream

    def data_received(self, data: bytes) -> None:
        """Take in what came, and hand on what is complete."""
        unread = self._unread
        unread += data
        begin = 0
        while len(unread) - begin >= _HEAD.size:
            size, number = _HEAD.unpack_from(unread, begin)
            end = begin + _HEAD.size + size
            if len(unread) < end:
                break
            message = pickle.loads(memoryview(unread)[begin + _HEAD.size : end])  # noqa: S301  # see the head
            begin = end
            self._hear(number, message)
        del unread[:begin]

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc  # the other end has gone, whatever it is called
        for future in self._asked.values():
            if not future.done():
                future.set_exception(ChannelLostError("the other end of the channel has gone"))
                future.exception()  # who does not wait for it any more need not hear
        self._asked.clear()
        self._followed.clear()
        self._lost()

    def _ask(self, message: object) -> tuple[int, asyncio.Future[Any]]:
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        self.send(number, encode(message))
        return number, future

    def _hear(self, number: int, message: Any) -> None:
        if isinstance(message, Answered | Refused):
            self._hear_answer(number, message)
        elif isinstance(message, Told):
            self._followed[number](message.news)
        elif isinstance(message, Over):
            self._followed.pop(number)(message)
        else:
            self._heard(number, message)

    def _hear_answer(self, number: int, message: Answered | Refused) -> None:
        future = self._asked.pop(number)
        if isinstance(message, Refused):
            self._followed.pop(number, None)
        if future.done():  # whoever asked does not wait any more
            return
        if isinstance(message, Answered):
            future.set_result(message.answer)
        else:
            future.set_exception(message.error)
