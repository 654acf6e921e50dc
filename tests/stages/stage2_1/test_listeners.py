"""Many ports in a row, of which everybody is told in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.http.client import ReporterClient
from stages.stage2_1 import LISTENERS
from tests.stages.fan import Fan
from tests.stages.in_process.running import play_on, watching
from tests.stages.serving import TOKEN

if TYPE_CHECKING:
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running


def test_the_ports_are_in_a_row(running: Running) -> None:
    for first, last in (running.addresses.fans, running.addresses.http):
        assert last - first + 1 == LISTENERS
    assert sum(process.kind == "Listener" for process in running.node.processes()) == LISTENERS


async def test_every_port_is_handed_out_in_its_turn(running: Running, api: ReporterClient) -> None:
    first, last = running.addresses.fans
    handed_out = [await api.checkin() for _ in range(2 * LISTENERS)]
    assert handed_out[:LISTENERS] == handed_out[LISTENERS:]
    assert sorted(handed_out[:LISTENERS]) == list(range(first, last + 1))


async def test_every_port_serves_fans(running: Running, game: Game) -> None:
    first, last = running.addresses.fans
    ports = iter(range(first, last + 1))
    async with watching(lambda: Fan(("127.0.0.1", next(ports))), game, *"abcd"[:LISTENERS]) as fans:
        await play_on(game, fans)


async def test_every_port_serves_the_api(running: Running, game: Game) -> None:
    first, last = running.addresses.http
    for port in range(first, last + 1):
        async with ReporterClient(f"http://127.0.0.1:{port}", TOKEN) as client:
            assert (await client.match(game.id)).id == game.id
