"""A server with its fans on a plane, in this process: what fans hear whatever becomes of whom, and what they cost."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from common.otp import SHUTDOWN, Process
from stages.stage0.client import SILENT
from stages.stage0.db import Db
from stages.stage0.operations import CurrentMatch
from stages.traffic import Drop
from tests.stages.in_process.running import play_on, watching
from tests.stages.stage4.inside import audiences, fans_of, plane_of, seats_of
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from common.http.client import ReporterClient
    from common.otp import Node
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running


def kill(process: Process) -> None:
    process.kill()


def crash(process: Process) -> None:
    """Have a process fail, as an error in its code would have it."""
    process.exit(RuntimeError("injected"))


injected = pytest.mark.parametrize("end", [kill, crash])


async def drops(api: ReporterClient) -> dict[str, int]:
    return {reason: count for reason, count in (await api.statistics()).drops.items() if count}


async def test_a_fan_is_no_process_and_no_task(running: Running, connect: Connect, game: Game) -> None:
    async with watching(connect, game, "first"):
        processes = Counter(process.kind for process in running.node.processes())
        tasks = len(asyncio.all_tasks())
        async with watching(connect, game, *(f"fan-{number}" for number in range(20))) as others:
            assert Counter(process.kind for process in running.node.processes()) == processes
            assert processes["Audience"] == 1
            await eventually(lambda: len(asyncio.all_tasks()) <= tasks, "there are no more tasks than before")
            assert plane_of(running).watching == 21
            await play_on(game, others)


# Who ends, and what fans hear then.


@injected
async def test_an_audience_ends_and_its_fans_hear_all_from_the_next(
    running: Running, connect: Connect, game: Game, end: Callable[[Process], None]
) -> None:
    async with watching(connect, game, "one", "two") as fans:
        await game.foul("before")
        (audience,) = audiences(running)
        end(audience)
        await audience.wait()
        await game.insist("between")
        async with watching(connect, game, "three") as others:
            for fan in fans:
                await fan.read_events(2)
            assert audience not in audiences(running)
            await game.insist("after")
            await others[0].read_until(lambda: "after" in others[0].told())
            await game.stop()
            for fan in [*fans, *others]:
                await fan.read_to_end()
    assert [fan.told() for fan in fans] == [["before", "between", "after"]] * 2
    assert all(not fan.errors for fan in fans)


@injected
@pytest.mark.parametrize("kind", ["dispatcher", "match"])
async def test_the_dispatcher_or_its_match_ends_and_fans_stay(
    running: Running, connect: Connect, game: Game, kind: str, end: Callable[[Process], None]
) -> None:
    async with watching(connect, game, "one", "one", "two") as fans:
        await game.foul("before")
        match = running.node[f"match-{game.id}"]
        end(running.dispatcher(game) if kind == "dispatcher" else match)
        async with watching(connect, game, "late") as late:
            await play_on(game, fans, late)
    assert not match.alive


@injected
async def test_the_process_of_all_fans_ends_and_they_are_cut_off_and_counted(
    running: Running, connect: Connect, game: Game, api: ReporterClient, end: Callable[[Process], None]
) -> None:
    async with watching(connect, game, "one", "two") as fans, connect() as silent:
        await silent.welcome()
        ended = running.node["fans"]
        end(ended)
        for fan in [*fans, silent]:
            await fan.read_to_end()
        await running.replaced("fans", ended)
    assert await drops(api) == {Drop.CRASH: 3}
    await eventually(lambda: len(audiences(running)) == 0, "its audiences have ended with it")
    async with watching(connect, game, "one", "two") as fans:
        await play_on(game, fans)


async def test_a_match_is_cancelled_and_all_hear_it(running: Running, connect: Connect, game: Game) -> None:
    async with watching(connect, game, "one", "two") as fans:
        await game.api.cancel_match(game.id)
        for fan in fans:
            await fan.read_to_end()
            assert fan.errors == [f"the match {game.id} was cancelled"]
    await eventually(lambda: not audiences(running), "nobody watches")


async def test_a_server_that_stops_says_goodbye(running: Running, connect: Connect, game: Game) -> None:
    async with watching(connect, game, "one") as fans, connect() as silent:
        await silent.welcome()
        ended = running.node["fans"]
        ended.exit(SHUTDOWN)
        for fan in [*fans, silent]:
            await fan.read_to_end()
            assert len(fan.goodbyes) == 1
        await running.replaced("fans", ended)


# Fans who are slow, silent, or gone.


MUCH: Final = 60
"""Events of 1,120 bytes: more than sockets with little room take."""


@pytest.mark.parametrize("stage", [4096], indirect=True)
async def test_who_reads_late_hears_all_whole_and_in_order_and_nobody_waits_for_it(
    running: Running, connect: Connect, game: Game
) -> None:
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)  # before it connects: that is its window
        lazy.settimeout(DEADLINE_S)
        lazy.connect(("127.0.0.1", running.addresses.fans[0]))
        lazy.sendall(f"VERSION:1:CONNECT:lazy:MATCH:{game.id}\n".encode())
        plane = plane_of(running)
        await eventually(lambda: plane.watching == 1, "it watches")
        async with watching(connect, game, "quick") as (quick,):
            comments = [f"{number:\U0001f600>280}" for number in range(MUCH)]
            for number, comment in enumerate(comments):
                await game.foul(comment)
                await quick.read_events(number + 1)
            assert plane.unsent == 1
            await game.stop()
            await quick.read_to_end()
        assert plane.connected == 1
        heard = await asyncio.to_thread(lambda: b"".join(iter(lambda: lazy.recv(1 << 16), b"")))
    assert quick.told() == comments
    assert heard.count(b": foul:") == MUCH
    assert heard[heard.index(b": foul:") :] == quick.raw[quick.raw.index(b": foul:") :]


async def test_audiences_of_nobody_end_while_the_match_is_played(
    running: Running, connect: Connect, game: Game
) -> None:
    for _ in range(2):
        async with watching(connect, game, "one", "two") as fans:
            assert len(audiences(running)) == 1
            for fan in fans:
                fan.reset()  # who says that it says no more may still listen
        await eventually(lambda: not audiences(running), "the audience has ended")
        assert not seats_of(running)
    assert running.match(game).process.alive


async def test_who_says_nothing_is_told_so_and_who_does_not_close_is_cut_off(
    running: Running, connect: Connect, game: Game, api: ReporterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(connect, game, "one") as fans, connect() as silent:
        await silent.welcome()
        plane = plane_of(running)
        monkeypatch.setattr("stages.stage4.fans.STATE_TIMEOUT_S", 0.0)
        await silent.read_to_end()
        assert silent.errors == [SILENT]
        assert plane.connected == 2  # it is waited for to close
        monkeypatch.setattr("stages.stage4.fans.LINGER_S", 0.0)
        await eventually(lambda: plane.connected == 1, "it is cut off")
        await play_on(game, fans)
    assert await drops(api) == {Drop.SILENCE: 1}


def waits(running: Running) -> bool:
    """Whether a fan waits to be answered."""
    asked = fans_of(running)._asked  # noqa: SLF001
    return bool(asked or any(seats.waiting for seats in seats_of(running).values()))


async def test_who_waits_for_its_match_and_goes_is_forgotten(
    running: Running, connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the current match or of one that it names; the answers come when it has gone."""
    release = asyncio.Event()
    query = Db.query.__func__  # type: ignore[attr-defined]  # of a class method

    async def ask_late(cls: type[Db], node: Node, operation: Any) -> Any:
        await release.wait()
        return await query(cls, node, operation)

    plane = plane_of(running)
    monkeypatch.setattr(Db, "query", classmethod(ask_late))
    for match_id in (None, game.id):
        async with connect() as fan:
            await fan.greet("fan", match_id)
            await eventually(lambda: waits(running), "it waits")
            fan.reset()
            await eventually(lambda: plane.connected == 0, "it has gone")
    async with connect() as other:
        await other.welcome()  # perhaps at the same descriptor
        release.set()
        await eventually(lambda: not fans_of(running)._is_asking, "it was answered")  # noqa: SLF001
        await eventually(lambda: not seats_of(running), "nobody is known")
        assert plane.connected == 1
        assert (await game.api.statistics()).greetings == 0
    async with watching(connect, game, "one") as others:
        await play_on(game, others)


async def test_who_comes_while_an_audience_is_started_is_answered(
    running: Running, connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has answered those before, and nobody knows its process yet who could tell it of one more."""
    fans = fans_of(running)
    supervisor, release = fans._audience_sup, asyncio.Event()  # noqa: SLF001

    async def start_late(request: object) -> Process:
        audience: Process = await supervisor.call(request)
        await release.wait()
        return audience

    async with connect() as first, connect() as second:
        with monkeypatch.context() as patch:
            patch.setattr(fans, "_audience_sup", SimpleNamespace(call=start_late))
            await first.watch("first", game.id)
            seats = seats_of(running)[game.id]
            seats.match = None  # as after an event that it has from the history
            await second.greet("second", game.id)
            await eventually(lambda: bool(seats.waiting), "it waits")
            release.set()
            await second.read_until(lambda: bool(second.frames))
        await play_on(game, [first, second])


# Which match.


async def test_who_names_no_match_watches_the_current_one_and_those_who_come_together_ask_once(
    running: Running, connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked = asyncio.Event(), 0
    query = Db.query.__func__  # type: ignore[attr-defined]  # of a class method

    async def ask_late(cls: type[Db], node: Node, operation: Any) -> Any:
        nonlocal asked
        if isinstance(operation, CurrentMatch):
            asked += 1
            await release.wait()
        return await query(cls, node, operation)

    monkeypatch.setattr(Db, "query", classmethod(ask_late))
    fans_server = fans_of(running)
    async with AsyncExitStack() as stack:
        fans = [await stack.enter_async_context(connect()) for _ in range(10)]
        await fans[0].greet("first")
        await eventually(lambda: asked == 1, "it is asked for the current match")
        for fan in fans[1:]:
            await fan.greet("next")
        await eventually(lambda: len(fans_server._unasked) == 9, "the others wait")  # noqa: SLF001
        release.set()
        for fan in fans:
            await fan.read_until(lambda: bool(fan.frames))  # noqa: B023
            assert fan.frames[0].details["home"] == game.new.home
        assert asked == 2
        await play_on(game, fans)


async def test_who_comes_when_there_is_no_match_is_told_so(
    running: Running, connect: Connect, api: ReporterClient
) -> None:
    for match_id, said in ((None, "there is no match to watch now"), ("no-such-2011-09-10", "there is no match no-")):
        async with connect() as fan:
            await fan.greet("fan", match_id)
            await fan.read_to_end()
            assert [error.startswith(said) for error in fan.errors] == [True]
    assert await drops(api) == {Drop.MATCH: 2}
    await eventually(lambda: not seats_of(running), "nothing is kept of a match that is none")
