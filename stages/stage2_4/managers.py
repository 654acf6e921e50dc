"""Lessons `user-managers` and `client-managers`: a supervisor whose children are managers, each of its share.

A manager is the supervisor of the stage before under another name. The one above it starts it again when it crashes;
its children go with it, as they would with the one supervisor of the baseline, but only the twentieth part of them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from common.otp import Restart, SimpleOneForOne, StartChild
from stages.stage0.client_sup import ClientSup
from stages.stage0.user_sup import UserSup

if TYPE_CHECKING:
    from common.otp import Node, Process
    from stages.stage import Parts

MANAGERS: Final = 20
"""The talk's."""


class Managers(SimpleOneForOne):
    """Supervises MANAGERS supervisors, named `<MANAGER>-<number>`."""

    MANAGER: str

    async def init(self) -> None:
        """Start the managers."""
        for number in range(MANAGERS):
            name = f"{self.MANAGER}-{number}"
            left_over = self.node.whereis(name)
            if left_over is not None:  # of a supervisor that was killed, and still busy ending its children
                left_over.kill()
                await left_over.wait()
            await self._start(StartChild((), name))

    @classmethod
    def supervisor(cls, node: Node) -> Process:
        """Return any of the managers, at random as in the talk. Raise NoProcessError while it is being restarted."""
        return node[f"{cls.MANAGER}-{random.randrange(MANAGERS)}"]  # noqa: S311  # nothing secret about it


class UserManagers(Managers, UserSup):
    """Has each user started by one of its managers."""

    MANAGER = "user_mgr"

    def __init__(self, parts: Parts) -> None:
        SimpleOneForOne.__init__(self, lambda: parts.user_mgr(parts), Restart.PERMANENT)


class ClientManagers(Managers, ClientSup):
    """Has each client started by one of its managers."""

    MANAGER = "client_mgr"

    def __init__(self, parts: Parts) -> None:
        SimpleOneForOne.__init__(self, lambda: parts.client_mgr(parts), Restart.PERMANENT)
