"""Once, and only once: what is asked for again under its key is not done again, and nothing is done behind one's back.

On stages where something turns (`turning_points`); the server, a node or Redis is stopped while it is asked.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
import psutil
import pytest

from common.domain.posts import Goal, Stop
from common.http.client import ApiError, ApiUnreachableError, ReporterClient, fresh_key
from stages.catalogue import STAGES
from tests.stages.every_stage import turning_points
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.stage3.nodes import NodesProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stages.stage0.parts import Stage
    from tests.stages.fan import Connect
    from tests.stages.game import Game

_SECONDS = 0.3
"""A client that waits no longer than this asks again while the first request lies where it was stopped."""


@pytest.fixture(scope="module", params=turning_points())
def stage(request: pytest.FixtureRequest) -> Stage:
    return STAGES[request.param]


@pytest.fixture(scope="module")
def server(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("server")
    with (
        NodesProcess(directory, "--nodes", "2", stage=stage.name)
        if stage.has("nodes")
        else ServerProcess(stage.name, directory)
    ) as server:
        yield server


@contextmanager
def stopped(pid: int | None) -> Iterator[None]:
    """Have a process stopped while the block runs."""
    process = psutil.Process(pid)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def redis_of(server: ServerProcess) -> int:
    """Return the process id of the Redis that the server has started for itself."""
    (redis,) = (child for child in psutil.Process(server.pid).children() if "serve" not in child.cmdline())
    return redis.pid


async def posted_by_the_hasty(server: ServerProcess, game: Game, key: str | None) -> None:
    """Post a goal to the (first) API, and give up before it is answered."""
    async with ReporterClient(server.url, TOKEN, timeout=_SECONDS) as hasty:
        with pytest.raises(ApiUnreachableError):
            await hasty.post_event(game.id, goal(game), key=key)


def goal(game: Game) -> Goal:
    return Goal(team=game.new.visit, player=10)


async def kinds(game: Game) -> Sequence[str]:
    return [event.kind for event in await game.api.history(game.id)]


async def test_what_is_asked_for_again_is_answered_as_it_was_and_fans_hear_it_once(
    game: Game, connect: Connect
) -> None:
    start, first, last, end = (fresh_key() for _ in range(4))
    async with connect() as fan:
        await fan.watch("fan", game.id)
        events = [await game.api.post_event(game.id, goal(game), key=first) for _ in range(2)]
        await game.foul("between")
        events.append(await game.api.post_event(game.id, goal(game), key=first))
        with pytest.raises(ApiError) as reused:
            await game.api.post_event(game.id, Stop(), key=first)
        assert (reused.value.status, reused.value.field) == (422, "Idempotency-Key")
        stops = [await game.api.post_event(game.id, Stop(), key=last) for _ in range(2)]
        await fan.read_to_end()
    assert events == events[:1] * 3
    assert stops == stops[:1] * 2  # the second time it is impossible by the rules
    assert fan.kinds == ["status", "goal", "foul", "stop"]
    assert await kinds(game) == ["start", "goal", "foul", "stop"]

    for _ in range(2):
        await game.api.cancel_match(game.id, key=end)
    announced = [await game.api.create_match(game.new, key=start) for _ in range(2)]
    assert announced == announced[:1] * 2
    await game.start()
    await game.api.cancel_match(game.id, key=end)  # that was done: it is another match now
    assert await game.api.create_match(game.new, key=start) == announced[0]
    assert await kinds(game) == ["start"]


async def test_an_event_counts_only_on_the_version_that_is_expected(game: Game, server: ServerProcess) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(server.url, headers=headers) as session:

        async def etag() -> str:
            async with session.get(f"/1/match/{game.id}") as answer:
                return answer.headers["ETag"]

        async def post(kind: str, expected: str, *, status: int) -> str:
            path = f"/1/match/{game.id}/events"
            body = {"kind": kind, "team": game.new.home} if kind == "foul" else {"kind": kind}
            async with session.post(path, json=body, headers={"If-Match": expected}) as answer:
                assert answer.status == status
                return await answer.text()

        seen = await etag()
        await post("foul", seen, status=201)
        for kind in ("foul", "stop", "penalties"):  # the last one is impossible as well
            assert "has 2 events now" in await post(kind, seen, status=412)
        await post("foul", '"2"', status=201)
        await post("foul", "*", status=201)
        at_four = await etag()
        await game.api.cancel_match(game.id, expected=4)
        await game.announce()
        await game.start()
        for _ in range(3):
            await game.foul("anew")
        await post("foul", at_four, status=412)
        assert await etag() != at_four
        with pytest.raises(ApiError) as outdated:
            await game.api.cancel_match(game.id, expected=3)
        assert outdated.value.status == 412
    assert await kinds(game) == ["start", "foul", "foul", "foul"]


@pytest.mark.parametrize("key", [None, "key"])
async def test_a_goal_that_a_stopped_server_gets_to_later_is_scored_once(
    game: Game, server: ServerProcess, key: str | None
) -> None:
    """Without a key, too: whoever has hung up by then asked for nothing. With several nodes another one is asked."""
    if isinstance(server, NodesProcess):
        with stopped(server.pid_of(0)):
            await posted_by_the_hasty(server, game, key)
            async with ReporterClient(server.url_of(1), TOKEN) as elsewhere:
                answered = await elsewhere.post_event(game.id, goal(game), key=key)
        again = answered if key is None else await game.api.post_event(game.id, goal(game), key=key)
        assert again == answered
    else:
        with stopped(server.pid):
            await posted_by_the_hasty(server, game, key)
        await game.api.post_event(game.id, goal(game), key=key)
    assert await kinds(game) == ["start", "goal"]


@pytest.mark.parametrize("key", [None, "key"])
async def test_a_goal_that_a_stopped_redis_gets_to_later_is_scored_once(
    game: Game, server: ServerProcess, key: str | None
) -> None:
    with stopped(redis_of(server)):
        await posted_by_the_hasty(server, game, key)
    await game.api.post_event(game.id, goal(game), key=key)
    assert await kinds(game) == ["start", "goal"]


@pytest.mark.slow
async def test_a_goal_that_was_refused_since_redis_was_stopped_is_not_scored_later(
    game: Game, server: ServerProcess
) -> None:
    with stopped(redis_of(server)), pytest.raises(ApiError) as refused:
        await game.api.post_event(game.id, goal(game))
    assert refused.value.status == 503
    await game.insist("after it")
    assert await kinds(game) == ["start", "foul"]
