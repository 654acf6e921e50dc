"""A wave of fans at a server that has no time to accept: the kernel keeps as many as the backlog allows."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from common.wire.frames import WELCOME
from stages.catalogue import STAGES
from tests.stages.serving import ServerProcess
from tests.stages.waiting import DEADLINE_S

WAVE: Final = 300
FEW: Final = 2 * (STAGES["0"].parts.backlog + 1)
"""More than an accept queue takes that is as long as the baseline's, whatever is on its way into it."""


@pytest.fixture
def wave() -> int:
    """Return a number of fans that the kernel lets a backlog hold."""
    return min(WAVE, int(Path("/proc/sys/net/core/somaxconn").read_text()))


def stop(server: ServerProcess) -> None:
    """Take a server's time away."""
    server.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)  # returns when that has come about


def connect_all(stack: ExitStack, server: ServerProcess, count: int) -> list[socket.socket]:
    """Have fans connect at the same moment, and wait for none."""
    fans = []
    for _ in range(count):
        fan = stack.enter_context(socket.socket())
        fan.setblocking(False)
        assert fan.connect_ex((server.host, server.fan_ports[0])) in {0, errno.EINPROGRESS}
        fans.append(fan)
    return fans


def is_established(fan: socket.socket, within_s: float) -> bool:
    """Return whether a fan is connected, as far as it can tell."""
    poll = select.poll()
    poll.register(fan, select.POLLOUT)
    return [events for _, events in poll.poll(within_s * 1000)] == [select.POLLOUT]


def test_a_wave_waits_in_the_accept_queue(tmp_path: Path, wave: int) -> None:
    with ServerProcess("0", tmp_path, "--with", "backlog") as server, ExitStack() as stack:
        stop(server)
        try:
            fans = connect_all(stack, server, wave)
            assert all(is_established(fan, DEADLINE_S) for fan in fans)
        finally:
            server.send_signal(signal.SIGCONT)
        for fan in fans:
            fan.settimeout(DEADLINE_S)
            assert fan.recv(len(WELCOME), socket.MSG_WAITALL) == WELCOME


def test_the_baseline_has_room_for_a_handful(tmp_path: Path, wave: int) -> None:
    with ServerProcess("0", tmp_path) as server, ExitStack() as stack:
        stop(server)
        try:
            fans = connect_all(stack, server, wave)
            assert 0 < sum(is_established(fan, 0) for fan in fans) <= FEW
        finally:
            server.send_signal(signal.SIGCONT)
