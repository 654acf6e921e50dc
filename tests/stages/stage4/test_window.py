"""The window of `resume`, against a list of all that happened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.wire.frames import resumed_line
from stages.stage4.window import MOST, MOST_BYTES, READY, Stand, Window


def stand(number: int) -> Stand:
    """Return the place of an event; its epoch is no number of another one."""
    return Stand(number, 1000 + number) if number else Stand(0, 0)


def frame(number: int) -> bytes:
    return b"event %d;" % number


def told(first: int, last: int) -> bytes:
    """Return the frames from one number up to another."""
    return b"".join(frame(number) for number in range(first, last + 1))


def window(base: int, last: int) -> Window:
    """Return a window that began behind one event and has all up to another."""
    made = Window(stand(base))
    for number in range(base + 1, last + 1):
        made.add(stand(number), frame(number))
    return made


def history(first: int, last: int) -> list[tuple[Stand, bytes]]:
    return [(stand(number), frame(number)) for number in range(first, last + 1)]


@given(st.integers(0, 600), st.integers(0, 400), st.integers(0, 700), st.data())
def test_whoever_stands_in_it_is_sent_what_followed_and_nobody_else(
    base: int, events: int, read: int, data: st.DataObject
) -> None:
    last = base + events
    made = window(base, last)
    before = made.base.number
    if not made.reaches_back:
        made.put_before(history(max(1, before - read), before))
    assert made.reaches_back
    # It begins behind the first event that was read, or where there was no more room.
    first = max(before - read if before - read > 1 else 0, last - MOST) if events < MOST and before else before
    assert made.base == stand(first)
    assert made.last == stand(last)
    number = data.draw(st.integers(0, last + 5))
    assert made.has(stand(number)) == (first <= number <= last)
    if made.has(stand(number)):
        assert made.beyond(number) == (last - number, resumed_line(last - number, number) + told(number + 1, last))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=50), st.integers(0, 20))
def test_it_goes_on_after_it_was_asked(asked: list[int], base: int) -> None:
    made, last = Window(stand(base)), base
    for number in asked:
        last += 1
        made.add(stand(last), frame(last))
        if base <= number <= last:
            assert made.beyond(number)[1].endswith(told(number + 1, last))
            assert made.beyond(number) is made.beyond(number)
    for number in range(base, last + 1):  # more places than it keeps ready
        assert made.beyond(number)[0] == last - number
    assert last - base < READY or made.beyond(last)[0] == 0


def test_it_is_bounded_in_events_and_in_bytes() -> None:
    made = window(0, MOST + 10)
    assert len(made) == MOST
    assert made.base == stand(10)
    large = b"x" * (MOST_BYTES // 4)
    for number in range(MOST + 11, MOST + 21):
        made.add(stand(number), large)
    assert len(made) == 4
    assert made.beyond(MOST + 16)[1].endswith(4 * large)
    assert not made.has(stand(MOST + 15))
    made = Window(stand(9))
    made.put_before([(stand(number), large) for number in range(1, 10)])
    assert made.base == stand(5)


def test_it_is_full_of_large_events_and_one_alone_is_too_large() -> None:
    made = Window(stand(5))
    made.add(stand(6), b"x" * (MOST_BYTES + 1))
    assert (len(made), made.base, made.last) == (0, stand(6), stand(6))
    assert made.reaches_back


@pytest.mark.parametrize("number", [3, 5, 7])
def test_a_gap_or_a_step_back_makes_it_begin_anew(number: int) -> None:
    made = window(1, 5)
    assert made.beyond(4)[0] == 1
    made.add(Stand(number, 7), b"other")
    assert (len(made), made.base, made.last) == (0, Stand(number, 7), Stand(number, 7))
    assert not made.has(stand(4))
    assert not made.reaches_back


@pytest.mark.parametrize("epoch", [0, 1, 1004, 1006])
def test_another_course_is_not_taken_for_this_one(epoch: int) -> None:
    made = window(3, 8)
    assert made.has(Stand(5, epoch)) == (epoch == 0)
    assert not Window(Stand(5, 1005)).has(Stand(5, 1))
    assert Window(Stand(5, 0)).has(Stand(5, 1))


@pytest.mark.parametrize("read", [[], [(Stand(4, 1), b""), (Stand(5, 2), b"")], [(stand(3), b""), (stand(4), b"")]])
def test_a_history_that_is_not_its_own_is_left_alone(read: list[tuple[Stand, bytes]]) -> None:
    made = window(5, 7)
    made.put_before(read)
    assert (made.base, len(made)) == (stand(5), 2)
    assert made.reaches_back
