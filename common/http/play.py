"""Plays a match script as a reporter would: it announces the match and posts each event at its time.

The schedule is an open loop: an event is due at a time counted from kick-off, so an answer that takes long delays what
follows by nothing, or by as little as possible.

What must be guaranteed is that each event is accepted once, also over a server or a store that fails for a while. A
503, a 409 (another write came first) and an answer that never came all leave it open whether the event was stored. So
nothing is posted again before the match was read: its `seq` tells whether it moved on, and if so the history tells
whether it was this event that moved it. (A write may still be on its way when the match is read; the store's own
check of `seq` then refuses it or the second one. The same event from a second reporter at that moment is taken for
one's own.)
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from common.domain.events import Event
from common.domain.match import Match, Team
from common.domain.posts import Post
from common.domain.script import Script, Step
from common.http.client import ApiError, ApiUnreachableError, ReporterClient

_T = TypeVar("_T")

_FIRST_DELAY_SECONDS: Final = 0.1
_LONGEST_DELAY_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 30.0
_UNAVAILABLE: Final = frozenset({503})
_UNDECIDED: Final = frozenset({409, 503})


class ScriptConflictError(Exception):
    """The match of the script is on the server already."""


class StepRefusedError(Exception):
    """The server refused an event of the script; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time in seconds from anywhere, and the way to let it pass; a test puts its own in place."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


def _ignore(_step: Step, _event: Event) -> None:
    """Tell nobody."""


async def play_script(  # noqa: PLR0913  # the options of a reporter's command, each by its name
    client: ReporterClient,
    script: Script,
    *,
    speed: float = 60.0,
    announce: bool = True,
    replace: bool = False,
    loop: bool = False,
    on_event: Callable[[Step, Event], None] = _ignore,
    clock: Clock = Clock(),  # frozen, so one for all calls
) -> None:
    """Play `script` at `speed` times real time (60: a minute a second); call `on_event` after each accepted event.

    It puts the teams and creates the match first, unless `announce` is false: then the match is there already, and
    stands before the script's first event. `replace` cancels a match that is in the way. With `loop`, when the script
    ends, its match is cancelled and played again, for ever.

    A store that is away is waited for; a server that is there at the start and goes away, for 30 s. Raise
    ScriptConflictError, StepRefusedError, ApiError (a team or the match is refused, or the token), ApiUnreachableError.
    """
    if not speed > 0:
        raise ValueError(f"speed is {speed}: it must be more than 0")
    player = _Player(client, script, _Persistence(clock), clock)
    await client.checkin()  # no patience with a server that was never there
    while True:
        match = await player.announce(replace=replace) if announce else await client.match(script.match.id)
        await player.play(match.seq, speed, on_event)
        if not loop:
            return
        announce = replace = True


@dataclass(frozen=True, slots=True)
class _Persistence:
    """Repeats what failed for reasons that pass."""

    clock: Clock

    async def insist(self, attempt: Callable[[bool], Awaitable[_T]], passing: Set[int] = _UNAVAILABLE) -> _T:
        """Return what `attempt` returns at last; it is told whether an earlier try may have taken effect.

        It is repeated for an ApiError whose status is in `passing`, without end, and while the server is unreachable,
        for 30 s at a stretch.
        """
        unreachable_since: float | None = None
        delay, again = _FIRST_DELAY_SECONDS, False
        while True:
            try:
                return await attempt(again)
            except ApiError as error:
                if error.status not in passing:
                    raise
                unreachable_since = None
            except ApiUnreachableError:
                unreachable_since = self.clock.now() if unreachable_since is None else unreachable_since
                if self.clock.now() - unreachable_since >= _PATIENCE_SECONDS:
                    raise
            again = True
            await self.clock.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY_SECONDS)


@dataclass(frozen=True, slots=True)
class _Player:
    """One script and the server it is played to."""

    client: ReporterClient
    script: Script
    persistence: _Persistence
    clock: Clock

    async def announce(self, *, replace: bool) -> Match:
        for team in self.script.teams:
            await self.persistence.insist(partial(self._put, team))
        if replace:
            await self.persistence.insist(self._cancel)
        return await self.persistence.insist(self._create)

    async def play(self, seq: int, speed: float, on_event: Callable[[Step, Event], None]) -> None:
        """Post every step at its time; `seq` is the match's before the first one."""
        kick_off = self.clock.now()
        for step in self.script.steps:
            early = kick_off + step.minute * 60 / speed - self.clock.now()
            if early > 0:
                await self.clock.sleep(early)
            try:
                event = await self.persistence.insist(partial(self._post, step.post, seq), _UNDECIDED)
            except ApiError as error:
                raise StepRefusedError(f"minute {step.minute:g}, {step.post.kind}: {error}") from error
            seq = event.seq
            on_event(step, event)

    async def _put(self, team: Team, _again: bool) -> None:
        await self.client.put_team(team)

    async def _cancel(self, _again: bool) -> None:
        try:
            await self.client.cancel_match(self.script.match.id)
        except ApiError as error:
            if error.status != 404:
                raise

    async def _create(self, again: bool) -> Match:
        match_id = self.script.match.id
        try:
            return await self.client.create_match(self.script.match)
        except ApiError as error:
            if error.status != 409:
                raise
            if again:  # it may be there because an earlier try took effect
                match = await self.client.match(match_id)
                if match.seq == 0:
                    return match
            message = f"match {match_id} is on the server already: give --replace to have it cancelled first"
            raise ScriptConflictError(message) from error

    async def _post(self, post: Post, seq: int, again: bool) -> Event:
        match_id = self.script.match.id
        if again and (await self.client.match(match_id)).seq > seq:
            news = (await self.client.history(match_id))[seq:]
            stored = next((event for event in news if _tells_of(event, post)), None)
            if stored is not None:
                return stored
        return await self.client.post_event(match_id, post)


def _tells_of(event: Event, post: Post) -> bool:
    same_team = event.details.get("team") == getattr(post, "team", None)
    return event.kind == post.kind and same_team and event.details.get("comment") == post.comment
