"""The harness's reporter: posts numbered events at intended moments, and keeps when each was sent and answered.

Every post carries its number as `#<k>` in the `comment`, which reaches the fans; k runs from 1 without gaps and the
last post is the `stop`.

The schedule is open: it is made beforehand and does not move when the server is slow. Events of a match have an order,
though, so a post is not sent before the one ahead of it was answered; one that had to wait is sent at once, and how
late that was is its *lag*, reported beside the fan-out. What part of the lag is the reporter's own (`own_lag_s`)
decides whether the trial is valid: being held up by the server is a finding, being slow oneself is not.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from common.domain.match import NewMatch, Player, Team
from common.domain.posts import Post, Shot, Start, Stop
from common.domain.script import Script
from harness.result import AskedEvents

UNANSWERED_S = 5.0
"""A post that fails after so long was not refused: nobody answered."""

GIVES_UP_AFTER = 2
"""Posts that nobody answered, one after the other, after which the rest is not sent.

Each costs the trial ten seconds. A server without open files for a reporter would not answer the others either.
"""

MAX_COMMENT = 280
"""Characters that the API takes in a comment."""

_ELEVEN = tuple(range(1, 12))


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """A post, its number, and the moment at which it is due, in seconds from the beginning of the events phase."""

    mark: int
    due_s: float
    post: Post


@dataclass(frozen=True, slots=True)
class MatchPlan:
    """A match of a trial: what to announce, what starts it, and what is posted while the fans watch."""

    teams: tuple[Team, ...]
    match: NewMatch
    kickoff: Post
    posts: tuple[PlannedPost, ...]
    asked: AskedEvents


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a post. Moments are seconds from the first fan's intended start.

    `answered_s` is NaN, and `error` says why, if the server did not accept it. `own_lag_s` is how long after the post
    was both due and free to go it was sent.
    """

    mark: int
    kind: str
    intended_s: float
    sent_s: float
    answered_s: float
    own_lag_s: float
    error: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the server said that it has the event."""
        return self.error is None

    @property
    def lag_s(self) -> float:
        """How long after its intended moment the post was sent."""
        return self.sent_s - self.intended_s


class Poster(Protocol):
    """Who brings a post to the server, and returns when it was accepted."""

    async def post_event(self, match_id: str, post: Post) -> object:
        """Post an event. Raise an error whose text is the reason if it was not accepted."""
        ...


def synthetic_match(trial_id: str, events: int, rate_per_s: float) -> MatchPlan:
    """Return a match of two teams of the trial's own: `events` shots, one every 1/rate seconds, then the stop.

    `trial_id` is 1 to 15 characters of a-z and 0-9.
    """
    home, visit = (
        Team(id=f"{side}{trial_id}", name=f"Trial {trial_id} {name}", players=_squad())
        for side, name in (("h", "home"), ("v", "visit"))
    )
    shots = [
        PlannedPost(mark, (mark - 1) / rate_per_s, Shot(team=home.id, comment=f"#{mark}"))
        for mark in range(1, events + 1)
    ]
    stop = PlannedPost(events + 1, events / rate_per_s, Stop(comment=f"#{events + 1}"))
    return MatchPlan(
        teams=(home, visit),
        match=NewMatch(home=home.id, visit=visit.id, date=datetime.now(UTC).date()),
        kickoff=Start(home_players=_ELEVEN, visit_players=_ELEVEN),
        posts=(*shots, stop),
        asked=AskedEvents(count=events + 1, rate_per_s=rate_per_s),
    )


def script_match(script: Script, name: str, speed: float) -> MatchPlan:
    """Return the match of a script, which starts with the kick-off, played `speed` times as fast.

    A script that does not reach its end gets a stop with its last event, so that the fans are released.
    """
    kickoff, *steps = script.steps
    posts = [(step.minute - kickoff.minute, step.post) for step in steps]
    if not posts or not isinstance(posts[-1][1], Stop):
        posts.append((posts[-1][0] if posts else 0.0, Stop()))
    planned = tuple(
        PlannedPost(mark, minute * 60 / speed, numbered(post, mark)) for mark, (minute, post) in enumerate(posts, 1)
    )
    return MatchPlan(
        teams=script.teams,
        match=script.match,
        kickoff=kickoff.post,
        posts=planned,
        asked=AskedEvents(count=len(planned), script=name, speed=speed),
    )


def numbered(post: Post, mark: int) -> Post:
    """Return the post with `#<mark>` before its own comment, which is cut where it becomes too long for the API."""
    comment = f"#{mark}" if post.comment is None else f"#{mark} {post.comment}"
    return msgspec.structs.replace(post, comment=comment[:MAX_COMMENT])


@dataclass(frozen=True, slots=True)
class Clock:
    """How a reporter tells the time and waits; both in seconds."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


REAL_CLOCK = Clock()


class Reporter:
    """Posts the events of one match. An error of a type in `refusals` is kept with its post; the next one goes on.

    Where nobody answers at all it gives up, and what it did not send says so.
    """

    def __init__(
        self, poster: Poster, match_id: str, refusals: tuple[type[Exception], ...], clock: Clock = REAL_CLOCK
    ) -> None:
        self._poster = poster
        self._match_id = match_id
        self._refusals = refusals
        self._clock = clock

    async def post_all(
        self, posts: Sequence[PlannedPost], t0: float, on_posted: Callable[[Posted], None]
    ) -> tuple[Posted, ...]:
        """Post everything at its moment, beginning now, and return what became of each, in the same order.

        Moments are counted from `t0`, a moment on the reporter's clock. `on_posted` is called after each.
        """
        begin_s = free_s = self._clock.now() - t0
        done = []
        unanswered = 0
        for planned in posts:
            intended_s = begin_s + planned.due_s
            if unanswered < GIVES_UP_AFTER:
                posted = await self._post(planned, intended_s, free_s, t0)
            else:
                posted = _not_sent(planned, intended_s, free_s)
            free_s = self._clock.now() - t0
            was_unanswered = not posted.accepted and free_s - posted.sent_s >= UNANSWERED_S
            if unanswered < GIVES_UP_AFTER:
                unanswered = unanswered + 1 if was_unanswered else 0
            done.append(posted)
            on_posted(posted)
        return tuple(done)

    async def _post(self, planned: PlannedPost, intended_s: float, free_s: float, t0: float) -> Posted:
        while (wait_s := intended_s - (self._clock.now() - t0)) > 0:
            await self._clock.sleep(wait_s)
        sent_s = self._clock.now() - t0
        error = None
        try:
            await self._poster.post_event(self._match_id, planned.post)
        except self._refusals as refusal:
            error = " ".join(str(refusal).split()) or type(refusal).__name__
        answered_s = self._clock.now() - t0
        return Posted(
            mark=planned.mark,
            kind=planned.post.kind,
            intended_s=intended_s,
            sent_s=sent_s,
            answered_s=answered_s if error is None else math.nan,
            own_lag_s=sent_s - max(intended_s, free_s),
            error=error,
        )


def _not_sent(planned: PlannedPost, intended_s: float, free_s: float) -> Posted:
    return Posted(
        mark=planned.mark,
        kind=planned.post.kind,
        intended_s=intended_s,
        sent_s=max(intended_s, free_s),
        answered_s=math.nan,
        own_lag_s=0.0,
        error=f"not sent: nobody answered the {GIVES_UP_AFTER} posts before it",
    )


def _squad() -> tuple[Player, ...]:
    return tuple(Player(number=number, name=f"Player {number}") for number in _ELEVEN)
