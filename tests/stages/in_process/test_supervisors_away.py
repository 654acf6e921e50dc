"""What is asked of a supervisor between its end and its restart is refused by name, as when the store is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from common.otp import Node, SimpleOneForOne
from common.store.errors import StoreUnavailableError
from stages.stage import layered
from stages.stage0.db import Db
from stages.stage0.live_match import LiveMatch
from stages.stage0.match_sup import MatchSup
from stages.stage0.messages import EventManager
from stages.stage0.user import User
from stages.stage0.user_sup import UserSup
from tests.virtual_time import idle, run_virtual

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from stages.stage import Parts, Stage


class SlowUser(User):
    async def init(self) -> None:
        await asyncio.Event().wait()


class SlowMatch(LiveMatch):
    async def init(self) -> None:
        await asyncio.Event().wait()


def never_ready(stage: Stage) -> Parts:
    """Return the stage's parts, but with users and matches whose start takes for ever."""
    parts = stage.parts
    return replace(parts, user=layered(parts.user, SlowUser), live_match=layered(parts.live_match, SlowMatch))


ASKED: dict[str, Callable[[Parts, Node], Awaitable[object]]] = {
    UserSup.NAME: lambda parts, node: parts.user_sup.start_user(node, "someone"),
    MatchSup.NAME: lambda parts, node: parts.match_sup.call(node, "elp-tig-2011-09-10", EventManager()),
    Db.NAME: lambda parts, node: parts.db.match(node, "elp-tig-2011-09-10"),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
def test_it_is_not_there(stage: Stage, ask: Callable[[Parts, Node], Awaitable[object]]) -> None:
    async def main() -> None:
        with pytest.raises(StoreUnavailableError, match="restarted"):
            await ask(stage.parts, Node())

    run_virtual(main())


@pytest.mark.parametrize("name", [UserSup.NAME, MatchSup.NAME])
def test_it_ends_before_it_answers(stage: Stage, name: str) -> None:
    async def main() -> None:
        node, parts = Node(), never_ready(stage)
        supervisor = parts.user_sup(parts) if name == UserSup.NAME else parts.match_sup(parts)
        await node.start(supervisor, name=name)
        asking = asyncio.ensure_future(ASKED[name](parts, node))
        await idle()
        for one in list(node.servers(SimpleOneForOne)):  # managers, too, of which one was asked
            one.process.kill()
        with pytest.raises(StoreUnavailableError, match="restarted"):
            await asking
        await idle()
        assert not node.processes()

    run_virtual(main())
