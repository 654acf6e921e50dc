import os
import pty
import termios
from collections.abc import Iterator

import pytest

from harness.show.live.keys import read_keys, single_keys


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Return the two ends of a terminal: whoever types, and the program."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def test_a_key_comes_at_once_and_unseen_and_the_terminal_is_given_back(terminal: tuple[int, int]) -> None:
    person, program = terminal
    before = termios.tcgetattr(program)
    with single_keys(program):
        assert not termios.tcgetattr(program)[3] & (termios.ICANON | termios.ECHO)
        assert termios.tcgetattr(program)[3] & termios.ISIG
        os.write(person, b"s")
        assert read_keys(program) == "s"
    assert termios.tcgetattr(program) == before


def test_it_is_given_back_whatever_came(terminal: tuple[int, int]) -> None:
    _, program = terminal
    before = termios.tcgetattr(program)

    def crash() -> None:
        with single_keys(program):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert termios.tcgetattr(program) == before


@pytest.mark.parametrize(
    ("typed", "keys"), [(b"sr", "sr"), ("ñ".encode(), "ñ"), (b"\x1b", "\x1b"), (b"\x1b[A", ""), (b"\xff", "")]
)
def test_what_is_no_key_is_passed_over(terminal: tuple[int, int], typed: bytes, keys: str) -> None:
    person, program = terminal
    with single_keys(program):
        os.write(person, typed)
        assert read_keys(program) == keys


def test_a_terminal_that_has_gone_is_told() -> None:
    person, program = pty.openpty()
    os.close(person)
    assert read_keys(program) is None
    os.close(program)


def test_the_end_of_a_file_is_told() -> None:
    end, other = os.pipe()
    os.close(other)
    assert read_keys(end) is None
    os.close(end)
