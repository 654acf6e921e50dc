"""A match of a test's own: its teams, its announcement, and a reporter's few phrases."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from common.domain.match import NewMatch, Player, Team
from common.domain.posts import Foul, Goal, Start, Stop
from common.http.client import ApiError
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from common.domain.events import Event
    from common.domain.posts import Post
    from common.http.client import ReporterClient

_NUMBERS: Final = itertools.count(1)
_SQUAD: Final = (Player(1, "Casals"), Player(7, "Luna"), Player(10, "Ñandú"), Player(12, "Ba (7) "))


@dataclass(frozen=True, slots=True)
class Game:
    """A match on a server; nobody else knows its teams."""

    api: ReporterClient
    new: NewMatch

    @classmethod
    async def announced(cls, api: ReporterClient, prefix: str) -> Game:
        """Put two new teams and announce a match between them; the match's id starts with `prefix`."""
        number = next(_NUMBERS)
        game = cls(api, NewMatch(f"{prefix}{number}h", f"{prefix}{number}v", date(2011, 9, 10)))
        await game.announce()
        return game

    async def announce(self) -> None:
        """Put the teams and announce the match."""
        for team in (self.new.home, self.new.visit):
            await self.api.put_team(Team(team, f"Team {team}", _SQUAD))
        await self.api.create_match(self.new)

    @property
    def id(self) -> str:
        """The match's id."""
        return self.new.id

    async def post(self, post: Post) -> Event:
        """Post an event."""
        return await self.api.post_event(self.id, post)

    async def start(self) -> Event:
        """Kick off, with two players a side."""
        return await self.post(Start(home_players=(1, 7), visit_players=(10, 12)))

    async def foul(self, comment: str) -> Event:
        """Post an event that tells fans `comment`."""
        return await self.post(Foul(team=self.new.home, player=7, comment=comment))

    async def insist(self, comment: str) -> Event:
        """Post an event as often as it takes while the store or the match is away; it may then be stored twice."""
        answered: list[Event] = []

        async def is_accepted() -> bool:
            try:
                answered.append(await self.foul(comment))
            except ApiError as error:
                if error.status != 503:
                    raise
            return bool(answered)

        await eventually(is_accepted, f"{comment} is accepted")
        return answered[0]

    async def goal(self, comment: str | None = None) -> Event:
        """Post a goal for the visitors."""
        return await self.post(Goal(team=self.new.visit, player=10, comment=comment))

    async def stop(self) -> Event:
        """End the match; the server closes its fans."""
        return await self.post(Stop())


Announce = Callable[[str], Awaitable[Game]]
"""Announces a match whose id starts with what is given."""
