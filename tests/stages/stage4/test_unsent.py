"""What a socket did not take: it goes out whole and in order, however little is taken at a time."""

from __future__ import annotations

import os
import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.stage4.unsent import Unsent

if TYPE_CHECKING:
    from collections.abc import Iterator

messages = st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=8)


class Narrow:
    """A descriptor that takes so many bytes of each write, 0: none now."""

    def __init__(self, takes: list[int]) -> None:
        self._takes = takes
        self.taken = b""

    def write(self, fd: int, data: bytes) -> int:
        assert fd == 7
        takes = self._takes.pop(0) if self._takes else len(data)
        if not takes:
            raise BlockingIOError
        self.taken += data[:takes]
        return len(data[:takes])


@contextmanager
def narrow(takes: list[int]) -> Iterator[Narrow]:
    with pytest.MonkeyPatch.context() as patch:
        found = Narrow(takes)
        patch.setattr("stages.stage4.unsent.os.write", found.write)
        yield found


@given(messages, st.lists(st.integers(0, 25), max_size=30))
def test_all_goes_out_in_order_whatever_is_taken_at_a_time(first: list[bytes], takes: list[int]) -> None:
    unsent = Unsent(first[0])
    for message in first[1:]:
        unsent.add(message)
    whole = b"".join(first)
    with narrow([*takes]) as fd:
        while not unsent.write(7):
            assert unsent.size == len(whole) - len(fd.taken) > 0
        assert fd.taken == whole
        assert unsent.size == 0


@given(messages, st.integers(0, 19))
def test_what_is_dropped_is_dropped_whole(later: list[bytes], takes: int) -> None:
    """Of the first message a part may be with the fan: it is sent to its end."""
    unsent = Unsent(b"01234567890123456789")
    for message in later:
        unsent.add(message)
    with narrow([takes]) as fd:
        assert not unsent.write(7)
        unsent.drop_whole()
        assert unsent.size == 20 - takes
        unsent.add(b"last")
        assert unsent.write(7)
        assert fd.taken == b"01234567890123456789last"


def test_a_connection_that_has_broken_is_told() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with closing(ours), pytest.raises(BrokenPipeError):
        Unsent(b"to nobody").write(ours.fileno())


def test_a_message_is_kept_once_for_all_who_wait_for_it() -> None:
    """Not a copy a fan."""
    message = b"x" * 10_000
    taken: list[bytes] = []

    def take(_fd: int, data: bytes) -> int:
        taken.append(data)
        return len(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", take)
        for _ in range(2):
            unsent = Unsent(b"rest")
            unsent.add(message)
            assert unsent.write(7)
    assert [each for each in taken if each is message] == [message, message]
