"""Stamps of a clock that may be set, told in the time of one that may not."""

from __future__ import annotations

import struct
from time import CLOCK_REALTIME

from hypothesis import given
from hypothesis import strategies as st

from harness.load.clock import ArrivalClock

SECOND = 1_000_000_000


class Machine:
    """Two clocks: each look takes a microsecond, and one of them can be set."""

    def __init__(self, ahead_ns: int) -> None:
        self.monotonic_ns = 1_000 * SECOND
        self.ahead_ns = ahead_ns

    def read_ns(self, clock: int) -> int:
        self.monotonic_ns += 1_000
        return self.monotonic_ns + (self.ahead_ns if clock == CLOCK_REALTIME else 0)

    def monotonic(self) -> float:
        self.monotonic_ns += 1_000
        return self.monotonic_ns / SECOND

    def stamp(self) -> list[tuple[int, int, bytes]]:
        """What the kernel adds to something that arrives now."""
        return [(1, 35, struct.pack("ll", *divmod(self.monotonic_ns + self.ahead_ns, SECOND)))]


@given(ahead_ns=st.integers(0, 2**61), later_ns=st.integers(0, 3600 * SECOND), read_after_ns=st.integers(0, SECOND))
def test_what_arrived_is_told_by_its_arrival_however_late_it_is_read(
    ahead_ns: int, later_ns: int, read_after_ns: int
) -> None:
    machine = Machine(ahead_ns)
    clock = ArrivalClock(machine.read_ns, machine.monotonic)
    clock.begin(1_000.0)
    machine.monotonic_ns += later_ns
    clock.check()
    arrived_s = machine.monotonic_ns / SECOND - 1_000
    stamp = machine.stamp()
    machine.monotonic_ns += read_after_ns
    assert abs(clock.arrival(stamp) - arrived_s) < 2e-6
    assert clock.steps == 0


@given(step_ns=st.integers(-(2**50), 2**50).filter(lambda step: abs(step) > 100_000))
def test_a_clock_that_was_set_is_not_believed_until_the_next_turn(step_ns: int) -> None:
    machine = Machine(2**60)
    clock = ArrivalClock(machine.read_ns, machine.monotonic)
    clock.begin(1_000.0)
    before_step = machine.stamp()
    machine.ahead_ns += step_ns
    clock.check()
    read_s = machine.monotonic_ns / SECOND - 1_000
    assert abs(clock.arrival(before_step) - read_s) < 2e-6
    clock.check()
    arrived_s = machine.monotonic_ns / SECOND - 1_000
    assert abs(clock.arrival(machine.stamp()) - arrived_s) < 2e-6
    assert clock.steps == 1


def test_what_has_no_stamp_came_when_it_was_read() -> None:
    machine = Machine(0)
    clock = ArrivalClock(machine.read_ns, machine.monotonic)
    clock.begin(1_000.0)
    machine.monotonic_ns += 5 * SECOND
    assert abs(clock.arrival([]) - 5) < 1e-3
