"""`matchstream serve --stage 3`: nodes as programs under one parent, which are one server to fans and reporters."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import psutil
import pytest

from common.domain.posts import HalftimeStart, HalftimeStop
from common.http.client import ApiError
from common.listening import reserve
from stages.options import Topology
from stages.stage3.nodes import NODES
from tests.redis_server import RedisServer
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.metrics import metric
from tests.stages.refusals import refused, the_line
from tests.stages.serving import environment, matchstream, run
from tests.stages.stage3.nodes import (
    API_LISTENERS,
    LISTENERS,
    STAGE,
    NodesProcess,
    apis,
    comments,
    kicked_off,
    nodes_below,
)
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from common.http.client import ReporterClient

COUNT = 3
POSTS = 10


SYSTEMS = [
    pytest.param((STAGE.name, Topology.CONNECTED), id="connected"),
    pytest.param((STAGE.name, Topology.INDEPENDENT), id="independent", marks=pytest.mark.slow),
    pytest.param(("4", Topology.CONNECTED), id="4, connected", marks=pytest.mark.slow),
    pytest.param(("4", Topology.INDEPENDENT), id="4, independent", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module", params=SYSTEMS)
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodesProcess]:
    directory = tmp_path_factory.mktemp("nodes")
    stage, topology = request.param
    with NodesProcess(directory, "--nodes", str(COUNT), "--topology", topology, stage=stage) as nodes:
        yield nodes
    assert "Traceback" not in nodes.log()
    assert "ERROR" not in nodes.log()


@pytest.fixture
async def clients(nodes: NodesProcess) -> AsyncIterator[list[ReporterClient]]:
    """Return a client for each node's API."""
    async with apis(*map(nodes.url_of, nodes.numbers)) as clients:
        yield clients


@pytest.fixture
async def games(clients: list[ReporterClient]) -> list[Game]:
    """Return a match that has started, by each node's API."""
    return await kicked_off(clients)


@pytest.fixture
async def fans(nodes: NodesProcess, games: list[Game]) -> AsyncIterator[list[Fan]]:
    """Return a fan on every port of every node, who watches the match."""
    async with AsyncExitStack() as stack:
        fans = [await stack.enter_async_context(Fan((nodes.host, port))) for port in nodes.fan_ports]
        for number, fan in enumerate(fans):
            await fan.watch(f"fan-{number}", games[0].id)
        yield fans


def tokens(directory: Path) -> list[str]:
    """Return the names of the token files that servers have left in `directory`."""
    return [path.name for path in directory.rglob("token-*")]


async def test_every_node_has_its_part_of_two_ranges(nodes: NodesProcess, clients: list[ReporterClient]) -> None:
    assert (len(nodes.fan_ports), len(nodes.http_ports)) == (COUNT * LISTENERS, COUNT * API_LISTENERS)
    assert set(nodes_below(nodes.pid)) == set(nodes.fan_ports[::LISTENERS])
    for number, client in enumerate(clients):
        ports = {await client.checkin() for _ in range(LISTENERS)}
        assert ports == set(nodes.fans_of(number))


async def test_fans_on_all_nodes_hear_what_is_posted_to_any(games: list[Game], fans: list[Fan]) -> None:
    posted = [await games[number % COUNT].foul(f"{number}") for number in range(POSTS)]
    await games[-1].stop()
    for fan in fans:
        await fan.read_to_end()
        assert fan.told() == comments(posted)
        assert fan.kinds == ["status", *["foul"] * POSTS, "stop"]


async def test_events_posted_to_all_nodes_at_once_have_one_order(games: list[Game], fans: list[Fan]) -> None:
    async def report(node: int) -> None:
        for number in range(POSTS):
            await games[node].foul(f"{node}-{number}")

    await asyncio.gather(*(report(node) for node in range(COUNT)))
    await games[0].stop()
    told = comments(await games[0].api.history(games[0].id))
    assert len(told) == COUNT * POSTS
    for node in range(COUNT):
        assert [each for each in told if str(each).startswith(f"{node}-")] == [f"{node}-{n}" for n in range(POSTS)]
    for fan in fans:
        await fan.read_to_end()
        assert fan.told() == told


async def test_a_node_refuses_nothing_by_what_it_does_not_know_yet(games: list[Game], fans: list[Fan]) -> None:
    halves = [HalftimeStart(), HalftimeStop()]
    for number, post in enumerate(halves):
        await games[number].post(post)
    with pytest.raises(ApiError) as refusal:
        await games[2].post(HalftimeStop())
    assert refusal.value.status == 422
    await games[2].stop()
    for fan in fans:
        await fan.read_to_end()
        assert fan.kinds == ["status", *(post.kind for post in halves), "stop"]


async def test_a_match_that_is_cancelled_and_announced_anew(
    nodes: NodesProcess, games: list[Game], fans: list[Fan]
) -> None:
    await games[0].foul("of the first")
    for fan in fans:
        await fan.read_events(1)
    await games[1].api.cancel_match(games[0].id)
    await games[2].api.create_match(games[0].new)
    await games[0].start()
    for fan in fans:
        await fan.read_to_end()
        assert games[0].id in " ".join(fan.errors)
        assert fan.told() == ["of the first"]

    async with AsyncExitStack() as stack:
        again = [await stack.enter_async_context(nodes.fan(number)) for number in nodes.numbers]
        for fan in again:
            await fan.watch("regular", games[0].id)
        await games[1].foul("of the second")
        await games[2].stop()
        for fan in again:
            await fan.read_to_end()
            assert fan.told() == ["of the second"]


async def test_no_node_adds_to_a_match_what_it_means_for_one_before_of_as_many_events(
    games: list[Game], fans: list[Fan]
) -> None:
    await games[1].api.cancel_match(games[0].id)
    await games[2].api.create_match(games[0].new)
    await games[2].start()
    await games[0].insist("of the second")  # node 0 need not have heard of it
    for fan in fans:
        await fan.read_to_end()
        assert games[0].id in " ".join(fan.errors)
        assert fan.told() == []
    assert comments(await games[1].api.history(games[0].id)) == ["of the second"]
    await games[0].stop()


async def test_a_fan_on_each_node_is_told_of_a_cancelled_match(games: list[Game], fans: list[Fan]) -> None:
    await games[1].api.cancel_match(games[0].id)
    for fan in fans:
        await fan.read_to_end()
        (error,) = fan.errors
        assert games[0].id in error


async def test_each_node_has_metrics_of_its_own_fans(nodes: NodesProcess, fans: list[Fan]) -> None:
    assert len(fans) == COUNT * LISTENERS

    async def each_has_its_own() -> bool:  # fans of another test may still be leaving
        seen = [await metric(nodes.url_of(number), "matchstream_connections") for number in nodes.numbers]
        return seen == [LISTENERS] * COUNT

    await eventually(each_has_its_own, f"each node counts {LISTENERS} fans")


async def test_top_has_a_row_for_each_node_of_a_range_of_ports(nodes: NodesProcess) -> None:
    ports = f"{nodes.host}:{nodes.http_ports[0]}-{nodes.http_ports[-1]}"
    own = [str(nodes.api_of(number)[0]) for number in nodes.numbers]

    async def each_is_seen() -> bool:  # a node that others keep from answering is away for a moment
        command = [sys.executable, "-m", "harness.cli", "top", "--http", ports, "--once", "--interval", "0.1"]
        top = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        rows = (await top.communicate())[0].decode().splitlines()[1:]
        assert top.returncode == 0
        return [row.split()[0].rpartition(":")[2] for row in rows[:COUNT]] == own

    await eventually(each_is_seen, f"the nodes at {own} have a row each, and their other ports none")


async def test_a_node_joins_while_a_match_is_played(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(RedisServer())
        first = stack.enter_context(NodesProcess(tmp_path, "--nodes", "2", "--redis", redis.url))
        (tmp_path / "joined").mkdir()
        clients = await stack.enter_async_context(apis(*map(first.url_of, first.numbers)))
        games = await kicked_off(clients)
        early = await stack.enter_async_context(first.fan(0))
        await early.watch("early", games[0].id)
        await games[0].foul("before")

        joined = stack.enter_context(NodesProcess(tmp_path / "joined", "--join", redis.url))
        assert nodes_below(joined.pid) == {}  # it is one itself
        (client,) = await stack.enter_async_context(apis(joined.url))
        late = await stack.enter_async_context(joined.fan(0))
        await late.watch("late", games[0].id)
        await games[1].foul("from the first")
        await Game(client, games[0].new).foul("from the joined")
        await games[0].stop()
        for fan in (early, late):
            await fan.read_to_end()
        assert early.told() == ["before", "from the first", "from the joined"]
        assert late.told() == ["from the first", "from the joined"]


@pytest.mark.parametrize("left_out", [pytest.param("repeaters", marks=pytest.mark.slow), "db-readers"])
async def test_a_lesson_is_left_out_on_the_nodes_too(tmp_path: Path, left_out: str) -> None:
    with NodesProcess(tmp_path, "--nodes", "2", "--without", left_out) as nodes:
        for number in nodes.numbers:
            pid = nodes.pid_of(number)
            assert f"--without={left_out}" in psutil.Process(pid).cmdline()
        async with apis(*map(nodes.url_of, nodes.numbers)) as clients, nodes.fan(1) as fan:
            games = await kicked_off(clients)
            await fan.watch("fan", games[0].id)
            await games[0].goal()
            await games[1].stop()
            await fan.read_to_end()
        assert fan.kinds == ["status", "goal", "stop"]


async def test_one_node_needs_no_parent(tmp_path: Path) -> None:
    with NodesProcess(tmp_path, "--nodes", "1") as node:
        assert nodes_below(node.pid) == {}
        assert len(node.fan_ports) == LISTENERS
        async with apis(node.url) as clients, node.fan(0) as fan:
            (game,) = await kicked_off(clients)
            await fan.watch("fan", game.id)
            await game.stop()
            await fan.read_to_end()
        assert fan.kinds == ["status", "stop"]


MEANINGLESS = {
    "nodes of a stage that has none": (("--stage", "2.5", "--nodes", "2"), "leave --nodes out"),
    "nodes without their lesson": (("--stage", "3", "--without", "nodes", "--nodes", "2"), "leave --nodes out"),
    "a stage that joins nobody": (
        ("--stage", "2.5", "--join", "unix:///redis.sock"),
        "give --redis in place of --join",
    ),
    "a system that is new and there": (
        ("--stage", "3", "--join", "unix:///redis.sock", "--redis", "unix:///redis.sock"),
        "not both",
    ),
    "a topology of one": (("--stage", "0", "--topology", "independent"), "leave --topology out"),
}


@pytest.mark.parametrize(("options", "advice"), MEANINGLESS.values(), ids=MEANINGLESS.keys())
def test_options_that_make_no_sense_are_refused_in_a_line(options: tuple[str, ...], advice: str) -> None:
    assert advice in refused("serve", "--port", "0", "--http-port", "0", *options)


IMPOSSIBLE = {
    "a system that is not there": (("--join", "unix:///nowhere/redis.sock"), "/nowhere/redis.sock"),
    "a Redis that is not there": (("--redis", "unix:///nowhere/redis.sock", "--nodes", "2"), "/nowhere/redis.sock"),
    "ports beyond the last": (("--port", "65530"), "choose a lower port"),
}


@pytest.mark.parametrize(("options", "advice"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_nodes_that_cannot_start_are_refused_in_a_line(tmp_path: Path, options: tuple[str, ...], advice: str) -> None:
    ended = run(environment(tmp_path), "serve", "--stage", "3", "--port", "0", "--http-port", "0", *options)
    assert advice in the_line(ended)


def test_no_nodes_at_all_are_refused(tmp_path: Path) -> None:
    ended = run(environment(tmp_path), "serve", "--stage", "3", "--nodes", "0")
    assert ended.status == 2
    assert "--nodes" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("which", ["--port", "--http-port"])
def test_a_port_in_the_range_is_taken(tmp_path: Path, which: str) -> None:
    ports = reserve("127.0.0.1", 0, COUNT * LISTENERS)
    try:
        ports[LISTENERS + 1].listen()
        first, taken = (sock.getsockname()[1] for sock in (ports[0], ports[LISTENERS + 1]))
        options = {"--port": "0", "--http-port": "0", which: str(first)}
        words = [word for option in options.items() for word in option]
        ended = run(environment(tmp_path), "serve", "--stage", "3", "--nodes", str(COUNT), *words)
    finally:
        for sock in ports:
            sock.close()
    assert f"127.0.0.1:{taken}" in the_line(ended)
    assert tokens(tmp_path) == []


async def test_a_node_that_cannot_start(tmp_path: Path) -> None:
    command = matchstream("serve", "--stage", "3", "--nodes", str(COUNT), "--port", "0", "--http-port", "0")
    parent = await asyncio.create_subprocess_exec(
        *command, env=environment(tmp_path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    await eventually(lambda: len(nodes_below(parent.pid)) == COUNT, "the nodes are being started")
    children = psutil.Process(parent.pid).children(recursive=True)
    psutil.Process(max(nodes_below(parent.pid).values())).kill()
    async with asyncio.timeout(DEADLINE_S):
        stdout, stderr = await parent.communicate()
    assert (parent.returncode, stdout) == (2, b"")
    (line,) = [line for line in stderr.decode().splitlines() if line.startswith("matchstream: ")]
    assert "was ended by SIGKILL before it served" in line
    assert "Traceback" not in stderr.decode()
    assert not any(child.is_running() for child in children)
    assert tokens(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
async def test_all_nodes_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    with NodesProcess(tmp_path) as nodes:
        children = psutil.Process(nodes.pid).children(recursive=True)
        assert len(nodes_below(nodes.pid)) == NODES
        assert len(children) == NODES + 1  # and its Redis
        async with apis(nodes.url) as clients, nodes.fan(NODES - 1) as fan:
            (game,) = await kicked_off(clients)
            await fan.watch("fan", game.id)
            nodes.send_signal(number)
            await fan.read_to_end()
            assert nodes.wait() == 0
    assert not any(child.is_running() for child in children)
    assert "Traceback" not in nodes.log()
    assert "ERROR" not in nodes.log()
    assert "starting it again" not in nodes.log()


async def test_all_nodes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with NodesProcess(tmp_path, "--nodes", "2") as nodes:
        children = psutil.Process(nodes.pid).children(recursive=True)
        nodes.send_signal(signal.SIGKILL)
        assert nodes.wait() == -signal.SIGKILL
        await eventually(lambda: not any(child.is_running() for child in children), "the nodes have ended")


async def test_a_node_that_is_ended_in_order_is_started_again(tmp_path: Path) -> None:
    environ = environment(tmp_path)  # so the token is kept in a file, which is not the node's to remove
    with NodesProcess(tmp_path, "--nodes", "2", environ=environ) as nodes:
        kept = tokens(tmp_path)
        assert len(kept) == 1
        pid = nodes.pid_of(0)
        assert pid is not None
        psutil.Process(pid).terminate()
        await eventually(lambda: nodes.pid_of(0) not in {None, pid}, "node 0 is started again")
        assert tokens(tmp_path) == kept
        async with nodes.fan(1) as fan:
            await fan.welcome()
        async with asyncio.timeout(DEADLINE_S):
            while not await serves(nodes.fan(0)):
                pass


async def serves(fan: Fan) -> bool:
    try:
        async with fan:
            await fan.welcome()
    except ConnectionError:
        await asyncio.sleep(0.02)
        return False
    return True
