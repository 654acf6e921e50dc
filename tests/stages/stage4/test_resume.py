"""Fans who are cut off and come back: what they hear in all is what happened, each event once and in order."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from common.domain import rules
from common.domain.posts import Foul
from common.http.client import ReporterClient
from common.store.embedded import EmbeddedRedis
from common.store.errors import StoreUnavailableError
from common.store.redis_store import RedisStore
from common.wire.frames import epoch_of
from common.wire.reader import ResumedLine
from stages.catalogue import find_stage
from stages.options import Options
from stages.stage0.dispatcher import Dispatcher
from stages.stage4.audience import Audience
from stages.stage4.fans import Fans
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Self

    from common.domain.events import Event
    from common.otp import Node
    from common.wire.reader import Frame
    from stages.stage0.parts import Stage

OTHER_COURSE = "the match was set back, or announced anew: what you heard last is no part of it any more"

LEFT_OUT = (
    (),
    pytest.param(("encode-once",), marks=pytest.mark.slow),
    pytest.param(("time-slices",), marks=pytest.mark.slow),
    ("encode-once", "write-behind", "time-slices"),
)


@pytest.fixture(params=LEFT_OUT, ids=lambda names: "without " + (", ".join(names) or "nothing"))
def stage(request: pytest.FixtureRequest) -> Stage:
    return find_stage("4", left_out=request.param)


class Numbered(Fan):
    """A fan who asks for numbers, and knows its place."""

    @property
    def resumed(self) -> list[str]:
        """What the lines said that announce what was missed."""
        return [element.message for element in self.heard if isinstance(element, ResumedLine)]

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands."""
        place = self.frames[-1].place
        assert place is not None
        return place

    async def begin(self, match_id: str) -> Self:
        """Ask for numbers, and hear the status."""
        await self.send(f"V:3:me:{match_id}\n".encode())
        await self.read_until(lambda: bool(self.frames))
        return self

    async def resume(self, match_id: str, place: tuple[int, int]) -> Self:
        """Say what was heard last, and hear the first word of the answer."""
        await self.send("V:3:me:{}:{}:{}\n".format(match_id, *place).encode())
        await self.read_until(lambda: bool(self.resumed or self.frames or self.errors))
        return self


@dataclass
class Served:
    """A server in this process."""

    node: Node
    port: int
    api: ReporterClient

    def fan(self) -> Numbered:
        """Return a fan who will connect to it."""
        return Numbered(("127.0.0.1", self.port))

    def kill(self, kind: type[object]) -> None:
        """Kill all processes of a kind."""
        for server in list(self.node.servers(kind)):  # type: ignore[type-var]
            server.process.kill()


@asynccontextmanager
async def serving(stage: Stage, redis_url: str) -> AsyncIterator[Served]:
    """Serve, from one event to another of a test."""
    server = stage.parts.server(stage.parts, Options(host="127.0.0.1", port=0, http_port=0, redis_url=redis_url))
    addresses = await server.start()
    try:
        async with ReporterClient(f"http://127.0.0.1:{addresses.http[0]}", TOKEN) as api:
            yield Served(server.node, addresses.fans[0], api)
    finally:
        await server.stop()


@pytest.fixture
async def redis_url(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setenv("MATCHSTREAM_TOKEN", TOKEN)
    async with EmbeddedRedis() as redis:
        yield redis.url


@pytest.fixture
async def served(stage: Stage, redis_url: str) -> AsyncIterator[Served]:
    async with serving(stage, redis_url) as served:
        yield served


@pytest.fixture
async def game(served: Served) -> Game:
    """Return a match that has started."""
    game = await Game.announced(served.api, "m")
    await game.start()
    return game


async def post(game: Game, *comments: str) -> None:
    for comment in comments:
        await game.foul(comment)


def small_windows(monkeypatch: pytest.MonkeyPatch, events: int) -> None:
    for module in ("window", "resume"):
        monkeypatch.setattr(f"stages.stage4.{module}.MOST", events)


def check(frames: Sequence[Frame], history: Sequence[Event]) -> None:
    """Check that these frames are those events, numbered."""
    assert [frame.place for frame in frames] == [(event.seq, epoch_of(event.at)) for event in history]
    assert [frame.kind for frame in frames] == [event.kind for event in history]
    assert [frame.details for frame in frames] == [event.details for event in history]


async def test_a_numbered_stream_says_at_each_moment_where_it_is(served: Served, game: Game) -> None:
    await post(game, "before")
    async with served.fan() as fan:
        await fan.begin(game.id)
        history = await game.api.history(game.id)
        assert fan.place == (2, epoch_of(history[1].at))
        assert list(fan.frames[0].details)[:1] == ["home"]
        await post(game, "after")
        await game.stop()
        await fan.read_to_end()
    assert fan.kinds == ["status", "foul", "stop"]
    check(fan.frames[1:], (await game.api.history(game.id))[2:])


async def test_who_names_no_match_gets_the_current_one(served: Served, game: Game) -> None:
    async with served.fan() as fan, served.fan() as again:
        await fan.begin("")
        await post(game, "missed")
        await again.resume("", fan.place)
        await again.read_until(lambda: bool(again.frames))
    assert fan.kinds[0] == "status"
    assert again.told() == ["missed"]


async def test_who_comes_back_is_sent_what_it_missed(served: Served, game: Game) -> None:
    async with served.fan() as stays:
        await stays.begin(game.id)
        async with served.fan() as goes:
            await goes.begin(game.id)
            await post(game, "heard")
            await goes.read_events(1)
        await post(game, "missed-0", "missed-1")
        async with served.fan() as again:
            await again.resume(game.id, goes.place)
            assert again.resumed == ["2 events after 2"]
            await post(game, "live")
            await game.stop()
            for fan in (again, stays):
                await fan.read_to_end()
    assert again.kinds == ["foul", "foul", "foul", "stop"]
    check([*goes.frames[1:], *again.frames], (await game.api.history(game.id))[1:])
    check(stays.frames[1:], (await game.api.history(game.id))[1:])


async def test_who_missed_nothing_hears_only_what_comes(served: Served, game: Game) -> None:
    async with served.fan() as fan, served.fan() as again:
        await fan.begin(game.id)
        await again.resume(game.id, fan.place)
        assert again.resumed == ["0 events after 1"]
        await post(game, "next")
        await again.read_until(lambda: bool(again.frames))
    assert again.told() == ["next"]
    assert again.place[0] == 2


async def test_what_is_gone_from_the_window_is_told_by_a_status_that_says_so(
    served: Served, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_windows(monkeypatch, 4)
    async with served.fan() as fan, served.fan() as late, served.fan() as in_time:
        await fan.begin(game.id)
        await post(game, *(f"foul-{number}" for number in range(6)))
        await fan.read_events(6)
        await late.resume(game.id, fan.frames[1].place or (0, 0))
        await in_time.resume(game.id, fan.frames[2].place or (0, 0))
        await post(game, "next")
        for one in (late, in_time):
            await one.read_until(lambda one=one: one.told()[-1:] == ["next"])  # type: ignore[misc]
    assert late.kinds == ["status", "foul"]
    assert late.frames[0].missed == "events 3 to 7"
    assert late.frames[0].place == fan.frames[6].place
    assert late.resumed == []
    assert in_time.told() == ["foul-2", "foul-3", "foul-4", "foul-5", "next"]


async def test_a_course_that_is_none_any_more_is_said_to_be(served: Served, game: Game) -> None:
    """It has gone less far than the fan, as far, and further."""
    async with served.fan() as fan:
        await fan.begin(game.id)
        await post(game, "old-0", "old-1")
        await fan.read_events(2)
        await game.api.cancel_match(game.id)
        await fan.read_to_end()
    assert len(fan.errors) == 1
    await game.announce()
    await game.start()
    async with AsyncExitStack() as stack:
        for number in range(4):
            again = await stack.enter_async_context(served.fan())
            await again.resume(game.id, fan.place)
            assert again.frames[0].missed == OTHER_COURSE
            assert again.place[0] == number + 1
            await post(game, f"new-{number}")
            await again.read_events(1)
            assert again.told() == [f"new-{number}"]


async def test_a_course_is_not_known_by_its_numbers_alone(served: Served, game: Game) -> None:
    async with served.fan() as fan, served.fan() as other, served.fan() as trusting:
        await fan.begin(game.id)
        await post(game, "one", "two")
        await fan.read_events(2)
        number, epoch = fan.frames[1].place or (0, 0)
        await other.resume(game.id, (number, epoch + 1))
        await trusting.resume(game.id, (number, 0))
        await trusting.read_until(lambda: bool(trusting.frames))
    assert (other.kinds, other.frames[0].missed) == (["status"], OTHER_COURSE)
    assert trusting.told() == ["two"]


@pytest.mark.parametrize("place", [(2, 5), (10**18 - 1, 10**18 - 1), (2, 0)])
async def test_a_place_in_the_future_is_none(served: Served, game: Game, place: tuple[int, int]) -> None:
    async with served.fan() as fan:
        await fan.resume(game.id, place)
        await post(game, "next")
        await fan.read_events(1)
    assert fan.kinds == ["status", "foul"]
    assert fan.frames[0].missed == OTHER_COURSE
    assert fan.place[0] == 2


async def post_elsewhere(redis_url: str, game: Game) -> Event:
    """Have an event stored that the server does not know of."""
    store = RedisStore(redis_url)
    before = await store.match(game.id)
    assert before is not None
    match, event = rules.apply(before, Foul(team=game.new.home, comment="elsewhere"), datetime.now(UTC))
    await store.append(match, event, after=before.last_at)
    await store.close()
    return event


async def test_the_place_of_a_status_is_that_of_which_it_tells(served: Served, game: Game, redis_url: str) -> None:
    event = await post_elsewhere(redis_url, game)
    async with served.fan() as fan:
        await fan.begin(game.id)
        assert fan.place == (2, epoch_of(event.at))
        await post(game, "next")
        await fan.read_events(1)
    check(fan.frames[1:], (await game.api.history(game.id))[2:])


async def test_a_server_that_is_late_learns_from_a_fan_who_knows_more(
    served: Served, game: Game, redis_url: str
) -> None:
    """An event that this server has not heard of was told by another one, which has ended."""
    async with served.fan() as watching, served.fan() as knows:
        await watching.begin(game.id)
        event = await post_elsewhere(redis_url, game)
        await knows.resume(game.id, (event.seq, epoch_of(event.at)))
        assert knows.resumed == ["0 events after 2"]
        await watching.read_events(1)
        await post(game, "next")
        await knows.read_until(lambda: bool(knows.frames))
        await watching.read_events(2)
    assert knows.told() == ["next"]
    assert watching.told() == ["elsewhere", "next"]


async def test_after_the_end_there_is_still_what_was_missed(
    served: Served, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_windows(monkeypatch, 4)
    async with served.fan() as fan:
        await fan.begin(game.id)
        await post(game, "heard-0", "heard-1")
        await fan.read_events(2)
        fan.leave()
        await post(game, "missed")
        await game.stop()
    history = await game.api.history(game.id)
    first, heard, last = fan.frames[0].place, fan.frames[1].place, (5, epoch_of(history[-1].at))
    told: list[Numbered] = []
    for place in (heard, first, last, (9, 9), (3, 1)):
        async with served.fan() as again:
            told.append(await again.resume(game.id, place or (0, 0)))
            await again.read_to_end()
    resumed, at_the_edge, has_heard_all, *others = told
    check(resumed.frames, history[2:])
    assert resumed.resumed == ["3 events after 2"]
    check(at_the_edge.frames, history[1:])
    assert (has_heard_all.kinds, has_heard_all.frames[0].missed) == (["status"], "")
    for other in others:
        assert (other.kinds, other.frames[0].missed) == (["status"], OTHER_COURSE)
        assert other.frames[0].details["period"] == "ended"
        assert other.place == last
    small_windows(monkeypatch, 2)
    async with served.fan() as late:
        await late.resume(game.id, heard or (0, 0))
        await late.read_to_end()
    assert (late.kinds, late.frames[0].missed) == (["status"], "events 3 to 5")


async def test_before_the_start_there_is_a_status(served: Served) -> None:
    game = await Game.announced(served.api, "m")
    for begins in (True, False):
        async with served.fan() as fan:
            await (fan.begin(game.id) if begins else fan.resume(game.id, (0, 0)))
            await fan.read_to_end()
        assert (fan.kinds, fan.place, fan.frames[0].missed) == (["status"], (0, 0), "")
    await game.start()
    await post(game, "first")
    async with served.fan() as fan:
        await fan.resume(game.id, (0, 0))
        await fan.read_until(lambda: len(fan.frames) == 2)
    check(fan.frames, await game.api.history(game.id))


async def test_who_wants_no_numbers_gets_none(served: Served, game: Game) -> None:
    async with served.fan() as numbered, served.fan() as plain, served.fan() as old:
        await numbered.begin(game.id)
        await plain.watch("plain", game.id)
        await old.watch("old")
        await post(game, "one", "two")
        await game.stop()
        for fan in (numbered, plain, old):
            await fan.read_to_end()
            assert fan.kinds == ["status", "foul", "foul", "stop"]
            assert fan.told() == ["one", "two"]
        drops = (await served.api.statistics()).drops
    assert plain.raw.count(b"number:") == plain.raw.count(b"epoch:") == 0
    after_the_status = plain.raw.partition(b"period: first")[2]
    assert after_the_status.count(b": foul:") == 2
    assert after_the_status == old.raw.partition(b"period: first")[2]
    assert not sum(drops.values())


async def test_an_unknown_match_and_a_place_that_is_none_are_refused(served: Served) -> None:
    for said, told in (
        (b"V:3:me:nothing:4:5\n", "there is no match nothing"),
        (b"V:3:me::4:5\n", "there is no match to watch now"),
        (b"V:3:me:m:x:5\n", "the last number is not a number"),
        (b"V:3:me\n", "expected V:2:<user> or"),
    ):
        async with served.fan() as fan:
            await fan.send(said)
            await fan.read_to_end()
        assert len(fan.errors) == 1
        assert fan.errors[0].startswith(told)


async def test_without_the_lesson_nobody_is_numbered(redis_url: str) -> None:
    async with serving(find_stage("4", left_out=["resume"]), redis_url) as served, served.fan() as fan:
        await fan.send(b"V:3:me::1:2\n")
        await fan.read_to_end()
    assert fan.errors == ["expected V:2:<user> or VERSION:1:CONNECT:<user>:MATCH:<match id>"]


class Asked:
    """How often the store is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.matches = self.histories = 0
        match, history = RedisStore.match, RedisStore.history

        async def counting_match(store: RedisStore, match_id: str) -> object:
            self.matches += 1
            return await match(store, match_id)

        async def counting_history(store: RedisStore, match_id: str, *where: int | None) -> object:
            self.histories += 1
            return await history(store, match_id, *where)  # type: ignore[arg-type]

        monkeypatch.setattr(RedisStore, "match", counting_match)
        monkeypatch.setattr(RedisStore, "history", counting_history)


async def come_back(stack: AsyncExitStack, served: Served, game: Game, place: tuple[int, int]) -> list[Numbered]:
    """Have twenty fans come back together."""
    fans = [await stack.enter_async_context(served.fan()) for _ in range(20)]
    for fan in fans:
        await fan.welcome()
    await asyncio.gather(*(fan.resume(game.id, place) for fan in fans))
    return fans


@pytest.mark.parametrize("stage", [()], indirect=True)
async def test_the_store_is_not_asked_for_each_fan(
    stage: Stage, redis_url: str, served: Served, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served.fan() as fan:
        await fan.begin(game.id)
        await post(game, "missed-0", "missed-1")
        place = fan.place
        async with AsyncExitStack() as stack:
            asked = Asked(monkeypatch)
            fans = await come_back(stack, served, game, place)
            assert (asked.matches, asked.histories) == (0, 0)
            assert {tuple(fan.resumed) for fan in fans} == {("2 events after 1",)}
    async with serving(stage, redis_url) as another, AsyncExitStack() as stack:
        asked.matches = asked.histories = 0
        fans = await come_back(stack, another, Game(another.api, game.new), place)
        # The match's own process reads it, and the window is filled: for who came first, or then for all others.
        assert asked.matches <= 2
        assert 1 <= asked.histories <= 2
        for fan in fans:
            await fan.read_until(lambda fan=fan: len(fan.frames) == 2)  # type: ignore[misc]
            assert fan.told() == ["missed-0", "missed-1"]
        asked.matches = asked.histories = 0
        fans = await come_back(stack, another, Game(another.api, game.new), place)
        assert (asked.matches, asked.histories) == (0, 0)


@pytest.mark.parametrize("stage", [()], indirect=True)
async def test_nor_for_those_who_missed_too_much(
    stage: Stage, redis_url: str, served: Served, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_windows(monkeypatch, 2)
    async with served.fan() as fan:
        await fan.begin(game.id)
        await post(game, "one", "two", "three")
    async with serving(stage, redis_url) as another, AsyncExitStack() as stack:
        game = Game(another.api, game.new)
        await come_back(stack, another, game, fan.place)
        asked = Asked(monkeypatch)
        for late in await come_back(stack, another, game, fan.place):
            assert late.frames[0].missed == "events 2 to 4"
        assert (asked.matches, asked.histories) == (0, 0)


async def test_the_next_server_knows_what_the_one_before_told(stage: Stage, redis_url: str) -> None:
    async with serving(stage, redis_url) as before:
        game = await Game.announced(before.api, "m")
        await game.start()
        async with before.fan() as fan:
            await fan.begin(game.id)
            await post(game, "heard", "missed-0")
            await fan.read_events(1)
    async with serving(stage, redis_url) as after:
        game = Game(after.api, game.new)
        await post(game, "missed-1")
        async with after.fan() as again, after.fan() as plain:
            await again.resume(game.id, fan.frames[1].place or (0, 0))
            await plain.watch("plain", game.id)
            await post(game, "live")
            await game.stop()
            await again.read_to_end()
            await plain.read_to_end()
        history = await game.api.history(game.id)
    check([*fan.frames[1:2], *again.frames], history[1:])
    assert plain.told() == ["live"]


async def test_while_the_history_cannot_be_read_a_fan_is_asked_to_come_again(
    served: Served, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(game, "one", "two")

    async def be_away(*_: object) -> None:
        raise StoreUnavailableError("injected")

    async with served.fan() as watching, served.fan() as back, served.fan() as unlucky, served.fan() as begins:
        await watching.begin(game.id)
        with monkeypatch.context() as patch:
            patch.setattr(RedisStore, "history", be_away)
            await unlucky.resume(game.id, (2, 0))
            await unlucky.read_to_end()
            await begins.begin(game.id)
        assert unlucky.errors == ["the server cannot reach its store now; connect again in a moment"]
        await back.resume(game.id, (2, 0))
        await back.read_until(lambda: bool(back.frames))
    assert back.told() == ["two"]
    assert begins.kinds == ["status"]


@pytest.mark.parametrize("kind", [Audience, Dispatcher])
async def test_a_crash_loses_and_repeats_nothing(
    served: Served, game: Game, kind: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.stage4.fans.RESUME_S", 0.01)
    async with served.fan() as numbered, served.fan() as plain, served.fan() as again, served.fan() as late:
        await numbered.begin(game.id)
        await plain.watch("plain", game.id)
        await post(game, "before")
        await numbered.read_events(1)
        served.kill(kind)
        await game.insist("after-0")
        await again.resume(game.id, numbered.frames[0].place or (0, 0))
        await game.insist("after-1")
        await late.resume(game.id, numbered.frames[1].place or (0, 0))
        await game.stop()
        for fan in (numbered, plain, again, late):
            await fan.read_to_end()
    history = await game.api.history(game.id)
    assert plain.told() == ["before", "after-0", "after-1"]
    check(numbered.frames[1:], history[1:])
    check(again.frames, history[1:])
    check(late.frames, history[2:])


class Restless:
    """A fan who is cut off again and again, and goes on where it was."""

    def __init__(self, served: Served, game: Game) -> None:
        self._served = served
        self._game = game
        self.heard: list[Frame] = []
        self.is_over = False

    async def watch(self, chance: random.Random) -> None:
        """Hear the match to its end, over as many connections as that takes."""
        while not self.is_over:
            async with self._served.fan() as fan:
                with suppress(AssertionError, ConnectionError):  # the server has closed
                    await self._hear(fan, chance.randrange(4))
                self._keep(fan)
                assert all("the match" not in error for error in fan.errors)
                fan.reset()
            await asyncio.sleep(0.001 * chance.randrange(5))

    async def _hear(self, fan: Numbered, events: int) -> None:
        if not self.heard:
            await fan.begin(self._game.id)
            return
        await fan.resume(self._game.id, self.heard[-1].place or (0, 0))
        await fan.read_until(lambda: len(fan.frames) > events or fan.kinds[-1:] == ["stop"])

    def _keep(self, fan: Fan) -> None:
        self.heard += fan.frames
        self.is_over = self.heard[-1:] != [] and self.heard[-1].kind == "stop"


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_killed_all_hear_all(
    served: Served, game: Game, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices are so short, and windows so long, that everything can happen between two events and in one."""
    monkeypatch.setattr("stages.stage4.fans.RESUME_S", 0.01)
    monkeypatch.setattr("stages.stage4.audience.RESUME_S", 0.01)
    monkeypatch.setattr("stages.stage4.time_slices.PIECE", 1)
    monkeypatch.setattr("stages.stage4.time_slices.SLICE_S", 0.0)
    chance = random.Random(seed)  # noqa: S311  # to be the same again
    fans = [Restless(served, game) for _ in range(8)]
    async with asyncio.TaskGroup() as group:
        for number, fan in enumerate(fans):
            its_own = random.Random(f"{seed}-{number}")  # noqa: S311  # likewise
            group.create_task(fan.watch(its_own), name=f"fan-{number}")
        await eventually(lambda: all(fan.heard for fan in fans), "all have begun")
        for number in range(60):
            await game.insist(f"event-{number}")
            if chance.randrange(8) == 0:
                served.kill(chance.choice([Audience, Audience, Dispatcher, Fans]))
            await asyncio.sleep(0.001 * chance.randrange(4))
        await game.stop()
    history = await game.api.history(game.id)
    for fan in fans:
        first, *rest = fan.heard
        assert first.kind == "status"
        assert first.place is not None
        check(rest, history[first.place[0] :])
