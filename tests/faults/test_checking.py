"""The checker finds each kind of violation, and none where the word was kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.checking import Breach, check
from tests.faults.records import End, FinalScore, Fork, Posted, Records, Segment, Stored, Stream, Timeline

M = "elp-tig-2011-09-10"
GOALS = ("one", "two", "three", "four")
HISTORY = ("start", *GOALS, "stop")


def events(*comments: str) -> tuple[Stored, ...]:
    """Return a history; all but its start and its stop are goals of the home team."""
    return tuple(
        Stored(seq, comment, is_home_goal=comment not in {"start", "stop"}) for seq, comment in enumerate(comments, 1)
    )


def posted(*comments: str, first: int = 1, at_s: float = 0.0) -> tuple[Posted, ...]:
    """Return events that were answered with the numbers from `first` on, a second from one to the next."""
    return tuple(
        Posted(M, comment, seq, 1, at_s + seq, at_s + seq + 0.1) for seq, comment in enumerate(comments, first)
    )


def segment(home: int, *heard: str, end: End = End.OVER, is_over: bool = False) -> Segment:
    """Return what a fan heard after a status of `home`:0."""
    return Segment("fan", M, home, 0, is_over, [*heard], end)


def stream(*segments: Segment, errors: tuple[str, ...] = (), garbled: tuple[str, ...] = ()) -> Stream:
    return Stream("fan", M, [*segments], [*errors], [*garbled])


GOOD = Records(
    posted=(*posted(*HISTORY), Posted(M, "never", None, 3, 9.0, 12.0)),
    streams=(
        stream(segment(0, *HISTORY[1:])),
        stream(segment(1, "two", end=End.CLOSED), segment(2, "three", "four", end=End.LEFT), segment(4, is_over=True)),
        stream(segment(0, "one", end=End.ANEW), segment(1, *HISTORY[2:])),
    ),
    timelines=(Timeline(M, events(*HISTORY)),),
    final_scores=(FinalScore(M, 6, 4, 0),),
)

# Saved when the first goal had been answered, killed after the third; the second was posted again, under its old key.
FORK = Fork(saved_s=3.0, killed_s=4.5, back_s=4.8)
FORKED = Records(
    posted=(*posted("start", "one", "lost"), *posted(*HISTORY[2:], first=3, at_s=2.0)),
    streams=(
        stream(segment(0, "one", "lost", "two", end=End.CLOSED), segment(1, "two", "three", "four", "stop")),
        stream(segment(0, "one", "two", "three", "four", "stop")),
    ),
    timelines=(Timeline(M, events("start", "one", "lost", "two"), FORK), Timeline(M, events(*HISTORY))),
    final_scores=(FinalScore(M, 6, 4, 0),),
)


def breaches(records: Records) -> list[Breach]:
    return [violation.breach for violation in check(records)]


@pytest.mark.parametrize("records", [GOOD, FORKED], ids=["no rollback", "a rollback"])
def test_nothing_is_found_where_the_word_was_kept(records: Records) -> None:
    assert check(records) == []


def stored_as(*comments: str) -> Records:
    """Return the good run, but with this history; nobody listened."""
    history = events(*comments)
    goals = sum(event.is_home_goal for event in history)
    return replace(
        GOOD, streams=(), timelines=(Timeline(M, history),), final_scores=(FinalScore(M, len(history), goals, 0),)
    )


@pytest.mark.parametrize(
    ("comments", "expected"),
    [
        (("start", "one", "two", "three", "stop"), [Breach.LOST, Breach.MOVED]),
        (("start", "one", "two", "four", "three", "stop"), [Breach.MOVED, Breach.MOVED]),
        (("start", *GOALS, "stop", "one"), [Breach.DOUBLED]),
        (("start", *GOALS, "stop", "never", "never"), [Breach.DOUBLED]),
        (("start", *GOALS, "stop", "never"), []),
        (("start", *GOALS, "stop", "invented"), [Breach.FOREIGN]),
    ],
)
def test_what_is_stored_is_what_was_answered(comments: tuple[str, ...], expected: list[Breach]) -> None:
    assert breaches(stored_as(*comments)) == expected


@pytest.mark.parametrize("seq", [0, 6, 8])
def test_a_number_is_missing_or_there_twice(seq: int) -> None:
    good = stored_as(*HISTORY)
    numbered = (*good.timelines[0].events, Stored(seq, "never"))
    wrong = replace(good, timelines=(Timeline(M, numbered),), final_scores=(FinalScore(M, 7, 4, 0),))
    assert breaches(wrong) == [Breach.NUMBERS]


def test_numbers_do_not_begin_with_1() -> None:
    late = tuple(replace(event, seq=event.seq + 1) for event in events("start", *GOALS))
    wrong = replace(GOOD, posted=posted("start", *GOALS, first=2), streams=(), timelines=(Timeline(M, late),))
    assert breaches(replace(wrong, final_scores=(FinalScore(M, 5, 4, 0),))) == [Breach.NUMBERS]


def test_matches_do_not_mix() -> None:
    other = "riv-boc-2011-09-11"
    both = Records(
        (*GOOD.posted, *(replace(event, match=other) for event in FORKED.posted)),
        (*GOOD.streams, *(replace(stream, match=other) for stream in FORKED.streams)),
        (*GOOD.timelines, *(replace(timeline, match=other) for timeline in FORKED.timelines)),
        (*GOOD.final_scores, *(replace(final_score, match=other) for final_score in FORKED.final_scores)),
    )
    assert check(both) == []


def test_a_status_says_that_the_match_has_ended_and_it_has_not() -> None:
    on = stored_as("start", *GOALS)
    wrong = replace(on, posted=posted("start", *GOALS), streams=(stream(segment(4, is_over=True)),))
    assert breaches(wrong) == [Breach.STATUS]


@pytest.mark.parametrize("final_score", [FinalScore(M, 5, 4, 0), FinalScore(M, 6, 3, 0), FinalScore(M, 6, 4, 1)])
def test_the_match_does_not_stand_as_its_events_say(final_score: FinalScore) -> None:
    assert breaches(replace(GOOD, final_scores=(final_score,))) == [Breach.SCORE]


def test_a_right_event_is_refused() -> None:
    refused = Posted(M, "refused", None, 1, 3.0, 3.1, "404 there is no match")
    assert breaches(replace(GOOD, posted=(*GOOD.posted, refused))) == [Breach.REFUSED]


def test_a_log_tells_of_an_exception() -> None:
    assert breaches(replace(GOOD, tracebacks=("KeyError",))) == [Breach.CRASHED]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (stream(segment(0, "one", "three", "four", "stop")), Breach.GAP),
        (stream(segment(0, "two", "three", "four", "stop")), Breach.GAP),
        (stream(segment(0, "one", "two", "three", "stop")), Breach.GAP),
        (stream(segment(1, "three", end=End.CLOSED), segment(4, is_over=True)), Breach.GAP),
        (stream(segment(1, "two", end=End.ANEW), segment(2, "four", "stop")), Breach.GAP),
        (stream(segment(0, "one", "two", "two", "three", "four", "stop")), Breach.REPEATED),
        (stream(segment(0, "two", "one", "three", "four", "stop")), Breach.DISORDER),
        (stream(segment(0, "one", "never", end=End.CLOSED), segment(4, is_over=True)), Breach.UNSTORED),
        (stream(segment(2, "two", "three", "four", "stop")), Breach.STATUS),
        (stream(segment(5, end=End.CLOSED), segment(4, is_over=True)), Breach.STATUS),
        (stream(segment(0, "one", "two", end=End.OPEN)), Breach.UNFINISHED),
        (stream(), Breach.UNFINISHED),
        (stream(segment(4, is_over=True), errors=(f"the match {M} was cancelled",)), Breach.UNTRUE),
        (stream(segment(4, is_over=True), errors=(f"there is no match {M}: create it first",)), Breach.UNTRUE),
        (stream(segment(4, is_over=True), garbled=("not UTF-8",)), Breach.GARBLED),
    ],
)
def test_a_fan_hears_what_is_wrong(wrong: Stream, expected: Breach) -> None:
    assert breaches(replace(GOOD, streams=(*GOOD.streams, wrong))) == [expected]


def test_a_status_has_another_score_than_the_events_before_it() -> None:
    wrong = Segment("fan", M, 1, 1, is_over=False, heard=["three", "four", "stop"], end=End.OVER)
    assert breaches(replace(GOOD, streams=(stream(wrong),))) == [Breach.STATUS]


def test_what_was_answered_before_the_save_survives_a_rollback() -> None:
    later = replace(FORK, saved_s=3.5)  # "lost" had been answered by then
    timelines = (replace(FORKED.timelines[0], fork=later), FORKED.timelines[1])
    assert breaches(replace(FORKED, timelines=timelines)) == [Breach.LOST]


def test_what_was_sent_after_a_rollback_is_not_lost_by_it() -> None:
    after = Posted(M, "lost", 4, 1, FORK.back_s + 0.1, FORK.back_s + 0.2)
    others = tuple(event for event in FORKED.posted if event.comment != "lost")
    assert breaches(replace(FORKED, posted=(*others, after))) == [Breach.LOST]


def test_what_was_answered_before_redis_was_killed_was_stored_then() -> None:
    timelines = (replace(FORKED.timelines[0], events=events("start", "one")), FORKED.timelines[1])
    assert breaches(replace(FORKED, timelines=timelines, streams=())) == [Breach.LOST]


def test_what_one_rollback_may_lose_is_not_asked_of_the_next_timeline() -> None:
    second = Timeline(M, events("start", "one"), Fork(saved_s=5.2, killed_s=5.3, back_s=5.4))
    early = tuple(event for event in FORKED.posted if event.comment != "two")
    two = Posted(M, "two", 3, 1, 5.5, 5.6)
    timelines = (FORKED.timelines[0], second, FORKED.timelines[1])
    assert check(replace(FORKED, posted=(*early, two), timelines=timelines)) == []


def test_a_fan_goes_on_after_a_rollback_as_if_nothing_had_happened() -> None:
    went_on = stream(segment(0, "one", "lost", "three", "four", "stop"))
    assert breaches(replace(FORKED, streams=(went_on,))) == [Breach.GAP]


def test_a_fan_stays_in_what_was_lost() -> None:
    stays = stream(segment(0, "one", "lost", "two", end=End.OPEN))
    assert breaches(replace(FORKED, streams=(stays,))) == [Breach.UNFINISHED]
