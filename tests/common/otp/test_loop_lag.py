"""The lag of the loop: seen while somebody looks, and not measured when nobody does."""

import asyncio

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
    assert not lag.runs
    assert lag.look() is None
    assert lag.runs
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
    assert lag.runs
    await asyncio.sleep(2)
    assert not lag.runs
    assert lag.look() is None
    lag.stop()


async def test_a_stopped_one_tells_nothing_and_can_be_stopped_again() -> None:
    lag = LoopLag(Clock())
    lag.look()
    await asyncio.sleep(PERIOD_S * 2)
    assert isinstance(lag.look(), LoopLagStatistics)
    lag.stop()
    lag.stop()
    assert not lag.runs
