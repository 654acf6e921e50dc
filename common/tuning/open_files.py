"""The limit of open files: read it, move it within what is allowed, count what is in use.

Every connection is an open file, so this limit bounds N. There are two (getrlimit(2)): the *soft* one is enforced, the
*hard* one is how far an unprivileged process may move it. The talk's baseline runs with the usual soft limit of
1,024; its first step is to raise it.
"""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_KEPT: Final = 16


class OpenFilesError(Exception):
    """The limit of open files could not be set, or the open files could not be counted."""


@dataclass(frozen=True)
class OpenFiles:
    """How many files this process may have open: `soft` now, `hard` at most. Both are counts."""

    soft: int
    hard: int

    @classmethod
    def read(cls) -> Self:
        """Return the limits of this process. No limit at all is `sys.maxsize`."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(_count(soft), _count(hard))


def kept_files(limit: int) -> int:
    """Return how many of `limit` files are left free by fans, for those without whom nothing goes on.

    That is the reporter who connects, a look at /proc, a connection to Redis that is made anew: seldom more than ten.
    """
    return min(_KEPT, limit // 8)


def _count(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def set_soft_limit(wanted: int) -> int:
    """Set the soft limit of this process and of its future children to `wanted`, or to the hard limit if that is less.

    Return what it is now; the hard limit stays as it is, so that the soft one can be raised again. Files that are
    open stay open, even above a lowered limit. Raise OpenFilesError if `wanted` is below 1 or the system refuses.
    """
    if wanted < 1:
        raise OpenFilesError(f"a limit of {wanted} open files makes no sense: ask for at least 1")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = min(wanted, _count(hard))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (OSError, ValueError) as error:
        raise OpenFilesError(f"cannot set the limit of open files to {soft:,} ({error}): ask for fewer") from error
    return soft


@contextmanager
def all_open_files() -> Iterator[None]:
    """Let this process, and what it starts, have as many open files inside as is allowed, and as before afterwards.

    Raise OpenFilesError.
    """
    before = OpenFiles.read()
    set_soft_limit(before.hard)
    try:
        yield
    finally:
        set_soft_limit(before.soft)


def count_open_files() -> int:
    """Return how many files this process has open.

    Since Linux 6.2 it is the size of a directory of /proc (proc_pid_fd(5)). Before, that has to be listed, which takes
    some milliseconds when there are ten thousand. Raise OpenFilesError if the system has no /proc.
    """
    directory = Path(f"/proc/{os.getpid()}/fd")
    try:
        size = directory.stat().st_size
        if size:
            return size
        with os.scandir(directory) as listing:
            entries = sum(1 for _ in listing)
    except OSError as error:
        raise OpenFilesError(f"cannot count the open files in {directory}: {error.strerror}") from error
    return entries - 1  # the listing shows the directory too, which was open only for as long as it was read
