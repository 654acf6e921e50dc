"""What is set on the listening socket holds for every connection, and a fan who does not read cannot stay for ever."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from common.listening import listen_on
from common.wire.frames import WELCOME
from stages.catalogue import find_stage
from stages.stage0.client import Client
from stages.stage2_1 import SEND_TIMEOUT_MS, SOCKET_OPTIONS
from tests.stages.in_process.running import play_on, watching
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running

SHORT_MS: Final = 500
SMALL: Final = 1024
EVENTS: Final = 60
"""Of 280 bytes and more each: several times what a small receive buffer takes."""


@pytest.fixture
def stage() -> Stage:
    """Return the baseline with the lesson, and a send that stalls is ended sooner."""
    stage = find_stage("0", added=["tcp-options"])
    options = tuple(
        (level, name, SHORT_MS if value == SEND_TIMEOUT_MS else value)
        for level, name, value in stage.parts.socket_options
    )
    return replace(stage, parts=replace(stage.parts, socket_options=options))


def test_what_is_accepted_has_the_options() -> None:
    with listen_on("127.0.0.1", 0, 5, SOCKET_OPTIONS) as listening, socket.socket() as fan:
        fan.connect(listening.getsockname())
        listening.setblocking(True)
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == SEND_TIMEOUT_MS


async def test_a_fan_who_does_not_read_is_closed(running: Running, connect: Connect, game: Game) -> None:
    def clients() -> int:
        return sum(1 for _ in running.node.servers(Client))

    async with watching(connect, game, "reader") as fans:
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)  # before it connects: that is its window
            stalled.connect(("127.0.0.1", running.addresses.fans[0]))
            stalled.sendall(f"VERSION:1:CONNECT:stalled:MATCH:{game.id}\n".encode())
            await eventually(lambda: running.node.whereis("user-stalled") is not None, "it watches")
            for number in range(EVENTS):
                await game.foul(f"{number:x>280}")
            await eventually(lambda: clients() == 1, "the fan who does not read is closed")
            await eventually(lambda: running.node.whereis("user-stalled") is None, "and its user forgets it")
            assert stalled.recv(len(WELCOME)) == WELCOME  # it was only too slow
        await play_on(game, fans)
