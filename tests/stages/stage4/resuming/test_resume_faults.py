"""What the store is asked when many come back, and what they hear when something has failed or was killed."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from common.store.errors import StoreUnavailableError
from common.store.redis_store import RedisStore
from stages.stage0.dispatcher import Dispatcher
from stages.stage4.audience import Audience
from stages.stage4.fans import Fans
from tests.stages.game import Game
from tests.stages.stage4.resuming.numbered import Numbered, Served, check, post, serving, small_windows
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.wire.reader import Frame
    from stages.stage0.parts import Stage
    from tests.stages.fan import Fan


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
