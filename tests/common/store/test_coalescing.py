"""Questions that share an exchange, on virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from common.store.coalescing import Coalescer
from common.store.errors import StoreUnavailableError, UnknownOutcomeError
from tests.virtual_time import now_s, run_virtual

if TYPE_CHECKING:
    from collections.abc import Sequence

PAUSE_S = 1.0
TAKES_S = 0.25


class Echo:
    """Answers with the questions in capitals, refuses those that are empty, and fails altogether with `error`."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.batches: list[tuple[float, list[str]]] = []
        self._error = error

    async def answer(self, questions: list[str]) -> Sequence[str | StoreUnavailableError]:
        self.batches.append((now_s(), questions))
        await asyncio.sleep(TAKES_S)
        if self._error is not None:
            raise self._error
        return [question.upper() or StoreUnavailableError("empty") for question in questions]


def test_those_of_a_turn_go_at_once_and_those_behind_them_after_a_pause() -> None:
    async def main() -> None:
        echo = Echo()
        questions = Coalescer(echo.answer, "echo", pause_s=PAUSE_S)
        assert await asyncio.gather(*map(questions.ask, "abc")) == ["A", "B", "C"]
        assert await asyncio.gather(*map(questions.ask, "de")) == ["D", "E"]
        await asyncio.sleep(2 * PAUSE_S)
        assert await questions.ask("f") == "F"
        assert echo.batches == [
            (0.0, ["a", "b", "c"]),
            (PAUSE_S, ["d", "e"]),
            (pytest.approx(3 * PAUSE_S + TAKES_S), ["f"]),
        ]

    run_virtual(main())


def test_so_many_wait_for_nothing() -> None:
    async def main() -> None:
        echo = Echo()
        questions = Coalescer(echo.answer, "echo", pause_s=PAUSE_S, most=2)
        await asyncio.gather(*map(questions.ask, "abcde"))
        assert echo.batches == [(0.0, ["a", "b"]), (0.0, ["c", "d"]), (PAUSE_S, ["e"])]

    run_virtual(main())


def test_a_refusal_is_its_askers_and_a_failure_everybodys() -> None:
    async def main() -> None:
        questions = Coalescer(Echo().answer, "echo", pause_s=PAUSE_S)
        a, refused, b = await asyncio.gather(*map(questions.ask, ["a", "", "b"]), return_exceptions=True)
        assert (a, str(refused), b) == ("A", "empty", "B")
        failing = Coalescer(Echo(UnknownOutcomeError("no answer")).answer, "echo", pause_s=PAUSE_S)
        failures = await asyncio.gather(*map(failing.ask, "ab"), return_exceptions=True)
        assert [(type(failure), str(failure)) for failure in failures] == [(UnknownOutcomeError, "no answer")] * 2
        assert failures[0] is not failures[1], "each may be raised, and raised again, on its own"

    run_virtual(main())


def test_an_asker_who_leaves_disturbs_nobody() -> None:
    async def main() -> None:
        questions = Coalescer(Echo().answer, "echo", pause_s=PAUSE_S)
        leaving, staying = (asyncio.ensure_future(questions.ask(question)) for question in "ab")
        await asyncio.sleep(TAKES_S / 2)
        leaving.cancel()
        assert await staying == "B"
        assert leaving.cancelled()

    run_virtual(main())


def test_a_crash_leaves_nobody_waiting() -> None:
    async def main() -> None:
        crashes: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: crashes.append(context["exception"]))
        crash = ZeroDivisionError()
        questions = Coalescer(Echo(crash).answer, "echo", pause_s=PAUSE_S)
        with pytest.raises(StoreUnavailableError, match="given up before it was answered"):
            await questions.ask("a")
        await asyncio.sleep(0)
        assert crashes == [crash]

    run_virtual(main())


def test_to_close_gives_up_what_is_under_way_and_what_waits() -> None:
    async def main() -> None:
        echo = Echo()
        questions = Coalescer(echo.answer, "echo", pause_s=PAUSE_S)
        sent = questions.ask("a")
        await asyncio.sleep(TAKES_S / 2)
        waiting = questions.ask("b")
        questions.close()
        with pytest.raises(StoreUnavailableError, match="given up before it was answered"):
            await sent
        with pytest.raises(StoreUnavailableError, match="closed by this program"):
            await waiting
        await asyncio.sleep(2 * PAUSE_S)
        assert echo.batches == [(0.0, ["a"])]

    run_virtual(main())
