"""Keys from a terminal, one at a time and unseen, while a program draws on it."""

import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 1024  # bytes of one read: more than anybody types between two


@contextmanager
def single_keys(fd: int) -> Iterator[None]:
    """Have a terminal hand over each key at once and not show it, inside; afterwards it is as it was, whatever came.

    Ctrl-C still interrupts.
    """
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def read_keys(fd: int) -> str | None:
    """Return what was typed since the last time; None when the terminal has gone.

    Keys that send several characters, such as arrows, are passed over.
    """
    try:
        typed = os.read(fd, _MOST)
    except OSError:  # EIO: nobody is at the other end
        return None
    if not typed:
        return None
    text = typed.decode(errors="ignore")
    return "" if text[0:1] == "\x1b" and len(text) > 1 else text
