"""Supervisors of users and clients: each has its share, and takes only that along when it crashes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from stages.stage0.client import Client
from stages.stage0.user import User
from stages.stage2_4.managers import MANAGERS, Managers
from tests.stages.fan import Fan
from tests.stages.in_process.running import play_on, watching
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.otp import Reason
    from tests.stages.fan import Connect
    from tests.stages.game import Game
    from tests.stages.in_process.running import Running

CROWD = [f"fan{number}" for number in range(100)]
KINDS: dict[str, type[User | Client]] = {"user_mgr": User, "client_mgr": Client}


def shares(running: Running, kind: type[User | Client]) -> Counter[str]:
    """Return how many children of a kind each process has."""
    parents = (server.process.parent for server in running.node.servers(kind))
    return Counter(parent.name for parent in parents if parent is not None)


async def test_children_are_spread_over_all_managers(running: Running, connect: Connect, game: Game) -> None:
    async with watching(connect, game, *CROWD) as fans:
        for prefix, kind in KINDS.items():
            found = shares(running, kind)
            assert found.total() == len(CROWD)
            assert set(found) <= {f"{prefix}-{number}" for number in range(MANAGERS)}
            # A hundred at random miss more than half of twenty in less than one run of 10 to the 30th.
            assert len(found) > MANAGERS / 2
        await play_on(game, fans)


@pytest.mark.parametrize("prefix", KINDS)
async def test_a_manager_that_crashes_takes_only_its_share_along(
    running: Running, connect: Connect, game: Game, prefix: str
) -> None:
    kind = KINDS[prefix]
    async with watching(connect, game, *CROWD) as fans:
        ((name, share), *_) = shares(running, kind).most_common(1)
        manager = running.node[name]
        manager.send(object())
        manager.cast(None)
        await running.replaced(name, manager)
        await eventually(lambda: shares(running, kind)[name] == 0, "its children have ended")
        assert shares(running, kind).total() == len(CROWD) - share
        await game.foul("next")
        hearing = [asyncio.ensure_future(fan.read_to_end()) for fan in fans]
        await game.stop()
        await asyncio.gather(*hearing)
        assert Counter(fan.kinds[-1] for fan in fans) == {"stop": len(CROWD) - share, "status": share}
        assert sum(fan.told() == ["next"] for fan in fans) == len(CROWD) - share


async def test_fans_who_come_while_the_clients_are_restarted_end_no_listener(
    running: Running, connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are closed and may connect again, and the listeners need no restarts, of which there are few to be had."""
    node, (first, last) = running.node, running.addresses.fans
    ports = range(first, last + 1)
    listeners = [node[f"client_listener-{port}"] for port in ports]
    init, may_start = Managers.init, asyncio.Event()

    async def late(managers: Managers) -> None:
        await may_start.wait()
        await init(managers)

    monkeypatch.setattr(Managers, "init", late)
    supervisor = node["client_sup"]
    supervisor.kill()
    names = [f"client_mgr-{number}" for number in range(MANAGERS)]
    await eventually(lambda: all(node.whereis(name) is None for name in names), "nobody starts clients")
    try:
        for port in (*ports, *ports):
            async with Fan(("127.0.0.1", port)) as fan:
                await fan.read_to_end()
                assert fan.heard == []
    finally:
        may_start.set()
    await running.replaced("client_sup", supervisor)
    async with watching(connect, game, *"abcd") as fans:
        await play_on(game, fans)
    assert [node[f"client_listener-{port}"] for port in ports] == listeners


async def test_a_supervisor_that_is_killed_leaves_no_managers_behind(
    running: Running, connect: Connect, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one's managers have the names of those that still end their children."""
    may_end = asyncio.Event()

    async def linger(user: User, reason: Reason) -> None:
        del user, reason
        await may_end.wait()

    node = running.node
    async with watching(connect, game, *CROWD[:10]):
        monkeypatch.setattr(User, "terminate", linger)
        supervisor, managers = node["user_sup"], [node[f"user_mgr-{number}"] for number in range(MANAGERS)]
        supervisor.kill()
        await running.replaced("user_sup", supervisor)
        for number, manager in enumerate(managers):
            assert not manager.alive
            assert node[f"user_mgr-{number}"].parent is node["user_sup"]
        may_end.set()
        await eventually(lambda: not any(node.servers(User)), "the users have ended")
    async with watching(connect, game, *CROWD[:10]) as fans:
        await play_on(game, fans)
