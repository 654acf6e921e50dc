"""Rounds: who asks together shares an answer, nobody is told what was before, and they take a share of the time."""

import asyncio
from collections.abc import Sequence

import pytest

from common.otp.rounds import PAUSE_S, SHARE, Rounds
from tests.virtual_time import idle, now_s, run_virtual


class Look:
    """Answers after `cost_s`; knows when each round began, and what was asked in it."""

    def __init__(self, cost_s: float) -> None:
        self.cost_s = cost_s
        self.rounds: list[tuple[float, list[str]]] = []

    async def __call__(self, questions: Sequence[str]) -> int:
        self.rounds.append((now_s(), list(questions)))
        await asyncio.sleep(self.cost_s)
        if "wrong" in questions:
            raise ValueError("wrong")
        return len(self.rounds)


async def asked_at(rounds: Rounds[str, int], at_s: float, question: str) -> int:
    await asyncio.sleep(at_s - now_s())
    return await rounds.ask(question)


def test_who_asks_while_a_round_is_under_way_shares_the_next_one() -> None:
    look = Look(cost_s=0.01)

    async def main() -> list[int]:
        rounds = Rounds(look, "looks")
        asked = [asked_at(rounds, at_s, who) for at_s, who in ((0, "a"), (0, "b"), (0.005, "c"), (0.1, "d"))]
        return await asyncio.gather(*asked)

    assert run_virtual(main()) == [1, 1, 2, 2]
    assert look.rounds == [(0.0, ["a", "b"]), (0.01 + 0.01 / SHARE, ["c", "d"])]


@pytest.mark.parametrize(("cost_s", "pause_s"), [(0.001, 0.001 / SHARE), (0.2, PAUSE_S)])
def test_clients_who_loop_get_a_share_of_the_time_and_no_more(cost_s: float, pause_s: float) -> None:
    look = Look(cost_s)

    async def loop(rounds: Rounds[str, int]) -> None:
        for _ in range(5):
            await rounds.ask("again")

    async def main() -> None:
        rounds = Rounds(look, "looks")
        await asyncio.gather(*(loop(rounds) for _ in range(8)))

    run_virtual(main())
    begun = [at_s for at_s, _ in look.rounds]
    assert begun == pytest.approx([(cost_s + pause_s) * number for number in range(5)], abs=0.0011)
    assert all(len(questions) == 8 for _, questions in look.rounds)


def test_a_failure_is_theirs_who_asked_and_one_who_goes_takes_nothing_along() -> None:
    look = Look(cost_s=0.01)

    async def main() -> list[object]:
        rounds = Rounds(look, "looks")
        goes = asyncio.create_task(rounds.ask("goes"))
        stays = asyncio.create_task(rounds.ask("stays"))
        await idle()
        goes.cancel()
        wrong = asyncio.create_task(rounds.ask("wrong"))
        ended = await asyncio.gather(goes, stays, wrong, return_exceptions=True)
        return [*ended, await rounds.ask("after")]

    went, stayed, wrong, after = run_virtual(main())
    assert isinstance(went, asyncio.CancelledError)
    assert isinstance(wrong, ValueError)
    assert (stayed, after) == (1, 3)


def test_a_failure_that_nobody_waits_for_any_more_is_no_news() -> None:
    unhandled: list[dict[str, object]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))
        rounds = Rounds(Look(cost_s=0.01), "looks")
        goes = asyncio.create_task(rounds.ask("wrong"))
        await idle()
        assert "looks" in {task.get_name() for task in asyncio.all_tasks()}
        goes.cancel()
        await asyncio.sleep(1)

    run_virtual(main())
    assert unhandled == []


def test_those_who_wait_when_it_is_stopped_are_told() -> None:
    async def main() -> list[object]:
        rounds = Rounds(Look(cost_s=10), "looks")
        waiting = [asyncio.create_task(asked_at(rounds, at_s, "?")) for at_s in (0, 1)]
        await asyncio.sleep(2)
        rounds.stop()
        return [type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)]

    assert run_virtual(main()) == [asyncio.CancelledError] * 2
