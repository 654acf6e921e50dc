"""Starts generator processes, as copies of one that is warm: `python -m harness.load.fork_server CONTROL:PROGRESS …`.

An interpreter that has loaded the generator has taken a quarter of a second of CPU and 10 MB of memory of its own. Two
million fans need more than a hundred of them where a process may have 20,000 files open. A copy shares with the others
what none of them writes to (fork(2)), so what the collector would write to is kept from it.

CONTROL and PROGRESS are file descriptors of one generator process. The first line of standard output has their process
ids, in that order; then comes a line `PID STATUS` for each that ended, with its exit status, or minus the number of the
signal that killed it. When standard input ends, all are killed, and this process ends after the last of them. If it is
killed itself, so are they.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

from common.tuning.children import die_with_parent
from common.tuning.open_files import OpenFiles, set_soft_limit
from harness.load.worker import play

if TYPE_CHECKING:
    from collections.abc import Sequence

Descriptors = tuple[int, int]
"""Of the control connection and of the shared progress of one process."""


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    """Start all, say who they are, and look after them until the end of standard input."""
    set_soft_limit(OpenFiles.read().hard)
    gc.disable()  # nothing here makes cycles, and a collection in the middle of a burst would be taken for the server's
    gc.freeze()
    every = [_descriptors(argument) for argument in arguments]
    pids = [_copy(each, every) for each in every]
    for each in every:
        for fd in each:
            os.close(fd)
    _say(*pids)
    _look_after(pids)


def _descriptors(argument: str) -> Descriptors:
    control, _, progress = argument.partition(":")
    return int(control), int(progress)


def _copy(own: Descriptors, every: Sequence[Descriptors]) -> int:
    """Return the process id of a copy of this process that plays the job of these descriptors, and ends."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_copy(own, every, parent)
    return pid


def _be_copy(own: Descriptors, every: Sequence[Descriptors], parent: int) -> NoReturn:
    status = 1
    try:
        die_with_parent(parent, signal.SIGKILL)
        for each in every:
            if each != own:  # else nobody would see that the process ended that they belong to
                for fd in each:
                    os.close(fd)
        play(*own)
        status = 0
    except BaseException:  # of a copy nothing must get back to where the others are made
        traceback.print_exc()
    finally:
        os._exit(status)  # the end of an interpreter is for the one that began as such


def _look_after(pids: Sequence[int]) -> None:
    alive = {os.pidfd_open(pid): pid for pid in pids}
    poll = select.poll()
    for fd in (sys.stdin.fileno(), *alive):
        poll.register(fd, select.POLLIN)
    is_over = False
    while alive or not is_over:
        for fd, _ in poll.poll():
            if fd in alive:
                poll.unregister(fd)
                os.close(fd)
                pid = alive.pop(fd)
                _say(pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            else:  # nothing is ever written to it: that is its end
                poll.unregister(fd)
                is_over = True
                for pidfd in alive:
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _say(*numbers: int) -> None:
    try:
        sys.stdout.write(f"{' '.join(map(str, numbers))}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return  # whoever is not there any more does not want to know


if __name__ == "__main__":
    main()
