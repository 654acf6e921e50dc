"""`matchstream watch --reconnect` while the server it watches is killed: all is printed, and all of it once."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from tests.stages.fan import Fan
from tests.stages.serving import ServerProcess, environment, matchstream
from tests.stages.stage3.nodes import apis, kicked_off, nodes_below
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stages.game import Game

_KILLS = 3


async def test_a_watch_prints_every_event_once(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with ServerProcess("4", tmp_path / "server", "--nodes", "2") as server:
        port, *_ = server.fan_ports  # of the first node; a node that is started again has its ports
        first, other = server.http_ports[0], server.http_ports[len(server.http_ports) // 2]
        async with apis(*(f"http://{server.host}:{http}" for http in (first, other))) as clients:
            game = (await kicked_off(clients))[1]
            output = tmp_path / "watched"
            with output.open("wb") as file:
                watching = await asyncio.create_subprocess_exec(
                    *matchstream("watch", f"{server.host}:{port}", "--match", game.id, "--reconnect"),
                    env=environment(tmp_path),
                    stdout=file,
                    stderr=asyncio.subprocess.DEVNULL,
                )

            def shown(comment: str) -> bool:
                return comment in output.read_text()

            await eventually(lambda: shown("status"), "the match is watched")
            for number in range(_KILLS):
                await post_and_kill(server, port, game, number)
                await game.insist(f"after-{number}")
                await eventually(lambda number=number: shown(f"after-{number}"), "it watches again")  # type: ignore[misc]
            await game.stop()
            async with asyncio.timeout(DEADLINE_S):
                assert await watching.wait() == 0
            history = await game.api.history(game.id)
    events = [line for line in output.read_text().splitlines()[2:] if " status " not in line]
    assert [line.split()[1] for line in events] == [event.kind for event in history[1:]]
    assert [line.split()[-1] for line in events[:-1]] == [event.details["comment"] for event in history[1:-1]]
    assert "not heard" not in output.read_text()


async def post_and_kill(server: ServerProcess, port: int, game: Game, number: int) -> None:
    """Kill the node of that port between two events, and return when another one is there."""
    await game.insist(f"before-{number}")
    pid = nodes_below(server.pid)[port]
    os.kill(pid, signal.SIGKILL)
    await game.insist(f"missed-{number}")

    async def serves() -> bool:
        if nodes_below(server.pid).get(port) in {None, pid}:
            return False
        try:
            async with Fan((server.host, port)) as fan:
                await fan.welcome()
        except (AssertionError, ConnectionError):
            return False
        return True

    await eventually(serves, "the node is back")
