"""Questions that are asked at the same time and answered together: one exchange with Redis where each would be one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from common.store.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    _Asked = list[tuple[Any, asyncio.Future[Any]]]

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


class Coalescer(Generic[_Question, _Answer]):
    """Collects questions for `answer`: one after a pause goes at once, with what else its turn of the loop asks.

    `answer` takes those of a batch and returns what each is told, in order: a StoreUnavailableError is raised there.
    If it raises one, that is everybody's. From one batch to the next it takes `pause_s` seconds; but `most` questions
    wait for nothing. `name` is that of the tasks in which they are answered.
    """

    def __init__(
        self,
        answer: Callable[[list[_Question]], Awaitable[Sequence[_Answer | StoreUnavailableError]]],
        name: str,
        *,
        pause_s: float,
        most: int | None = None,
    ) -> None:
        self._answer = answer
        self._name = name
        self._pause_s = pause_s
        self._most = most
        self._asked: _Asked = []
        self._due: asyncio.Handle | None = None
        self._last_s = float("-inf")
        self._under_way: set[asyncio.Task[None]] = set()

    def ask(self, question: _Question) -> Awaitable[_Answer]:
        """Return what the answer is awaited by, which raises StoreUnavailableError; a coroutine less for each asker."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[_Answer] = loop.create_future()
        self._asked.append((question, answered))
        if len(self._asked) == self._most:
            self._begin()
        elif self._due is None:
            due_s = self._last_s + self._pause_s
            self._due = loop.call_soon(self._begin) if due_s <= loop.time() else loop.call_at(due_s, self._begin)
        return answered

    def close(self) -> None:
        """Give up what is not answered yet."""
        self._stop_waiting()
        for task in self._under_way:
            task.cancel()
        _fail(self._asked, StoreUnavailableError("closed by this program"))

    def _begin(self) -> None:
        self._stop_waiting()
        asked, self._asked = self._asked, []
        self._last_s = asyncio.get_running_loop().time()
        task = asyncio.create_task(self._answer_all(asked), name=self._name)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answer_all(self, asked: _Asked) -> None:
        try:
            answers = await self._answer([question for question, _ in asked])
        except StoreUnavailableError as error:
            _fail(asked, error)
        except BaseException:
            _fail(asked, StoreUnavailableError("given up before it was answered"))
            raise
        else:
            for (_, answered), answer in zip(asked, answers, strict=True):
                if answered.done():
                    continue  # whoever asked does not wait any more
                if isinstance(answer, StoreUnavailableError):
                    answered.set_exception(answer)
                else:
                    answered.set_result(answer)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


def _fail(asked: _Asked, error: StoreUnavailableError) -> None:
    for _, answered in asked:
        if not answered.done():
            answered.set_exception(type(error)(str(error)))  # one each: a traceback grows with every raise
