"""Plays a match script as a reporter would: it announces the match and posts each event at its time.

The schedule is an open loop: an event is due at a time counted from kick-off, so an answer that takes long delays what
follows by nothing, or by as little as possible.

What must be guaranteed is that each event is accepted once, also over a server or a store that fails for a while. So
every request has a key of its own, and one that was not answered, or only by a 5xx that may pass, is simply sent again
under that key: the server does it once, and answers it as it did the first time.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from common.clock import REAL_CLOCK, Clock
from common.domain.events import Event
from common.domain.script import Script, Step
from common.http.client import ApiError, ApiUnreachableError, ReporterClient, fresh_key

_T = TypeVar("_T")

PATIENCE_S: Final = 300.0
"""How long an outage may last before a reporter gives up, unless told otherwise: five minutes."""

_FIRST_DELAY_SECONDS: Final = 0.1
_LONGEST_DELAY_SECONDS: Final = 5.0


class ScriptConflictError(Exception):
    """The match of the script is on the server already, or, where it is to be resumed, is not that of the script."""


class StepRefusedError(Exception):
    """The server refused an event of the script; the message says which, and why."""


def _ignore(*_news: object) -> None:
    """Tell nobody."""


async def play_script(  # noqa: PLR0913  # the options of a reporter's command, each by its name
    client: ReporterClient,
    script: Script,
    *,
    speed: float = 60.0,
    announce: bool = True,
    replace: bool = False,
    resume: bool = False,
    loop: bool = False,
    patience_s: float = PATIENCE_S,
    on_event: Callable[[Step, Event], None] = _ignore,
    on_outage: Callable[[str], None] = _ignore,
    on_recovery: Callable[[float], None] = _ignore,
    clock: Clock = REAL_CLOCK,
) -> None:
    """Play `script` at `speed` times real time (60: a minute a second).

    It puts the teams and creates the match first, unless `announce` is false: then the match is there already, and
    stands before the script's first event. `replace` cancels a match that is in the way. `resume` goes on with it where
    it stands, if it is there, as if its last event had been accepted just now. With `loop`, when the script ends, its
    match is cancelled and played again, for ever.

    `on_event` is called after each accepted event. A server that is there at the start, and its store, may be away for
    `patience_s` at a time: `on_outage` is called with the reason when something is asked again for the first time,
    `on_recovery` with how many seconds it took when it is answered. Raise
    ScriptConflictError, StepRefusedError, ApiError (a team or the match is refused, the token, or the store has been
    away for too long), ApiUnreachableError.
    """
    if not speed > 0:
        raise ValueError(f"speed is {speed}: it must be more than 0")
    persistence = _Persistence(clock, patience_s, on_outage, on_recovery)
    player = _Player(client, script, persistence, clock, speed, on_event)
    await _check_in(client)
    done = await player.find_done() if resume else None
    if done is not None:
        await player.play_rest(done)
    else:
        if announce:
            await player.announce(replace=replace)
        await player.play()
    while loop:
        await player.announce(replace=True)
        await player.play()


async def _check_in(client: ReporterClient) -> None:
    """Find the server; there is no patience with one that was never there, but with its store there is."""
    try:
        await client.checkin()
    except ApiError as error:
        if not error.may_pass:
            raise


@dataclass(frozen=True, slots=True)
class _Persistence:
    """Repeats what failed for reasons that pass."""

    clock: Clock
    patience_s: float
    on_outage: Callable[[str], None]
    on_recovery: Callable[[float], None]

    async def insist(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Return what `attempt` returns at last; every attempt must ask the same under the same key."""
        since: float | None = None
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                answered = await attempt()
            except (ApiError, ApiUnreachableError) as error:
                if isinstance(error, ApiError) and not error.may_pass:
                    raise
                now = self.clock.now()
                if since is None:
                    since = now
                    self.on_outage(str(error))
                if now - since >= self.patience_s:
                    raise
            else:
                if since is not None:
                    self.on_recovery(self.clock.now() - since)
                return answered
            await self.clock.sleep(min(delay, since + self.patience_s - now))
            delay = min(2 * delay, _LONGEST_DELAY_SECONDS)


@dataclass(frozen=True, slots=True)
class _Player:
    """One script and the server it is played to."""

    client: ReporterClient
    script: Script
    persistence: _Persistence
    clock: Clock
    speed: float
    on_event: Callable[[Step, Event], None]

    @property
    def match_id(self) -> str:
        """The id of the script's match."""
        return self.script.match.id

    async def announce(self, *, replace: bool) -> None:
        for team in self.script.teams:
            await self.persistence.insist(partial(self.client.put_team, team, key=fresh_key()))
        if replace:
            await self.persistence.insist(partial(self._cancel, fresh_key()))
        await self.persistence.insist(partial(self._create, fresh_key()))

    async def find_done(self) -> int | None:
        """Return how many steps the match has behind it, None if there is no match. Raise ScriptConflictError."""
        try:
            events = await self.persistence.insist(partial(self.client.history, self.match_id))
        except ApiError as error:
            if error.status != 404:
                raise
            return None
        steps = self.script.steps
        for number, event in enumerate(events):
            planned = steps[number].post.kind if number < len(steps) else "nothing more"
            if event.kind != planned:
                raise ScriptConflictError(
                    f"event {event.seq} of {self.match_id} is {event.kind}, and the script has {planned} there: "
                    "resume it with the script that it was begun with, or play it with --replace"
                )
        return len(events)

    async def play(self) -> None:
        """Post every step at its time."""
        await self._play(self.script.steps, self.clock.now())

    async def play_rest(self, done: int) -> None:
        """Post every step after the first `done`, as if the last of those were now.

        Whoever was the reporter before may have left a request on its way. It is not to slip in beside the first one.
        """
        begun_s = self.script.steps[done - 1].minute * 60 / self.speed if done else 0.0
        await self._play(self.script.steps[done:], self.clock.now() - begun_s, expected=done)

    async def _play(self, steps: Sequence[Step], kick_off: float, expected: int | None = None) -> None:
        for step in steps:
            early = kick_off + step.minute * 60 / self.speed - self.clock.now()
            if early > 0:
                await self.clock.sleep(early)
            post = partial(self.client.post_event, self.match_id, step.post, key=fresh_key(), expected=expected)
            try:
                event = await self.persistence.insist(post)
            except ApiError as error:
                raise StepRefusedError(f"minute {step.minute:g}, {step.post.kind}: {error}") from error
            expected = None
            self.on_event(step, event)

    async def _cancel(self, key: str) -> None:
        try:
            await self.client.cancel_match(self.match_id, key=key)
        except ApiError as error:
            if error.status != 404:
                raise

    async def _create(self, key: str) -> None:
        try:
            await self.client.create_match(self.script.match, key=key)
        except ApiError as error:
            if error.status != 409 or error.may_pass:
                raise
            message = (
                f"match {self.match_id} is on the server already: give --replace to have it cancelled first, "
                "or --resume to go on with it"
            )
            raise ScriptConflictError(message) from error
