"""A server with all its processes, which are to end with it.

A stage with nodes is a parent, its nodes, and a Redis. Told to end, the parent ends the others; one that was killed
cannot, and a child that hangs does not obey. So who belongs to it is noted before it is told: whoever is in its session
(also a child whose own parent has ended stays there), and whoever descends from them (a Redis has its own session).
"""

import contextlib
import time
from collections.abc import Iterable

import psutil

from harness.interruption import raise_if_interrupted
from harness.proc import all_processes, descended

_LOOK_EVERY_S = 0.02


def family(leader: int) -> tuple[psutil.Process, ...]:
    """Return the processes that belong to `leader`, which leads a session: itself, if it is there, and all others."""
    everyone = all_processes()
    of_session = {stat.pid for stat in everyone if stat.session == leader}
    members = []
    for stat in descended({leader, *of_session}, everyone):
        with contextlib.suppress(psutil.NoSuchProcess):
            members.append(psutil.Process(stat.pid))
    return tuple(members)


def end_all(processes: Iterable[psutil.Process], patience_s: float) -> None:
    """Wait until all have ended; after `patience_s`, or when that is interrupted, kill those that have not."""
    left = list(set(processes))
    deadline = time.monotonic() + patience_s
    try:
        while left and time.monotonic() < deadline:
            raise_if_interrupted()
            left = psutil.wait_procs(left, _LOOK_EVERY_S)[1]
    finally:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):  # psutil also refuses another that has its number now
                process.kill()
