"""Room for all descriptors in the kernel's table, before the first fan comes.

A process's table of open files begins small and is doubled whenever it is full. In a process of several threads, as one
with a resolver or a logger is, each time waits for all processors to have passed a quiescent state
(`expand_fdtable` in fs/file.c calls `synchronize_rcu`): 10 to 30 ms in which nobody is served, and that seven times
while the first 8,000 fans come. The kernel has no call to ask for a larger table; a descriptor with a high number makes
it one (fcntl(2), F_DUPFD_CLOEXEC).
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import Final

from common.tuning.open_files import OpenFiles

MOST: Final = 65_536
"""No larger from the start: that is half a megabyte of kernel memory."""


def make_room(file: int) -> None:
    """Have this process's table hold as many descriptors as it may open, up to MOST. `file` is one that is open."""
    highest = min(OpenFiles.read().soft, MOST) - 1
    with suppress(OSError):  # if that number and all above are in use, the table is as large as it gets
        os.close(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, highest))
