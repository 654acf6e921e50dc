"""The warm parent of a node's workers: a process that has all modules loaded, and does nothing but fork.

A worker that is forked shares its parent's pages until one of them writes to it (fork(2)), and is there in some
milliseconds, where a program of its own would take 40 MB and a second of imports. What is loaded is frozen before, so
that no garbage collector walks over it and writes to its pages (gc.freeze: "disable gc early, freeze before fork").

It is a program of its own since a process with an event loop and threads must not be forked: what those hold is copied
in the middle of whatever they do. It has neither. It holds the socket by which the node speaks to it, and ends with
that; a worker is killed by the kernel when its parent has ended (prctl(2), PR_SET_PDEATHSIG). So nothing is left behind
however the node ends, and a worker that hangs goes, too. SIGTERM and SIGINT mean nothing here: whoever signals all
processes of a service at once would else cut off the fans to whom the node is about to have goodbye said.

Rejected: the forkserver of `multiprocessing`. It blocks who starts a process until all modules are loaded (3 s), runs a
resource tracker beside (13 MB), lasts as long as the program that has started it, and ends at SIGTERM.
"""

from __future__ import annotations

import gc
import os
import pickle
import selectors
import signal
import socket
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from common.tuning.children import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stages.stage4.worker_messages import Setup

    Begin = Callable[[Setup, int, Sequence[int]], int]
    """Is a worker: with its setup, the descriptors of its channel and of its listening sockets; returns its status."""

MOST_BYTES: Final = 65_536
"""Of a message between a node and its zygote."""
_MOST_FILES: Final = 253
"""That may come with a message (unix(7), SCM_MAX_FD)."""
_CRASHED: Final = 70
"""The exit status of a worker that could not go on (sysexits.h, EX_SOFTWARE)."""


@dataclass(frozen=True, slots=True)
class Fork:
    """To the zygote: be a worker; its channel and its listening sockets come with this message."""

    setup: Setup


@dataclass(frozen=True, slots=True)
class Kill:
    """To the zygote: end that child with SIGKILL, if it is still there."""

    pid: int


@dataclass(frozen=True, slots=True)
class Forked:
    """From the zygote: this is the child that was ordered; orders are carried out one after the other."""

    pid: int


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """From the zygote: a child has ended with this status, negative if a signal ended it."""

    pid: int
    status: int


class Zygote:
    """Forks when the node says so, until the node has gone. `begin` is called in the child."""

    def __init__(self, control: socket.socket, begin: Begin) -> None:
        self._control = control
        self._begin = begin
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, int] = {}
        """Process ids by the descriptors that are readable when the process has ended (pidfd_open(2))."""

    def run(self) -> None:
        """Return when the node has gone."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        gc.disable()
        gc.collect()
        gc.freeze()
        self._selector.register(self._control, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fd != self._control.fileno():
                    self._reap(key.fd)
                elif not self._obey():
                    return

    def _obey(self) -> bool:
        """Do what one message says; return whether there was one."""
        try:
            data, files, _, _ = socket.recv_fds(self._control, MOST_BYTES, _MOST_FILES)
        except ConnectionError:
            return False
        if not data:
            return False
        order: Fork | Kill = pickle.loads(data)  # noqa: S301  # a node of this program has written it
        if isinstance(order, Fork):
            self._fork(order, files)
        elif order.pid in self._children.values():  # it is there, or waits to be reaped: no other has its number
            os.kill(order.pid, signal.SIGKILL)
        return True

    def _fork(self, order: Fork, files: Sequence[int]) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._be_child(parent, order.setup, files)
        for file in files:
            os.close(file)
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = pid
        self._selector.register(pidfd, selectors.EVENT_READ)
        self._say(Forked(pid))

    def _be_child(self, parent: int, setup: Setup, files: Sequence[int]) -> None:
        """Never return: what stands above this on the stack is the parent's."""
        status = _CRASHED
        try:
            die_with_parent(parent, signal.SIGKILL)
            self._selector.close()
            self._control.close()
            for pidfd in self._children:
                os.close(pidfd)
            gc.enable()
            channel, *listening = files
            status = self._begin(setup, channel, listening)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)  # no memory is given back piece by piece, which would copy all that is shared

    def _reap(self, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        pid = self._children.pop(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._say(ChildEnded(pid, os.waitstatus_to_exitcode(status)))

    def _say(self, message: Forked | ChildEnded) -> None:
        try:
            self._control.send(pickle.dumps(message))
        except ConnectionError:
            return  # the node has gone, as the next look will show
