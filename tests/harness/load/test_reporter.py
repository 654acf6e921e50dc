import math
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clock import Clock
from common.domain import rules
from common.domain.posts import Post, Shot, Stop
from common.domain.script import SAMPLE, Script, Step, load_script
from harness.load.match import MatchPlan, PlannedPost, numbered, script_match, synthetic_match
from harness.load.reporter import Posted, Reporter


class RefusedError(Exception):
    """What a poster may say."""


@dataclass
class Simulated:
    """A clock that only moves when told, and a server that takes so long for each post."""

    takes_s: list[float]
    now_s: float = 1000.0
    posts: list[tuple[float, Post]] = field(default_factory=list)
    refuses: frozenset[int] = frozenset()
    oversleeps_s: float = 0.0

    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds + self.oversleeps_s

    async def post_event(self, match_id: str, post: Post) -> None:
        assert match_id == "a-b-2026-01-01"
        self.posts.append((self.now_s, post))
        self.now_s += self.takes_s[len(self.posts) - 1]
        if len(self.posts) in self.refuses:
            raise RefusedError("no\nstore")


def planned(*due_s: float) -> list[PlannedPost]:
    return [PlannedPost(mark, due, Shot(team="a", comment=f"#{mark}")) for mark, due in enumerate(due_s, 1)]


async def report(simulated: Simulated, *due_s: float) -> tuple[Posted, ...]:
    told: list[Posted] = []
    reporter = Reporter(simulated, "a-b-2026-01-01", (RefusedError,), simulated.clock())
    posted = await reporter.post_all(planned(*due_s), 990.0, told.append)
    assert told == list(posted)
    return posted


async def test_posts_go_out_at_their_moments_counted_from_the_first_start() -> None:
    posted = await report(Simulated([0.01] * 3), 0.0, 0.5, 1.0)
    assert [post.intended_s for post in posted] == [10.0, 10.5, 11.0]
    assert [post.sent_s for post in posted] == [10.0, 10.5, 11.0]
    assert [post.answered_s for post in posted] == pytest.approx([10.01, 10.51, 11.01])
    assert [(post.sequence, post.kind, post.lag_s, post.own_lag_s) for post in posted] == [
        (1, "shot", 0, 0),
        (2, "shot", 0, 0),
        (3, "shot", 0, 0),
    ]


async def test_a_slow_answer_holds_the_next_post_up_but_does_not_move_the_schedule() -> None:
    posted = await report(Simulated([1.25, 0.0, 0.0]), 0.0, 0.5, 1.5)
    assert [post.intended_s for post in posted] == [10.0, 10.5, 11.5]
    assert [post.sent_s for post in posted] == [10.0, 11.25, 11.5]
    assert [post.lag_s for post in posted] == [0.0, 0.75, 0.0]
    assert [post.own_lag_s for post in posted] == [0.0, 0.0, 0.0]


async def test_a_reporter_that_oversleeps_knows_that_it_was_its_own_fault() -> None:
    posted = await report(Simulated([0.0] * 2, oversleeps_s=0.25), 0.0, 0.5)
    assert [post.own_lag_s for post in posted] == [0.0, 0.25]


async def test_a_refusal_is_kept_in_one_line_and_the_next_goes_on() -> None:
    posted = await report(Simulated([0.0] * 3, refuses=frozenset({2})), 0.0, 0.1, 0.2)
    assert [post.error for post in posted] == [None, "no store", None]
    assert math.isnan(posted[1].answered_s)
    assert [post.accepted for post in posted] == [True, False, True]


async def test_where_nobody_answers_the_reporter_gives_up() -> None:
    simulated = Simulated([10.0] * 3, refuses=frozenset({1, 2}))
    posted = await report(simulated, 0.0, 0.1, 0.2, 60.0)
    assert [post.error for post in posted] == [
        "no store",
        "no store",
        *["not sent: nobody answered the 2 posts before it"] * 2,
    ]
    assert len(simulated.posts) == 2
    assert [post.sent_s for post in posted] == [10.0, 20.0, 30.0, 70.0]
    assert [post.own_lag_s for post in posted] == [0.0] * 4


async def test_one_post_that_nobody_answered_is_followed_by_the_next() -> None:
    posted = await report(Simulated([10.0, 0.0, 10.0, 0.0], refuses=frozenset({1, 3})), 0.0, 0.1, 0.2, 0.3)
    assert [post.accepted for post in posted] == [False, True, False, True]


async def test_any_other_error_ends_the_reporter() -> None:
    simulated = Simulated([])
    with pytest.raises(IndexError):
        await report(simulated, 0.0)


def play(plan: MatchPlan) -> None:
    """Have the rules of a match accept everything in a plan."""
    home, visit = (next(team for team in plan.teams if team.id == one) for one in (plan.match.home, plan.match.visit))
    for team in (home, visit):
        rules.check_team(team)
    match = rules.announce(plan.match, home, visit)
    for post in (plan.kickoff, *(one.post for one in plan.posts)):
        match, _ = rules.apply(match, post, datetime.now(UTC))
    assert not match.is_live


@given(st.integers(0, 30), st.floats(0.5, 50), st.text("abcdef0123456789", min_size=1, max_size=15))
def test_a_synthetic_match_is_possible_and_numbered(events: int, rate: float, trial: str) -> None:
    plan = synthetic_match(trial, events, rate)
    play(plan)
    assert [one.sequence for one in plan.posts] == list(range(1, events + 2))
    assert [one.post.comment for one in plan.posts] == [f"#{one.sequence}" for one in plan.posts]
    assert [one.due_s for one in plan.posts] == pytest.approx([one / rate for one in range(events + 1)])
    assert isinstance(plan.posts[-1].post, Stop)
    assert (plan.asked.count, plan.asked.rate_per_s) == (events + 1, rate)


def test_a_script_is_played_after_its_kick_off_at_its_minutes() -> None:
    script = load_script(SAMPLE)
    plan = script_match(script, "sample", 120.0)
    play(plan)
    assert plan.kickoff == script.steps[0].post
    assert len(plan.posts) == len(script.steps) - 1
    assert plan.posts[-1].due_s == pytest.approx((script.steps[-1].minute - script.steps[0].minute) / 2)
    assert [one.sequence for one in plan.posts] == list(range(1, len(script.steps)))
    assert (plan.asked.script, plan.asked.speed) == ("sample", 120.0)


@pytest.mark.parametrize("kept", [1, 3])
def test_a_script_without_an_end_gets_one(kept: int) -> None:
    script = load_script(SAMPLE)
    plan = script_match(Script(script.teams, script.match, script.steps[:kept]), "cut", 60.0)
    play(plan)
    assert len(plan.posts) == kept
    assert isinstance(plan.posts[-1].post, Stop)


def test_a_kick_off_later_than_minute_0_begins_the_clock() -> None:
    script = load_script(SAMPLE)
    first, second = script.steps[:2]
    moved = Script(script.teams, script.match, (Step(3, first.post), Step(5, second.post)))
    assert script_match(moved, "moved", 60.0).posts[0].due_s == 2.0


def test_a_remark_of_the_script_stays_behind_the_number_as_far_as_there_is_room() -> None:
    assert numbered(Shot(team="a", comment="wide"), 17).comment == "#17 wide"
    assert numbered(Shot(team="a"), 17).comment == "#17"
    long = numbered(Shot(team="a", comment="x" * 280), 17).comment
    assert long is not None
    assert len(long) == 280
