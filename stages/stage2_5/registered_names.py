"""Lesson `registered-names`: if everybody agrees on a name, nobody has to find where it is.

| process | name |
|---|---|
| user | `user-<user id>`, as ever; now whoever wants one looks there before asking the supervisor |
| match | `match-<match id>`, likewise |
| dispatcher, or its repeaters | `event_mgr@<match id>/<number>` from 0 |

A user finds its dispatcher by the hash of its own id among the numbers that there are. Only where no process has the
name yet is the supervisor asked, or the match, which then starts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from stages.stage0.live_match import LiveMatch
from stages.stage0.match_sup import MatchSup
from stages.stage0.user import User
from stages.stage0.user_sup import UserSup

if TYPE_CHECKING:
    from common.otp import Node, Process


def event_manager(match_id: str, number: int) -> str:
    """Return the name of one of a match's dispatchers."""
    return f"event_mgr@{match_id}/{number}"


class KnownUserSup(UserSup):
    """Starts a user only if nobody has its name."""

    @classmethod
    async def start_user(cls, node: Node, user_id: str) -> Process:
        """Return the process of that user."""
        return node.whereis(cls.name_of(user_id)) or await super().start_user(node, user_id)


class KnownMatchSup(MatchSup):
    """Starts a match only if nobody has its name."""

    @classmethod
    async def start_match(cls, node: Node, match_id: str) -> Process:
        """Return the process of that match."""
        return node.whereis(cls.name_of(match_id)) or await super().start_match(node, match_id)


class NamedMatch(LiveMatch):
    """Registers its dispatchers."""

    async def init(self) -> None:
        """Register those to whom handlers may be added."""
        await super().init()
        for number, manager in enumerate(self.event_managers()):
            self.node.register(event_manager(self._id, number), manager)


class NamingUser(User):
    """Goes to the dispatcher by its name."""

    async def _find_dispatcher(self, match_id: str) -> Process | None:
        number = crc32(self._id.encode()) % self._parts.dispatchers
        found = self.node.whereis(event_manager(match_id, number))
        return found or await super()._find_dispatcher(match_id)
