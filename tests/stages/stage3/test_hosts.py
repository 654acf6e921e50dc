"""Nodes on three hosts, one of which, with the writer on it, is cut off for a while and then joined again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from common.http.client import ApiError
from common.store.connections import Connections
from common.store.errors import StoreUnavailableError
from common.store.process import find_redis_server
from common.tuning.children import command_that_dies_with_parent
from tests.stages.fan import Fan
from tests.stages.stage3.hosts import Door, Network, NoHostsError
from tests.stages.stage3.nodes import NodesProcess, Reporter, apis, comments, kicked_off, nodes_below
from tests.stages.stage3.writer import is_replaced, writer
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from tests.stages.game import Game
    from tests.stages.stage3.hosts import Host

HOSTS: Final = 3
NODES: Final = 2
EVENTS: Final = 10
REDIS_PORT: Final = 6379  # of a host that nobody else is on

CUT: Final = 1
"""The host that is cut off; Redis is on host 0."""


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        with Network(HOSTS) as network:
            yield network
    except NoHostsError as error:
        pytest.skip(f"needs root, ip and network namespaces: {error}")


@pytest.fixture
async def raw(network: Network, tmp_path: Path) -> AsyncIterator[Connections]:
    """Run a Redis on the first host, and return a connection of the test's own, which no cut concerns."""
    path = tmp_path / "redis.sock"
    settings = (
        *("--bind", network.hosts[0].address, "--port", str(REDIS_PORT), "--protected-mode", "no"),
        *("--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)),
    )
    command = command_that_dies_with_parent([*network.hosts[0].prefix, str(find_redis_server()), *settings])
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    raw = Connections(f"unix://{path}", 1, 10.0, 20.0)
    try:
        await eventually(lambda: answers(raw), "Redis answers")
        yield raw
    finally:
        await raw.close()
        process.kill()
        await process.wait()


async def answers(raw: Connections) -> bool:
    try:
        await raw.call("PING")
    except StoreUnavailableError:
        return False
    return True


@pytest.fixture
def systems(network: Network, raw: Connections, tmp_path: Path) -> Iterator[list[NodesProcess]]:
    """Return the nodes of each host; the first writer is on the one that will be cut off, since it starts first."""
    url = f"redis://{network.hosts[0].address}:{REDIS_PORT}"
    systems = [
        system(tmp_path, host, "--redis" if number == CUT else "--join", url)
        for number, host in enumerate(network.hosts)
    ]
    with systems[CUT], systems[0], systems[2]:
        yield systems
    for each in systems:
        assert "Traceback" not in each.log()
        assert "ERROR" not in each.log()


def system(tmp_path: Path, host: Host, *redis: str) -> NodesProcess:
    directory = tmp_path / host.namespace
    directory.mkdir()
    return NodesProcess(directory, "--nodes", str(NODES), "--host", host.address, *redis, prefix=host.prefix)


@dataclass(frozen=True, slots=True)
class Played:
    """A match that is played, by the API of every node, and a fan on every node, in the same order."""

    games: list[Game]
    fans: list[Fan]


@pytest.fixture
async def played(network: Network, systems: list[NodesProcess]) -> AsyncIterator[Played]:
    async with AsyncExitStack() as stack:

        async def doors(ports: Callable[[NodesProcess, int], range]) -> list[Door]:
            return [
                await stack.enter_async_context(Door(host, ports(system, number)[0]))
                for host, system in zip(network.hosts, systems, strict=True)
                for number in system.numbers
            ]

        apis_of_nodes = await doors(NodesProcess.api_of)
        games = await kicked_off(await stack.enter_async_context(apis(*(door.url for door in apis_of_nodes))))
        fans = [await stack.enter_async_context(Fan(door.address)) for door in await doors(NodesProcess.fans_of)]
        for number, fan in enumerate(fans):
            await fan.watch(f"fan-{number}", games[0].id)
        listening = [asyncio.create_task(hear_all(fan), name="fan") for fan in fans]
        yield Played(games, fans)
        for task in listening:
            task.cancel()
        await asyncio.wait(listening)


async def hear_all(fan: Fan) -> None:
    while not fan.closed:  # a fan's own deadline is for less than this
        with suppress(TimeoutError):
            await fan.read_to_end()


async def told(fans: Sequence[Fan], count: int) -> None:
    """Return when each of the fans has heard that many events."""
    await eventually(lambda: all(len(fan.told()) == count for fan in fans), f"they hear {count} events")


@pytest.mark.slow
async def test_a_host_is_cut_off_and_joined_again(
    network: Network, systems: list[NodesProcess], raw: Connections, played: Played
) -> None:
    games, fans = played.games, played.fans
    there = slice(CUT * NODES, (CUT + 1) * NODES)
    reporter = Reporter(games)
    for _ in range(EVENTS):
        assert await reporter.post_one()
    await told(fans, EVENTS)

    before = await writer(raw)
    assert before is not None
    assert before.pid in nodes_below(systems[CUT].pid).values()
    network.cut(network.hosts[CUT])
    refused = asyncio.create_task(games[there.start].foul("from the host that is cut off"), name="refused")
    await is_replaced(raw, before)
    reporter.games = [*games[: there.start], *games[there.stop :]]
    for _ in range(EVENTS):
        assert await reporter.post_one()
    await told([*fans[: there.start], *fans[there.stop :]], 2 * EVENTS)
    with pytest.raises(ApiError) as refusal:
        await refused
    assert refusal.value.status == 503
    # Or it would be stored all the same when the line is whole again, unless others have posted something meanwhile.
    await eventually(
        lambda: not network.hosts[CUT].unsent(REDIS_PORT), "what was refused is given up by the kernel too"
    )
    for fan in fans[there]:
        assert (len(fan.told()), fan.closed) == (EVENTS, False)

    network.join(network.hosts[CUT])
    await told(fans[there], 2 * EVENTS)
    await eventually(lambda: "is the writer no more" in systems[CUT].log(), "the old writer steps down")
    reporter.games = games
    for _ in range(EVENTS):
        assert await reporter.post_one()
    await games[there.start].stop()
    await eventually(lambda: all(fan.closed for fan in fans), "the match has ended for all")
    history = await reporter.check(fans)
    assert len(comments(history)) == 3 * EVENTS  # what was refused was not stored later
