"""A node's requests to the writer of the system: sent, numbered, and each answered to whoever asked.

All that wait when it is their turn go to Redis in one go, while those that come meanwhile gather. A caller is answered
within TIMEOUT_S in any case, by the writer or with a StoreUnavailableError: at once if the request was certainly not
sent. One that is on its way, and of which nothing is known, may well be in the queue, and is waited for: who is told
"may have been done" while it could still be would look, see nothing, and ask a second time.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from common.otp import NO_REPLY, Down, Failure, GenServer, reply
from common.store.connections import Connections
from common.store.errors import StoreUnavailableError, UnknownOutcomeError
from stages.stage3 import keys
from stages.stage3.pubsub import Published
from stages.stage3.request_queue import as_request, read_reply
from stages.stage3.subscriptions import Resubscribed, Subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from common.otp import Monitor, Reason, ReplyTo
    from stages.stage3.request_queue import Command

TIMEOUT_S: Final = 5.0
"""How long a caller waits for the writer: as long as a `RedisStore` has Redis write what it is asked for, not less."""
SEND_TIMEOUT_S: Final = 2.0
"""How long Redis may take to put requests into the queue."""
RESUBSCRIBE_S: Final = 0.2
"""The pause before a node's subscriptions are asked again that have crashed, and are being restarted."""

_SEND = "send"
_RESUBSCRIBE = "resubscribe"


@dataclass(frozen=True, slots=True)
class Request:
    """The call that has the writer carry out commands in one step; answered with the list of their answers.

    The commands are `packed` already. Failure of StoreUnavailableError, of UnknownOutcomeError if it may have been
    carried out, or may yet be.
    """

    packed: bytes


@dataclass(frozen=True, slots=True)
class RequestsStatistics:
    """Requests that wait for an answer now; and since the start those that were asked, and those that got none."""

    waiting: int
    asked: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class _Pending:
    request: Request
    reply_to: ReplyTo
    timer: asyncio.TimerHandle


class Requests(GenServer):
    """Asks the writer for the processes of a node. `node_id` is for people; every start has a channel of its own."""

    NAME = "requests"

    def __init__(self, redis_url: str, node_id: str, *, timeout_s: float = TIMEOUT_S) -> None:
        # What was asked before a restart must not be answered to what is asked after it under the same number.
        self._channel = keys.replies_channel(f"{node_id}:{secrets.token_hex(8)}")
        self._redis = Connections(redis_url, 1, SEND_TIMEOUT_S, SEND_TIMEOUT_S)
        self._timeout_s = timeout_s
        self._subscribed: Monitor | None = None
        self._numbers = count(1)
        self._pending: dict[int, _Pending] = {}
        self._unsent: list[int] = []
        self._taken: list[int] = []
        self._asked = self._unanswered = 0

    def handle_call(self, request: Request, reply_to: ReplyTo) -> object:
        """Take in a request; the answer comes later."""
        number = next(self._numbers)
        self._asked += 1
        # Not by way of the mailbox: that may be waiting for Redis.
        timer = asyncio.get_running_loop().call_later(self._timeout_s, self._give_up, number)
        self._pending[number] = _Pending(request, reply_to, timer)
        if not self._unsent:
            self.process.send(_SEND)  # behind all the requests that are in the mailbox already
        self._unsent.append(number)
        return NO_REPLY

    async def handle_info(self, message: Any) -> None:
        """Send what is to be sent; hand an answer to who waits for it; get those that were not heard."""
        if message == _SEND:
            await self._send()
        elif isinstance(message, Published):
            self._take_answer(message.data)
        elif isinstance(message, Resubscribed):
            await self._take_unheard()
        elif message == _RESUBSCRIBE:
            await self._resubscribe()
        elif isinstance(message, Down):  # the subscriptions; they are restarted
            self._resubscribe_later()

    async def terminate(self, reason: Reason) -> None:
        """Leave the callers to the end of the process, which they are told."""
        del reason
        for pending in self._pending.values():
            pending.timer.cancel()
        await self._redis.close()

    def statistics(self) -> RequestsStatistics:
        """Return the counts as they are now."""
        return RequestsStatistics(len(self._pending), self._asked, self._unanswered)

    async def _send(self) -> None:
        unsent, self._unsent = self._unsent, []
        numbers = [number for number in unsent if number in self._pending and self._still_wanted(number)]
        try:
            # At no cost while it is subscribed already; and a request whose answer could not be heard need not be sent.
            await self._subscribe()
            numbers = [number for number in numbers if number in self._pending]
            clear = [*self._clear()]
            answers = await self._redis.answers([*clear, *map(self._command, numbers)])
        except UnknownOutcomeError:
            return  # whoever is answered in time is; the others' timers say that nobody knows
        except StoreUnavailableError as error:
            for number in numbers:
                self._fail(number, StoreUnavailableError(str(error)))  # one each: a traceback grows with every raise
        else:
            for number, answer in zip(numbers, answers[len(clear) :], strict=True):
                if isinstance(answer, StoreUnavailableError):
                    self._fail(number, answer)

    async def _subscribe(self) -> None:
        subscriptions = await Subscriptions.subscribe(self.node, self._channel, self.process)
        if self._subscribed is None or self._subscribed.process is not subscriptions:
            self._subscribed = self.process.monitor(subscriptions)
            await self._take_unheard()

    async def _resubscribe(self) -> None:
        try:
            await self._subscribe()
        except StoreUnavailableError:
            self._resubscribe_later()

    def _resubscribe_later(self) -> None:
        asyncio.get_running_loop().call_later(RESUBSCRIBE_S, self.process.send, _RESUBSCRIBE)

    def _take_answer(self, published: bytes) -> None:
        number, answers = read_reply(published)
        self._taken.append(number)
        self._answer(number, Failure(_refused(answers)) if isinstance(answers, Exception) else answers)

    async def _take_unheard(self) -> None:
        with suppress(StoreUnavailableError):  # it is away again, and will be back again
            for answer in await self._redis.call("HVALS", self._answers_key):
                self._take_answer(answer)

    def _clear(self) -> Iterator[Command]:
        """Give the command that deletes what was taken, if anything was.

        It goes along with the next request: alone it would be one more trip to Redis for each answer. If it gets lost,
        what is kept expires.
        """
        if self._taken:
            yield ("HDEL", self._answers_key, *self._taken)
            self._taken.clear()

    @property
    def _answers_key(self) -> str:
        return self._redis.tag + keys.answers_key(self._redis.tag + self._channel)

    def _still_wanted(self, number: int) -> bool:
        """Return whether the caller waits; if not (it was cancelled), forget it."""
        pending = self._pending[number]
        if pending.reply_to.done():
            pending.timer.cancel()
            del self._pending[number]
            return False
        return True

    def _command(self, number: int) -> Command:
        return as_request(self._channel, number, self._pending[number].request.packed, self._redis.tag)

    def _answer(self, number: int, answer: list[Any] | Failure) -> None:
        pending = self._pending.pop(number, None)
        if pending is not None:
            pending.timer.cancel()
            reply(pending.reply_to, answer)

    def _fail(self, number: int, error: StoreUnavailableError) -> None:
        self._unanswered += number in self._pending
        self._answer(number, Failure(error))

    def _give_up(self, number: int) -> None:
        late = f"the writer did not answer within {self._timeout_s:g} s: check that the nodes reach Redis"
        self._fail(number, UnknownOutcomeError(late))


def _refused(error: Exception) -> StoreUnavailableError:
    return StoreUnavailableError(f"the writer could not read a request ({error}): run the same version on all nodes")
