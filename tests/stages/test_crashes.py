"""Processes of a stage crash, or are killed: they are supervised as in OTP, and everybody else goes on.

The server runs in this process, so that crashes can be injected through its node.
"""

from __future__ import annotations

import asyncio
import resource
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from common.http.client import ApiError, ReporterClient
from common.otp.gen_event import AddHandler
from common.store.embedded import EmbeddedRedis
from common.store.errors import StoreUnavailableError
from common.store.redis_store import RedisStore
from stages.stage import Options
from stages.stage0 import STAGE
from stages.stage0.client import Client
from stages.stage0.dispatcher import Dispatcher
from stages.stage0.match_sup import MatchSup
from stages.stage0.messages import EventManager
from stages.stage0.server import Server
from tests.stages.fan import Fan
from tests.stages.serving import TOKEN
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from common.domain.events import Event
    from common.domain.match import Match
    from common.otp.node import Node
    from common.otp.process import Process
    from stages.stage0.server import Addresses
    from tests.stages.fan import Connect
    from tests.stages.game import Game

PERMANENT = {"Supervisor", "Db", "UserSup", "MatchSup", "ClientSup", "Listener", "Web"}


@pytest.fixture
def same_open_files() -> Iterator[None]:
    """Undo what a server in this process does to its limit."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@dataclass(frozen=True, slots=True)
class Running:
    """A server in this process."""

    node: Node
    addresses: Addresses
    redis_url: str


@pytest.fixture
async def running(same_open_files: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """Return a running server; at the end check that only its permanent processes are left, and then none."""
    monkeypatch.setenv("MATCHSTREAM_TOKEN", TOKEN)
    async with EmbeddedRedis() as redis:
        server = Server(STAGE.parts, Options(host="127.0.0.1", port=0, http_port=0, redis_url=redis.url))
        node = server.node
        yield Running(node, await server.start(), redis.url)
        await eventually(lambda: set(node.statistics().kinds) == PERMANENT, f"only {PERMANENT} are left")
        await server.stop()
        assert node.statistics().processes == 0


@pytest.fixture
async def api(running: Running) -> AsyncIterator[ReporterClient]:
    async with ReporterClient(f"http://127.0.0.1:{running.addresses.http[0]}", TOKEN) as client:
        yield client


@pytest.fixture
def connect(running: Running) -> Connect:
    return lambda: Fan(("127.0.0.1", running.addresses.fans[0]))


def kill(process: Process) -> None:
    process.kill()


def crash(process: Process) -> None:
    """Have a process meet messages that it cannot handle."""
    process.cast(None)
    process.send(object())


injected = pytest.mark.parametrize("end", [kill, crash])


async def replaced(running: Running, name: str, ended: Process) -> None:
    """Return when another process has the name."""

    def another() -> bool:
        process = running.node.whereis(name)
        return process is not None and process is not ended

    await eventually(another, f"{name} is started again")


@asynccontextmanager
async def watching(connect: Connect, game: Game, *users: str) -> AsyncIterator[list[Fan]]:
    """Have fans who watch, one for each of `users`."""
    async with AsyncExitStack() as stack:
        fans = [await stack.enter_async_context(connect()) for _ in users]
        for fan, user in zip(fans, users, strict=True):
            await fan.watch(user, game.id)
        yield fans


async def play_on(game: Game, fans: list[Fan], late: Sequence[Fan] = ()) -> None:
    """Post events until the end, whatever a restart refuses; check what the fans hear.

    Those who watched from kick-off hear the whole history, the `late` ones all but the first event after it.
    """
    for number in range(3):
        await game.insist(f"after-{number}")
    await game.stop()
    history = await game.api.history(game.id)
    for known, group in ((1, fans), (2, late)):
        for fan in group:
            await fan.read_to_end()
            assert fan.kinds == ["status", *(event.kind for event in history[known:])]
            assert fan.told() == [event.details["comment"] for event in history[known:-1]]


async def test_a_handler_crashes(running: Running, connect: Connect, game: Game) -> None:
    class Broken:
        def handle_event(self, event: object) -> None:
            raise RuntimeError(f"injected: {event!r}")

    node = running.node
    async with connect() as unlucky:
        await unlucky.watch("one", game.id)
        (dispatcher,), (client,) = node.servers(Dispatcher), node.servers(Client)
        user = node["user-one"]
        async with watching(connect, game, "one", "two") as others:
            await dispatcher.process.call(AddHandler((game.id, "one", client.process), Broken(), user))
            await play_on(game, [unlucky, *others])


@injected
async def test_a_user_crashes(running: Running, connect: Connect, game: Game, end: Callable[[Process], None]) -> None:
    async with (
        watching(connect, game, "one", "one") as unlucky,
        watching(connect, game, "two", "three") as others,
    ):
        await game.foul("before")
        end(running.node["user-one"])
        for fan in unlucky:
            await fan.read_to_end()
        async with watching(connect, game, "one") as again:
            await play_on(game, others, again)


@injected
@pytest.mark.parametrize("kind", ["dispatcher", "match"])
async def test_the_dispatcher_or_its_match_crashes(
    running: Running, connect: Connect, game: Game, kind: str, end: Callable[[Process], None]
) -> None:
    async with watching(connect, game, "one", "one", "two") as fans:
        await game.foul("before")
        (dispatcher,) = running.node.servers(Dispatcher)
        match = running.node[f"match-{game.id}"]
        end(dispatcher.process if kind == "dispatcher" else match)
        async with watching(connect, game, "late") as late:
            await play_on(game, fans, late)
    assert not match.alive


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("db", crash),  # killed, it would leave its connection to the garbage collector, which complains
        ("client_listener", crash),
        ("client_listener", kill),
        ("web", crash),
        ("web", kill),
        ("match_sup", crash),
        ("match_sup", kill),
    ],
)
async def test_a_process_that_everybody_needs_crashes(
    running: Running, connect: Connect, game: Game, name: str, end: Callable[[Process], None]
) -> None:
    async with watching(connect, game, "one", "two") as fans:
        await game.foul("before")
        ended = running.node[name]
        end(ended)
        await replaced(running, name, ended)
        async with watching(connect, game, "late") as late:
            await play_on(game, fans, late)


@injected
@pytest.mark.parametrize("name", ["client_sup", "user_sup"])
async def test_a_supervisor_of_fans_crashes(
    running: Running, connect: Connect, game: Game, name: str, end: Callable[[Process], None]
) -> None:
    """As in OTP its children end with it; fans connect anew."""
    async with watching(connect, game, "one", "two") as fans:
        ended = running.node[name]
        end(ended)
        for fan in fans:
            await fan.read_to_end()
        await replaced(running, name, ended)
    async with watching(connect, game, "one", "two") as fans:
        await play_on(game, fans)


async def test_a_match_that_keeps_crashing_takes_its_supervisor_along_and_no_fan(
    running: Running, connect: Connect, game: Game
) -> None:
    supervisor, name = running.node["match_sup"], f"match-{game.id}"
    async with watching(connect, game, "one", "two") as fans:
        while supervisor.alive:
            match = running.node.whereis(name)
            if match is None:
                await asyncio.sleep(0)
            else:
                match.kill()
                await match.wait()
        await replaced(running, "match_sup", supervisor)
        await play_on(game, fans)


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_write_whose_answer_is_lost(
    connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch, is_stored: bool
) -> None:
    """It is refused; if it was made all the same, the fans hear of it without another event."""
    append = RedisStore.append

    async def lose_the_answer(store: RedisStore, match: Match, event: Event) -> None:
        if is_stored:
            await append(store, match, event)
        raise StoreUnavailableError("injected")

    async with watching(connect, game, "one", "two") as fans:
        with monkeypatch.context() as patch:
            patch.setattr(RedisStore, "append", lose_the_answer)
            with pytest.raises(ApiError, match="injected"):
                await game.foul("in doubt")
        if is_stored:
            for fan in fans:
                await fan.read_events(1)
        assert [event.details.get("comment") for event in await game.api.history(game.id)][1:] == (
            ["in doubt"] if is_stored else []
        )
        await play_on(game, fans)


async def test_a_stop_whose_answer_is_lost_ends_the_match(
    connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = RedisStore.append

    async def lose_the_answer(store: RedisStore, match: Match, event: Event) -> None:
        await append(store, match, event)
        raise StoreUnavailableError("injected")

    async with watching(connect, game, "one") as fans:
        with monkeypatch.context() as patch:
            patch.setattr(RedisStore, "append", lose_the_answer)
            with pytest.raises(ApiError, match="injected"):
                await game.stop()
        await fans[0].read_to_end()
    assert fans[0].kinds == ["status", "stop"]


async def test_a_record_that_cannot_be_read_ends_nothing(
    running: Running, connect: Connect, game: Game, api: ReporterClient
) -> None:
    store = RedisStore(running.redis_url)
    await store._redis.call("HSET", "match:{broken}", "match", "{}")  # noqa: SLF001  # no door makes such a record
    await store.close()
    db = running.node["db"]
    async with watching(connect, game, "one") as fans:
        for request in (api.match("broken"), api.history("broken"), api.post_event("broken", {"kind": "stop"})):
            with pytest.raises(ApiError, match="500"):
                await request
        async with connect() as unlucky:
            await unlucky.greet("two", "broken")
            await unlucky.read_to_end()
        assert len(unlucky.errors) == 1
        assert db.alive
        await play_on(game, fans)


@pytest.mark.parametrize("is_started", [True, False])
async def test_a_match_that_is_announced_anew_behind_a_fans_back(
    connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch, is_started: bool
) -> None:
    """When the fan is to be notified of it, it is another match than the one of the status."""
    call = MatchSup.call

    async def late(node: Node, match_id: str, request: object) -> Any:
        if isinstance(request, EventManager):
            monkeypatch.undo()
            await game.api.cancel_match(game.id)
            await game.api.create_match(game.new)
            if is_started:
                await game.start()
        return await call(node, match_id, request)

    await game.foul("of the first")
    async with connect() as fan:
        monkeypatch.setattr(MatchSup, "call", late)
        await fan.greet("fan", game.id)
        await fan.read_to_end()
    assert fan.kinds == ["status"]
    (error,) = fan.errors
    assert "announced anew" in error
