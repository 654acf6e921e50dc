from hypothesis import given
from hypothesis import strategies as st

from harness.load.reporter import Posted
from harness.load.samples import Progress
from harness.show.live.course import NOBODY, Pace, Told

HELD = Progress(started=12, connected=11, answered=10, failed=2, closed=1)


def post(mark: int, error: str | None = None) -> Posted:
    return Posted(mark, "shot", 0.0, 0.0, 0.0, 0.0, error)


def test_who_watches_is_settled_when_posting_begins() -> None:
    told = Told().begin("connecting", 12, NOBODY)
    assert (told.phase, told.total, told.watching) == ("connecting", 12, 0)
    told = told.begin("posting", 5, HELD).begin("closing", 0, NOBODY)
    assert (told.phase, told.total, told.watching) == ("closing", 0, 9)


def test_posts_are_counted_and_the_last_refusal_is_kept() -> None:
    told = Told().post(post(1)).post(post(2, "late")).post(post(3, "no store")).post(post(4))
    assert (told.accepted, told.refused, told.refusal) == (2, 2, "no store")


@given(st.integers(0, 20), st.integers(0, 500))
def test_how_many_have_the_last_event(accepted: int, receipts: int) -> None:
    told = Told(watching=9, accepted=accepted)
    reached = told.reached(Progress(receipts=receipts))
    assert 0 <= reached <= 9
    if accepted and 9 * (accepted - 1) <= receipts <= 9 * accepted:
        assert 9 * (accepted - 1) + reached == receipts
    if not accepted:
        assert reached == 0


def test_the_pace_is_that_since_the_last_moment() -> None:
    pace = Pace().next(10.0, HELD).next(12.0, Progress(answered=20, receipts=7))
    assert (pace.per_s("answered"), pace.per_s("receipts")) == (5.0, 3.5)
    assert Pace().per_s("answered") == 0.0
