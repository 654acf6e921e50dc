"""What every stage tells of itself, against a small match: counts of fans, their times, their actors, and /metrics."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from common.http.client import ReporterClient
from common.http.statistics import MOST_ACTORS, StatisticsQuery
from common.otp import KindStatistics, Order
from stages.traffic import Drop
from tests.stages.at_rest import at_rest
from tests.stages.fan import Fan
from tests.stages.metrics import metric
from tests.stages.serving import ServerProcess
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from common.http.statistics import Histogram, Statistics
    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect
    from tests.stages.game import Game

FANS = 5
EVENTS = 3


async def watching(stack: AsyncExitStack, connect: Connect, game: Game, fans: int) -> list[Fan]:
    found = []
    for number in range(fans):
        fan = await stack.enter_async_context(connect())
        await fan.watch(f"fan-{number}", game.id)
        found.append(fan)
    return found


def kind(seen: Statistics, name: str) -> KindStatistics:
    nobody = KindStatistics(name, 0, 0, 0, 0, 0, 0)
    return next((one for one in seen.kinds if one.kind == name), nobody)


@pytest.fixture
def connect(server: ServerProcess) -> Connect:
    """Return what makes a fan of the server's first node, whose API `api` is."""
    return lambda: Fan((server.host, server.fan_ports[0]))


def counted(times: Histogram) -> int:
    return sum(times.counts)


async def test_a_small_match_is_counted_exactly(
    stage: Stage, server: ServerProcess, api: ReporterClient, connect: Connect, game: Game
) -> None:
    before = await at_rest(api, fans=0)
    async with AsyncExitStack() as stack:
        fans = await watching(stack, connect, game, FANS)
        await game.foul("heard by who is subscribed")  # some may read it from the history, which is no fan-out
        for fan in fans:
            await fan.read_events(1)
        subscribed = await api.statistics()
        for number in range(EVENTS):
            await game.foul(str(number))
        for fan in fans:
            await fan.read_events(1 + EVENTS)
        after = await api.statistics()
        assert await metric(server.url, "matchstream_connections") == FANS
    assert after.node == before.node
    assert after.uptime_s > before.uptime_s
    assert after.connections == FANS
    assert after.accepted - before.accepted == FANS
    assert after.greetings - before.greetings == FANS
    assert after.deliveries - before.deliveries == FANS * (1 + EVENTS)
    assert counted(after.response) - counted(before.response) == FANS
    assert counted(after.fan_out) - counted(subscribed.fan_out) == FANS * EVENTS
    assert 0 < after.fan_out.sum_s - subscribed.fan_out.sum_s < FANS * EVENTS * 20
    assert after.drops == before.drops
    if stage.has("fd-plane"):  # no process for each of them, one for the match
        assert {kind(after, name).started for name in ("Client", "User")} == {0}
        assert kind(after, "Audience").messages - kind(before, "Audience").messages >= 1 + EVENTS
    else:
        assert kind(after, "Client").alive == kind(after, "User").alive == FANS
        assert kind(after, "Client").messages - kind(before, "Client").messages >= FANS * (1 + EVENTS)
    assert after.rss_bytes > 10_000_000
    assert after.cpu_s > before.cpu_s
    assert after.loop_lag is not None or before.loop_lag is None
    assert await metric(server.url, "matchstream_deliveries_total") == after.deliveries
    assert await metric(server.url, "matchstream_fan_out_seconds_count") == counted(after.fan_out)
    assert await metric(server.url, "matchstream_response_seconds_bucket", le="+Inf") == after.greetings


async def test_the_actors_of_a_stage_have_names_and_the_fans_have_none(
    stage: Stage, api: ReporterClient, connect: Connect, game: Game
) -> None:
    async with AsyncExitStack() as stack:
        await watching(stack, connect, game, 1)
        seen = await api.statistics(StatisticsQuery(actors=MOST_ACTORS, sort=Order.MEMORY))
        by_messages = (await api.statistics(StatisticsQuery(actors=MOST_ACTORS, sort=Order.MESSAGES))).actors
    by_name = {actor.name: actor for actor in seen.actors}  # by memory: a pool of 200 smaller ones may be beside them
    assert by_name["web"].kind == "Web"
    assert by_name["db"].messages > 0
    assert by_name[f"match-{game.id}"].kind == "LiveMatch"
    assert all(actor.memory_bytes > 0 for actor in seen.actors)
    assert len(by_name) == len(seen.actors)
    assert not any("fan-0" in name for name in by_name)
    assert any(name.startswith("User#") for name in by_name) is not stage.has("fd-plane")
    messages = [actor.messages for actor in by_messages]
    assert messages == sorted(messages, reverse=True)
    assert messages[0] > 0


async def test_what_a_node_has_besides_is_told(
    stage: Stage, server: ServerProcess, api: ReporterClient, game: Game
) -> None:
    seen = await api.statistics()
    assert seen.api is not None
    assert (seen.api.connections, seen.api.requests >= 1) == (1, True)
    if not stage.has("db-writer"):
        assert (seen.writer, seen.requests, seen.subscriptions) == (None, None, None)
        return
    assert seen.requests is not None
    assert seen.requests.asked > 0  # the game was written
    assert seen.subscriptions is not None
    assert seen.subscriptions.connected
    assert await metric(server.url, "matchstream_subscriptions_connected") == 1
    nodes = [f"http://{server.host}:{port}" for port in server.http_ports]
    async with AsyncExitStack() as stack:
        apis = [await stack.enter_async_context(ReporterClient(node)) for node in nodes]
        writers = [(await node.statistics()).writer for node in apis]
    assert sum(writer is not None and writer.is_writer and writer.executed > 0 for writer in writers) >= 1


async def test_a_server_tells_its_stage_and_what_each_of_its_lessons_teaches(
    stage: Stage, server: ServerProcess, api: ReporterClient
) -> None:
    told = (await api.statistics()).stage
    assert told is not None
    assert (told.name, told.left_out, told.added) == (stage.name, (), ())
    assert [(lesson.name, lesson.teaches) for lesson in told.lessons] == [
        (lesson.name, lesson.teaches) for lesson in stage.lessons
    ]
    assert await metric(server.url, "matchstream_stage_info", stage=stage.name) == 1


async def test_a_server_tells_how_its_lessons_differ_from_those_of_its_stage(tmp_path: Path) -> None:
    with ServerProcess("2.1", tmp_path, "--without", "backlog", "--with", "repeaters") as server:
        async with ReporterClient(server.url) as api:
            told = (await api.statistics()).stage
    assert told is not None
    names = {lesson.name for lesson in told.lessons}
    assert (told.name, told.left_out, told.added) == ("2.1", ("backlog",), ("repeaters",))
    assert ("backlog" in names, "repeaters" in names) == (False, True)


async def test_who_asks_together_shares_a_look_whatever_each_wants_to_know(api: ReporterClient) -> None:
    queries = [StatisticsQuery(actors=actors, sort=order) for actors in (0, 1, 3, MOST_ACTORS) for order in Order] * 2
    seen = await asyncio.gather(*(api.statistics(query) for query in queries))
    assert len({one.uptime_s for one in seen}) < len(queries)
    for query, one in zip(queries, seen, strict=True):
        assert min(query.actors, 3) <= len(one.actors) <= query.actors


async def test_why_fans_were_turned_away_is_counted(api: ReporterClient, connect: Connect, game: Game) -> None:
    before = (await at_rest(api, fans=0)).drops
    async with connect() as rude, connect() as lost, connect() as broken:
        await rude.send(b"HELLO\n")
        await rude.read_to_end()
        await lost.greet("lost", "no-such-2011-09-10")
        await lost.read_to_end()
        await broken.watch("broken", game.id)
        broken.reset()

        async def all_are_counted() -> bool:
            drops = (await api.statistics()).drops
            grown = {reason: drops[reason] - before[reason] for reason in drops if drops[reason] != before[reason]}
            return grown == {Drop.GREETING: 1, Drop.MATCH: 1, Drop.BROKEN: 1}

        await eventually(all_are_counted, "one drop of each kind, and no other")
