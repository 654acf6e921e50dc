"""The match of a trial: what is announced, and the numbered posts that are due while the fans watch. Pure.

Every post carries its number as `#<k>` in the `comment`, which reaches the fans; k runs from 1 without gaps and the
last post is the `stop`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from common.domain.match import NewMatch, Player, Team
from common.domain.posts import Post, Shot, Start, Stop
from common.domain.script import Script
from harness.records.asked import AskedEvents

MAX_COMMENT = 280
"""Characters that the API takes in a comment."""

_ELEVEN = tuple(range(1, 12))


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """A post, its number, and the moment at which it is due, in seconds from the beginning of the events phase."""

    sequence: int
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


def synthetic_match(trial_id: str, events: int, rate_per_s: float) -> MatchPlan:
    """Return a match of two teams of the trial's own: `events` shots, one every 1/rate seconds, then the stop.

    `trial_id` is 1 to 15 characters of a-z and 0-9.
    """
    home, visit = (
        Team(id=f"{side}{trial_id}", name=f"Trial {trial_id} {name}", players=_squad())
        for side, name in (("h", "home"), ("v", "visit"))
    )
    shots = [
        PlannedPost(sequence, (sequence - 1) / rate_per_s, Shot(team=home.id, comment=f"#{sequence}"))
        for sequence in range(1, events + 1)
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
        PlannedPost(sequence, minute * 60 / speed, numbered(post, sequence))
        for sequence, (minute, post) in enumerate(posts, 1)
    )
    return MatchPlan(
        teams=script.teams,
        match=script.match,
        kickoff=kickoff.post,
        posts=planned,
        asked=AskedEvents(count=len(planned), script=name, speed=speed),
    )


def numbered(post: Post, sequence: int) -> Post:
    """Return the post with `#<sequence>` before its own comment, which is cut where it becomes too long for the API."""
    comment = f"#{sequence}" if post.comment is None else f"#{sequence} {post.comment}"
    return msgspec.structs.replace(post, comment=comment[:MAX_COMMENT])


def _squad() -> tuple[Player, ...]:
    return tuple(Player(number=number, name=f"Player {number}") for number in _ELEVEN)
