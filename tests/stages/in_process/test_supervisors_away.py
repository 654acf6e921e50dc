"""What is asked of a supervisor between its end and its restart is refused by name, as when the store is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from common.otp.node import Node
from common.store.errors import StoreUnavailableError
from stages.stage0 import STAGE
from stages.stage0.db import Db
from stages.stage0.live_match import LiveMatch
from stages.stage0.match_sup import MatchSup
from stages.stage0.messages import EventManager
from stages.stage0.user import User
from stages.stage0.user_sup import UserSup
from tests.virtual_time import idle, run_virtual

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class SlowUser(User):
    async def init(self) -> None:
        await asyncio.Event().wait()


class SlowMatch(LiveMatch):
    async def init(self) -> None:
        await asyncio.Event().wait()


PARTS = replace(STAGE.parts, user=SlowUser, live_match=SlowMatch)

ASKED: dict[str, Callable[[Node], Awaitable[object]]] = {
    UserSup.NAME: lambda node: UserSup.start_user(node, "someone"),
    MatchSup.NAME: lambda node: MatchSup.call(node, "elp-tig-2011-09-10", EventManager()),
    Db.NAME: lambda node: Db.match(node, "elp-tig-2011-09-10"),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
def test_it_is_not_there(ask: Callable[[Node], Awaitable[object]]) -> None:
    async def main() -> None:
        with pytest.raises(StoreUnavailableError, match="restarted"):
            await ask(Node())

    run_virtual(main())


@pytest.mark.parametrize("supervisor", [UserSup, MatchSup])
def test_it_ends_before_it_answers(supervisor: type[UserSup | MatchSup]) -> None:
    async def main() -> None:
        node = Node()
        process = await node.start(supervisor(PARTS), name=supervisor.NAME)
        asking = asyncio.ensure_future(ASKED[supervisor.NAME](node))
        await idle()
        process.kill()
        with pytest.raises(StoreUnavailableError, match="restarted"):
            await asking
        assert node.statistics().processes == 0

    run_virtual(main())
