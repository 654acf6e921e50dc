"""Questions to Redis that share an exchange, on virtual time and before a Redis of which only the answers are known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.match import Player, Team
from common.store.connections import Connections
from common.store.embedded import EmbeddedRedis
from common.store.errors import StoreUnavailableError
from stages.stage2_3.batches import Batches, BatchingStore
from tests.virtual_time import idle, run_virtual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.store.connection import Argument

Command = tuple["Argument", ...]

REFUSED = "refused"


@dataclass(slots=True)
class Memory:
    """What Redis would remember and answer, a command at a time."""

    values: dict[Argument, Argument] = field(default_factory=dict)

    def answer(self, command: Command) -> object:
        name, key, *rest = command
        if key == REFUSED:
            return StoreUnavailableError(f"{name!r} is refused")
        if name == "SET":
            self.values[key] = rest[0]
            return b"OK"
        return self.values.get(key)


class FakeConnections(Connections):
    """Carries an exchange out when it is begun, and answers `answers_after_s` later."""

    def __init__(self, *, answers_after_s: float = 0.001, fails: bool = False) -> None:
        super().__init__("unix:///nowhere", 1, 1.0, 1.0)
        self.exchanges: list[list[Command]] = []
        self._memory = Memory()
        self._answers_after_s = answers_after_s
        self._fails = fails

    async def answers(self, commands: Sequence[tuple[Argument, ...]]) -> list[Any]:
        self.exchanges.append(list(commands))
        answers = [self._memory.answer(command) for command in commands]
        await asyncio.sleep(self._answers_after_s)
        if self._fails:
            raise StoreUnavailableError("no answer")
        return answers


def test_the_commands_of_a_turn_share_an_exchange() -> None:
    async def main() -> None:
        connections = FakeConnections()
        batches = Batches(connections)
        answers = await asyncio.gather(
            batches.call("SET", "a", "1"), batches.call_all([("SET", "b", "2"), ("GET", "a")]), batches.call("GET", "b")
        )
        assert answers == [b"OK", [b"OK", "1"], "2"]
        assert connections.exchanges == [[("SET", "a", "1"), ("SET", "b", "2"), ("GET", "a"), ("GET", "b")]]

    run_virtual(main())


def test_what_is_asked_later_goes_out_later() -> None:
    async def main() -> None:
        connections = FakeConnections(answers_after_s=10)
        batches = Batches(connections)
        first = asyncio.ensure_future(batches.call("GET", "a"))
        await asyncio.sleep(1)
        assert connections.exchanges == [[("GET", "a")]]
        second = asyncio.ensure_future(batches.call("GET", "a"))
        await asyncio.sleep(1)
        assert len(connections.exchanges) == 2  # the first one's answer may be older than the second question
        await asyncio.gather(first, second)

    run_virtual(main())


def test_what_is_asked_twice_goes_out_twice() -> None:
    async def main() -> None:
        connections = FakeConnections()
        batches = Batches(connections)
        await asyncio.gather(batches.call("SET", "a", "1"), batches.call("SET", "a", "1"))
        assert connections.exchanges == [[("SET", "a", "1")] * 2]

    run_virtual(main())


def test_a_refusal_is_its_askers_alone() -> None:
    async def main() -> None:
        batches = Batches(FakeConnections())
        answers = await asyncio.gather(
            batches.call("GET", "a"),
            batches.call("SET", REFUSED, "1"),
            batches.call_all([("SET", "a", "1"), ("GET", REFUSED)]),
            batches.call("GET", "a"),
            return_exceptions=True,
        )
        assert answers[0] is None
        assert isinstance(answers[1], StoreUnavailableError)
        assert isinstance(answers[2], StoreUnavailableError)
        assert answers[3] == "1"

    run_virtual(main())


def test_a_failed_exchange_is_everybodys() -> None:
    async def main() -> None:
        batches = Batches(FakeConnections(fails=True))
        answers = await asyncio.gather(
            batches.call("GET", "a"), batches.call("GET", "a"), batches.call("SET", "a", "1"), return_exceptions=True
        )
        assert [str(answer) for answer in answers] == ["no answer"] * 3

    run_virtual(main())


@pytest.mark.parametrize("is_sent", [True, False])
def test_an_asker_that_waits_no_more_disturbs_nobody(*, is_sent: bool) -> None:
    async def main() -> None:
        connections = FakeConnections()
        batches = Batches(connections)
        leaving, staying = (asyncio.ensure_future(batches.call("GET", "a")) for _ in range(2))
        writing = asyncio.ensure_future(batches.call("SET", "a", "1"))
        await asyncio.sleep(0)  # all three have asked
        if is_sent:
            await idle()
        assert len(connections.exchanges) == is_sent
        leaving.cancel()
        assert await staying is None
        assert await writing == b"OK"
        assert leaving.cancelled()
        assert await batches.call("GET", "a") == "1"

    run_virtual(main())


read = st.tuples(st.just("GET"), st.sampled_from(["a", "b"]))
write = st.tuples(st.just("SET"), st.just("a"), st.integers(1, 9))
refused = st.tuples(st.sampled_from(["GET", "SET"]), st.just(REFUSED), st.just(1))
command = st.one_of(read, write, refused)
questions = st.one_of(read.map(lambda one: [one]), command.map(lambda one: [one]), st.lists(command, max_size=3))
turns = st.lists(st.tuples(st.sampled_from([0, 1, 5]), st.lists(questions, min_size=3, max_size=12)), max_size=4)
"""What is asked in each turn, after how many milliseconds."""


@given(turns)
def test_all_hear_what_they_would_hear_one_after_the_other(turns: list[tuple[int, list[list[Command]]]]) -> None:
    async def main() -> list[list[Any] | BaseException]:
        batches = Batches(FakeConnections())
        asking = []
        for pause_ms, asked in turns:
            await asyncio.sleep(pause_ms / 1000)
            asking += [asyncio.ensure_future(batches.call_all(commands)) for commands in asked]
        return await asyncio.gather(*asking, return_exceptions=True)

    memory = Memory()
    heard = iter(run_virtual(main()))
    for commands in (commands for _, asked in turns for commands in asked):
        expected = [memory.answer(command) for command in commands]
        if any(isinstance(answer, StoreUnavailableError) for answer in expected):
            assert isinstance(next(heard), StoreUnavailableError)
        else:
            assert next(heard) == expected


async def test_a_store_asks_redis_in_batches() -> None:
    squad = (Player(1, "Casals"), Player(7, "Luna"))
    async with EmbeddedRedis() as redis:
        store = BatchingStore(redis.url, connections=2)
        await store.put_team(Team("tig", "Tigre", squad))
        before = store.statistics().calls
        teams = await asyncio.gather(*(store.team("tig") for _ in range(1000)))
        assert teams == [Team("tig", "Tigre", squad)] * 1000
        assert store.statistics().calls == before + 1
        renamed = Team("tig", "CA Tigre", squad)
        assert not await store.put_team(renamed)
        assert await store.team("tig") == renamed
        await store.close()
        with pytest.raises(StoreUnavailableError, match="closed"):
            await store.team("tig")
