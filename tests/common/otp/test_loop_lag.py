"""The lag of the loop: seen while somebody looks, and not measured when nobody does."""

import asyncio
import itertools

import pytest

from common.otp.loop_lag import PATIENCE_S, PERIOD_S, WINDOW, LoopLag, LoopLagStatistics


class Clock:
    """Time as the loop tells it, and then some: a loop that was held up sees more of it pass."""

    def __init__(self) -> None:
        self.extra_s = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.extra_s


async def test_it_starts_with_a_look_and_tells_how_late_the_loop_was() -> None:
    clock = Clock()
    lag = LoopLag(clock)
    assert lag.look() is None
    await asyncio.sleep(PERIOD_S * 1.5)
    clock.extra_s += 0.3  # something holds the loop up
    await asyncio.sleep(PERIOD_S * 3)
    found = lag.look()
    assert found is not None
    assert 0.29 < found.max_s < 0.31
    assert 0.0 < found.mean_s < found.max_s
    lag.stop()


async def test_it_forgets_what_is_long_ago() -> None:
    clock = Clock()
    lag = LoopLag(clock)
    lag.look()
    clock.extra_s += 1.0
    await asyncio.sleep(PERIOD_S * (WINDOW + 2))
    found = lag.look()
    assert found is not None
    assert found.max_s < 0.001
    lag.stop()


async def test_it_ends_by_itself_when_nobody_looks_any_more() -> None:
    lag = LoopLag(Clock())
    lag.look()
    await asyncio.sleep(PATIENCE_S - 1)
    lag.look()
    await asyncio.sleep(PATIENCE_S - 1)
    await asyncio.sleep(2)
    assert lag.look() is None, "it has begun anew"
    lag.stop()


async def test_a_stopped_one_tells_nothing_and_can_be_stopped_again() -> None:
    lag = LoopLag(Clock())
    lag.look()
    await asyncio.sleep(PERIOD_S * 2)
    assert isinstance(lag.look(), LoopLagStatistics)
    lag.stop()
    lag.stop()
    assert lag.look() is None
    lag.stop()


async def test_each_sample_says_when_it_was_and_how_late_oldest_first() -> None:
    clock = Clock()
    lag = LoopLag(clock)
    lag.look()
    await asyncio.sleep(PERIOD_S * 1.5)
    clock.extra_s += 0.5  # held up before the second timer, which the loop comes to 0.05 s later
    await asyncio.sleep(PERIOD_S * 1.7)
    found = lag.look()
    assert found is not None
    assert [sample.late_s for sample in found.samples] == pytest.approx([0.0, 0.5, 0.0])
    assert [sample.ago_s for sample in found.samples] == pytest.approx([0.72, 0.12, 0.02])
    lag.stop()


async def test_who_looks_every_two_seconds_misses_none_however_long_the_loop_was_held_up() -> None:
    clock = Clock()
    lag = LoopLag(clock)
    lag.look()
    seen: set[float] = set()
    for _ in range(5):
        await asyncio.sleep(2.0)
        clock.extra_s += 30.0
        found = lag.look()
        assert found is not None
        seen |= {round(clock() - sample.ago_s, 3) for sample in found.samples}
    moments = sorted(seen)
    gaps = [round(after - before, 3) for before, after in itertools.pairwise(moments)]
    assert len(moments) > 90
    assert gaps.count(pytest.approx(30.0 + PERIOD_S)) == 4
    assert sum(gap == pytest.approx(PERIOD_S) for gap in gaps) == len(gaps) - 4
    lag.stop()
