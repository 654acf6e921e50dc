"""Questions that cost something are answered in rounds: one at a time, and everybody who asked before it shares it.

What it must guarantee: whoever asks, however many and however often, takes no more than a SHARE of the process's time,
and nobody is told what was before the question. So a question waits for a round that begins after it, and a round for
as long as the one before makes it: one of 2 ms for 40 ms, one of 50 ms for PAUSE_S. A cache would answer sooner, but
with what was before, and a client that asks in a loop would be held up by nothing but the cost of its requests.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")

SHARE: Final = 1 / 20
"""The part of the time that rounds may take: a fan's event waits for one as rarely as that."""
PAUSE_S: Final = 1.0
"""The longest pause between two rounds: those who look once a second are told something new each time."""


class Rounds(Generic[_Question, _Answer]):
    """Has `answer` look at all questions of a round, and gives what it returns, or raises, to everyone who asked."""

    def __init__(self, answer: Callable[[Sequence[_Question]], Awaitable[_Answer]], name: str) -> None:
        self._answer = answer
        self._name = name
        self._questions: list[_Question] = []
        self._answered: asyncio.Future[_Answer] | None = None
        self._task: asyncio.Task[None] | None = None
        self._free_s = float("-inf")

    async def ask(self, question: _Question) -> _Answer:
        """Return the answer of the next round. Raise what `answer` raises; CancelledError if it is stopped before."""
        if self._answered is None:
            self._answered = asyncio.get_running_loop().create_future()
            self._answered.add_done_callback(_see)  # whoever asked may have gone
        self._questions.append(question)
        if self._task is None:
            self._task = asyncio.create_task(self._go_on(), name=self._name)
        return await asyncio.shield(self._answered)  # one who goes leaves the others their answer

    def stop(self) -> None:
        """End the round under way, and all who wait."""
        if self._task is not None:
            self._task.cancel()

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._answered is not None:
                await asyncio.sleep(max(0.0, self._free_s - loop.time()))
                await self._round(self._answered)
        finally:
            self._task = None
            if self._answered is not None:
                self._answered.cancel()

    async def _round(self, answered: asyncio.Future[_Answer]) -> None:
        loop = asyncio.get_running_loop()
        questions = self._questions
        self._questions, self._answered = [], None
        begun_s = loop.time()
        try:
            answered.set_result(await self._answer(questions))
        except Exception as error:  # it is theirs who asked
            answered.set_exception(error)
        finally:
            answered.cancel()  # of no effect unless this was
            self._free_s = loop.time() + min(PAUSE_S, (loop.time() - begun_s) / SHARE)


def _see(answered: asyncio.Future[_Answer]) -> None:
    if not answered.cancelled():
        answered.exception()
