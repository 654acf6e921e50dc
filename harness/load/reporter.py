"""The harness's reporter: posts numbered events at intended moments, and keeps when each was sent and answered.

Every post carries its number as `#<k>` in the `comment`, which reaches the fans; k runs from 1 without gaps and the
last post is the `stop`.

The schedule is open: it is made beforehand and does not move when the server is slow. Events of a match have an order,
though, so a post is not sent before the one ahead of it was answered; one that had to wait is sent at once, and how
late that was is its *lag*, reported beside the fan-out. What part of the lag is the reporter's own (`own_lag_s`)
decides whether the trial is valid: being held up by the server is a finding, being slow oneself is not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.clock import REAL_CLOCK, Clock
from common.domain.posts import Post
from harness.load.match import PlannedPost

UNANSWERED_S = 5.0
"""A post that fails after so long was not refused: nobody answered."""

GIVES_UP_AFTER = 2
"""Posts that nobody answered, one after the other, after which the rest is not sent.

Each costs the trial ten seconds. A server without open files for a reporter would not answer the others either.
"""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a post. Moments are seconds from the first fan's intended start.

    `answered_s` is NaN, and `error` says why, if the server did not accept it. `own_lag_s` is how long after the post
    was both due and free to go it was sent.
    """

    sequence: int
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
            sequence=planned.sequence,
            kind=planned.post.kind,
            intended_s=intended_s,
            sent_s=sent_s,
            answered_s=answered_s if error is None else math.nan,
            own_lag_s=sent_s - max(intended_s, free_s),
            error=error,
        )


def _not_sent(planned: PlannedPost, intended_s: float, free_s: float) -> Posted:
    return Posted(
        sequence=planned.sequence,
        kind=planned.post.kind,
        intended_s=intended_s,
        sent_s=max(intended_s, free_s),
        answered_s=math.nan,
        own_lag_s=0.0,
        error=f"not sent: nobody answered the {GIVES_UP_AFTER} posts before it",
    )
