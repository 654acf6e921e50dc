import math
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.reporter import Posted
from harness.load.samples import Outcome, Samples
from harness.records.seen import Delivery
from harness.trial.figures.delivery import STEPS, Phases, analyse, count_fans, timeline
from harness.trial.figures.heat import grid_of

NEVER = math.nan
PHASES = Phases(settled_s=5.0, over_s=20.0)


def post(mark: int, sent_s: float | None = None, *, kind: str = "shot", error: str | None = None) -> Posted:
    at = 10.0 + mark if sent_s is None else sent_s
    return Posted(mark, kind, at - 0.5, at, NEVER if error else at + 0.25, 0.0, error)


def samples_of(answered_s: Sequence[float], receipts: Sequence[tuple[int, int, float]] = ()) -> Samples:
    """Fans that were answered at these moments (NaN: never), each a second after its intended start."""
    samples = Samples.blank(array("d", [0.0 if math.isnan(at) else at - 1 for at in answered_s]))
    for fan, at in enumerate(answered_s):
        if math.isnan(at):
            samples.outcome[fan] = Outcome.NO_ANSWER
            continue
        samples.outcome[fan] = Outcome.ENDED
        samples.started_s[fan] = at - 0.9
        samples.connected_s[fan] = at - 0.8
        samples.welcomed_s[fan] = samples.asked_s[fan] = at - 0.2
        samples.answered_s[fan] = at
        samples.closed_s[fan] = 19.0
    for fan, mark, at in receipts:
        samples.receipt_fan.append(fan)
        samples.receipt_sequence.append(mark)
        samples.receipt_s.append(at)
    return samples


def delivery_of(
    answered_s: Sequence[float], receipts: Sequence[tuple[int, int, float]], posts: Sequence[Posted]
) -> Delivery:
    delivery = analyse(samples_of(answered_s, receipts), posts, PHASES).delivery
    assert delivery is not None
    return delivery


def test_both_clocks_are_kept() -> None:
    seen = analyse(samples_of([1.0, 2.0, NEVER]), None, PHASES)
    assert seen.response.intended is not None
    assert seen.response.art is not None
    assert seen.response.intended.count == 2
    assert seen.response.intended.mean_s == pytest.approx(1.0)
    assert seen.response.art.mean_s == pytest.approx(0.6)  # until the welcome, which is longer than until the answer
    assert seen.delivery is None
    assert (seen.connect_phase_s, seen.events_phase_s) == (5.0, 15.0)


def test_a_fan_who_was_not_answered_waited_infinitely_long() -> None:
    response = analyse(samples_of([1.0] * 98 + [NEVER] * 2), None, PHASES).response
    assert response.intended is not None
    assert response.art is not None
    assert (response.intended.count, response.intended.missing) == (98, 2)
    assert (response.intended.p90_s, response.intended.p99_s) == (pytest.approx(1.0, rel=1e-3), None)
    assert (response.art.count, response.art.missing) == (98, 0)  # the talk's is of those who were answered


def test_a_server_that_holds_posts_up_is_seen_from_their_intended_moments() -> None:
    # Each post waits a second longer than the one before it, and its fan has it 0.1 s after it was sent.
    posts = [Posted(mark, "shot", 10.0, 9.0 + mark, 9.5 + mark, 0.0, None) for mark in (1, 2, 3)]
    got = delivery_of([1.0], [(0, mark, 9.1 + mark) for mark in (1, 2, 3)], posts)
    assert got.fanout is not None
    assert got.fanout_service is not None
    assert (got.fanout.mean_s, got.fanout.max_s) == (pytest.approx(1.1), pytest.approx(2.1))
    assert (got.fanout_service.mean_s, got.fanout_service.max_s) == (pytest.approx(0.1), pytest.approx(0.1))


def test_a_lost_delivery_took_infinitely_long() -> None:
    got = delivery_of([1.0] * 10, [(fan, 1, 11.1) for fan in range(9)], [post(1)])
    assert got.fanout is not None
    assert (got.lost, got.fanout.missing) == (1, 1)
    assert (got.fanout.p90_s, got.fanout.p99_s) == (pytest.approx(0.6, rel=1e-3), None)


def test_fans_are_served_or_counted_by_what_happened() -> None:
    fans = analyse(samples_of([1.0, NEVER, NEVER, 2.0]), [post(1, kind="stop")], PHASES).fans
    assert (fans.asked, fans.answered, fans.served, fans.failures) == (4, 2, 2, {"no_answer": 2})
    assert fans.failed == 2


def test_a_fan_closed_before_the_end_was_not_held() -> None:
    samples = samples_of([1.0, 1.0, 1.0])
    samples.closed_s[1] = 9.0
    assert count_fans(samples, 11.0).failures == {"closed_early": 1}
    assert count_fans(samples, 11.0).served == 2
    assert count_fans(samples, None).served == 3


def test_a_whole_trial_has_its_fans_and_its_timeline() -> None:
    samples = samples_of([1.0, 1.0, 2.0, NEVER], [(0, 1, 11.1), (1, 1, 11.2), (2, 1, 11.3)])
    samples.closed_s[0], samples.closed_s[1] = 9.0, 11.0
    seen = analyse(samples, [post(1, kind="stop")], PHASES)
    # The end was posted at 11.0: who was closed then was closed by it.
    assert seen.fans.failures == {"closed_early": 1, "no_answer": 1}
    assert (seen.fans.asked, seen.fans.answered, seen.fans.served) == (4, 3, 2)
    line = seen.timeline
    assert line == timeline(samples, PHASES.over_s, line.deliveries)
    assert line.responses is not None
    assert line.deliveries is not None
    assert grid_of(line.responses).sum() == grid_of(line.deliveries).sum() == 3
    assert line.responses.edges_s == (1.0, 2.0)  # each took a second


def test_failures_are_counted_by_kind() -> None:
    samples = samples_of([NEVER, NEVER, NEVER, 1.0])
    samples.outcome[0] = Outcome.CUT
    assert count_fans(samples, None).failures == {"cut": 1, "no_answer": 2}


def test_failures_by_a_status_are_counted_by_that() -> None:
    samples = samples_of([NEVER, NEVER, NEVER, 1.0])
    samples.outcome[:3] = bytes([Outcome.STATUS]) * 3
    samples.status = {0: 429, 1: 503, 2: 429}
    fans = count_fans(samples, None)
    assert (fans.failures, fans.served) == ({"status_429": 2, "status_503": 1}, 1)


def test_failures_by_a_close_are_counted_by_its_code_and_reason() -> None:
    samples = samples_of([NEVER, 1.0, 1.0, 1.0, 1.0, 1.0])
    samples.outcome[:5] = bytes([Outcome.CLOSE, Outcome.CLOSE, Outcome.ENDED, Outcome.ENDED, Outcome.ENDED])
    samples.closes = {0: (1008, "no token"), 1: (1011, ""), 2: (1001, "bye"), 4: (1000, "over")}
    samples.closed_s[:5] = array("d", [0.5, 2.0, 2.0, 2.0, 11.0])
    fans = count_fans(samples, 10.0)
    assert fans.failures == {"close_1008 (no token)": 1, "close_1011": 1, "close_1001 (bye)": 1, "closed_early": 1}
    assert fans.served == 2


def test_many_reasons_of_a_code_are_not_told() -> None:
    samples = samples_of([NEVER] * 5)
    samples.outcome[:] = bytes([Outcome.CLOSE]) * 5
    samples.closes = {fan: (4000, f"user {fan}") for fan in range(5)}
    assert count_fans(samples, None).failures == {"close_4000": 5}


def test_an_event_has_all_that_is_known_of_it() -> None:
    receipts = [(0, 1, 11.1), (1, 1, 11.3), (0, 2, 12.0)]
    got = delivery_of([1.0, 1.0], receipts, [post(1), post(2, kind="goal"), post(3, error="refused (HTTP 422)")])
    assert [(event.sequence, event.kind, event.intended_s, event.sent_s) for event in got.events] == [
        (1, "shot", 10.5, 11.0),
        (2, "goal", 11.5, 12.0),
        (3, "shot", 12.5, 13.0),
    ]
    assert [(event.answered_s, event.error, event.received) for event in got.events] == [
        (11.25, None, 2),
        (12.25, None, 1),
        (None, "refused (HTTP 422)", 0),
    ]
    assert [(event.fanout_mean_s, event.last_s) for event in got.events] == [
        (pytest.approx(0.7), pytest.approx(0.8)),  # posts are sent half a second late
        (pytest.approx(0.5), pytest.approx(0.5)),
        (None, None),
    ]
    assert [(event.fanout_service_mean_s, event.last_service_s) for event in got.events] == [
        (pytest.approx(0.2), pytest.approx(0.3)),
        (0.0, 0.0),
        (None, None),
    ]


def test_the_lag_of_posts_is_one_that_was_seen() -> None:
    posts = [Posted(mark, "shot", 10.0, 10.0 + mark / 1000, 11.0, 0.0, None) for mark in range(1, 201)]
    got = delivery_of([1.0], [], posts)
    assert (got.post_lag_p99_s, got.post_lag_max_s) == (pytest.approx(0.198), pytest.approx(0.2))


def test_everything_delivered() -> None:
    receipts = [(fan, mark, 10.0 + mark + 0.01 * (fan + 1)) for mark in (1, 2) for fan in (0, 1, 2)]
    got = delivery_of([1.0, 2.0, 3.0], receipts, [post(1), post(2, kind="stop")])
    assert (got.posted, got.unposted, got.expected, got.received) == (2, 0, 6, 6)
    assert (got.lost, got.duplicated, got.reordered) == (0, 0, 0)
    assert got.fanout is not None
    assert got.fanout_service is not None
    assert (got.fanout.mean_s, got.fanout_service.mean_s) == (pytest.approx(0.52), pytest.approx(0.02))
    assert [got.last_mean_s, got.last_max_s, got.last_service_mean_s] == [
        pytest.approx(0.53),
        pytest.approx(0.53),
        pytest.approx(0.03),
    ]
    assert got.post_answer is not None
    assert got.post_answer.mean_s == pytest.approx(0.25)
    assert got.post_lag_max_s == pytest.approx(0.5)
    assert [event.last_s for event in got.events] == [pytest.approx(0.53)] * 2


def test_a_missing_mark_is_a_loss_also_where_the_connection_broke() -> None:
    samples = samples_of([1.0, 1.0], [(0, 1, 11.1), (0, 2, 12.1), (1, 1, 11.1)])
    samples.outcome[1] = Outcome.CUT
    seen = analyse(samples, [post(1), post(2, kind="stop")], PHASES)
    assert seen.delivery is not None
    assert (seen.delivery.lost, seen.fans.failures) == (1, {"cut": 1})
    assert [event.received for event in seen.delivery.events] == [2, 1]


def test_a_mark_from_before_the_answer_is_neither_expected_nor_a_loss() -> None:
    posts = [post(1, 1.0), post(2, 3.0), post(3, 5.0)]
    without = delivery_of([3.0, 0.5], [(1, mark, 9.0) for mark in (1, 2, 3)] + [(0, 2, 9.0), (0, 3, 9.0)], posts)
    assert (without.expected, without.lost) == (5, 0)
    withal = delivery_of([3.0, 0.5], [(0, 1, 9.0)] + [(fan, mark, 9.0) for mark in (2, 3) for fan in (0, 1)], posts)
    assert (withal.expected, withal.received, withal.lost) == (5, 4, 1)


def test_a_post_sent_at_the_moment_of_the_answer_is_expected() -> None:
    assert delivery_of([3.0], [], [post(1, 3.0)]).lost == 1


def test_what_was_not_accepted_is_not_expected_and_may_arrive() -> None:
    got = delivery_of([1.0], [(0, 2, 12.5)], [post(1, error="no store (HTTP 503)"), post(2)])
    assert (got.unposted, got.expected, got.lost) == (1, 1, 0)
    assert (got.events[0].answered_s, got.events[0].error) == (None, "no store (HTTP 503)")
    assert (got.events[0].last_s, got.events[0].fanout_mean_s) == (None, None)
    assert delivery_of([1.0], [(0, 1, 11.5), (0, 2, 12.5)], [post(1, error="x"), post(2)]).duplicated == 0


def test_a_duplicate_is_counted_once_and_is_not_reordered() -> None:
    got = delivery_of([1.0], [(0, 1, 11.1), (0, 2, 12.1), (0, 1, 12.2), (0, 2, 12.3)], [post(1), post(2)])
    assert (got.lost, got.duplicated, got.reordered) == (0, 2, 0)
    assert got.fanout_service is not None
    assert got.fanout_service.max_s == pytest.approx(0.1)


def test_a_lower_mark_after_a_higher_one_is_reordered_for_that_fan_only() -> None:
    receipts = [(0, 2, 13.0), (1, 1, 13.0), (0, 1, 13.0), (1, 2, 13.0), (0, 3, 13.5), (1, 3, 13.5)]
    got = delivery_of([1.0, 1.0], receipts, [post(1), post(2), post(3)])
    assert (got.lost, got.duplicated, got.reordered) == (0, 0, 1)


def test_the_order_of_many_receipts_is_kept() -> None:
    posts = [post(mark, 10.0) for mark in range(1, 51)]
    receipts = [(fan, mark, 12.0) for mark in range(1, 51) for fan in range(20)]
    assert delivery_of([1.0] * 20, receipts, posts).reordered == 0
    assert delivery_of([1.0] * 20, receipts[::-1], posts).reordered == 20 * 49


def test_marks_of_others_are_ignored() -> None:
    receipts = [(0, 1, 11.1), (0, 0, 11.2), (0, 7, 11.3), (0, 2, 3.0), (0, 2, 12.1), (1, 1, 11.1)]
    got = delivery_of([1.0, NEVER], receipts, [post(1), post(2)])
    assert (got.expected, got.received, got.duplicated, got.reordered) == (2, 2, 0, 0)


def test_nothing_arrived() -> None:
    got = delivery_of([1.0], [], [post(1)])
    assert (got.lost, got.fanout, got.last_mean_s, got.last_max_s) == (1, None, None, None)


@given(st.data())
def test_counts_agree_with_counting_one_by_one(data: st.DataObject) -> None:
    marks = data.draw(st.integers(1, 5))
    answered = data.draw(st.lists(st.sampled_from([1.0, 11.5, 13.0, NEVER]), min_size=1, max_size=4))
    posts = [post(mark, error=data.draw(st.sampled_from([None, None, "x"]))) for mark in range(1, marks + 1)]
    pairs = st.tuples(st.integers(0, len(answered) - 1), st.integers(0, marks + 1))
    receipts = [(fan, mark, 16.0) for fan, mark in data.draw(st.lists(pairs, max_size=20))]
    got = delivery_of(answered, receipts, posts)
    lost = duplicated = reordered = expected = 0
    for fan, at in enumerate(answered):
        if math.isnan(at):
            continue
        heard = [mark for number, mark, _ in receipts if number == fan and 1 <= mark <= marks]
        firsts = list(dict.fromkeys(heard))
        due = [one.sequence for one in posts if one.accepted and one.sent_s >= at]
        expected += len(due)
        lost += len(set(due) - set(heard))
        duplicated += len(heard) - len(firsts)
        reordered += sum(any(earlier > mark for earlier in firsts[:place]) for place, mark in enumerate(firsts))
    assert (got.expected, got.lost, got.duplicated, got.reordered) == (expected, lost, duplicated, reordered)


def test_the_timeline_follows_the_fans() -> None:
    samples = samples_of([1.0, 4.0, NEVER])
    samples.connected_s[2], samples.closed_s[2] = 2.0, 6.0
    line = timeline(samples, 20.0)
    assert len(line.at_s) == STEPS
    assert line.at_s[-1] == 20.0

    def at(moment_s: float) -> tuple[int, int]:
        step = next(index for index, end in enumerate(line.at_s) if end >= moment_s)
        return line.connected[step], line.answered[step]

    assert [at(moment) for moment in (0.1, 0.5, 1.1, 2.1, 4.1, 7.0, 20.0)] == [
        (0, 0),
        (1, 0),
        (1, 1),
        (2, 1),
        (3, 2),
        (2, 2),
        (0, 0),
    ]
    slowest = [value for value in line.slowest_s if value is not None]
    assert slowest == [pytest.approx(1.0)] * 2


def test_a_very_short_trial_has_a_timeline_too() -> None:
    assert len(timeline(samples_of([1.0]), 0.01).at_s) == 1


def left_at(samples: Samples, fan: int, outcome: Outcome, at_s: float) -> None:
    samples.outcome[fan] = outcome
    samples.closed_s[fan] = at_s


def test_whoever_leaves_counts_for_what_came_before_its_last_event_and_is_no_failure() -> None:
    samples = samples_of([1.0, 1.0, 1.0], [(0, 1, 11.1), (0, 3, 13.1), (1, 1, 11.1), (2, 1, 11.1), (2, 2, 12.1)])
    left_at(samples, 0, Outcome.LEFT, 13.5)  # without event 2, which is lost
    left_at(samples, 1, Outcome.BROKE_OFF, 11.5)
    seen = analyse(samples, [post(1), post(2), post(3)], PHASES)
    assert seen.delivery is not None
    assert (seen.delivery.expected, seen.delivery.received, seen.delivery.lost) == (3 + 1 + 3, 5, 2)
    fans = seen.fans
    assert (fans.asked, fans.served, fans.left, fans.reset, fans.failures) == (3, 1, 1, 1, {})


def test_a_slow_fan_is_set_apart_and_is_due_nothing() -> None:
    samples = samples_of([1.0, 1.0, 1.0], [(0, 1, 11.1), (0, 2, 12.1)])
    left_at(samples, 1, Outcome.SLOW, NEVER)
    left_at(samples, 2, Outcome.SLOW_CLOSED, 11.5)
    seen = analyse(samples, [post(1), post(2)], PHASES)
    assert seen.delivery is not None
    assert (seen.delivery.expected, seen.delivery.lost) == (2, 0)
    assert (seen.fans.served, seen.fans.slow, seen.fans.slow_closed, seen.fans.failed) == (1, 2, 1, 0)


def test_recovery_is_the_longest_wait_of_those_who_came_after_the_first_cut() -> None:
    samples = samples_of([1.0, 1.0, 9.0, 12.0])
    samples.intended_s[2], samples.intended_s[3] = 8.0, 11.5
    assert analyse(samples, [post(1)], PHASES).recovery_s is None
    left_at(samples, 0, Outcome.CUT, 8.5)
    assert analyse(samples, [post(1)], PHASES).recovery_s == pytest.approx(0.5)
    left_at(samples, 1, Outcome.ENDED, 7.5)  # by the server, before the end of the match
    assert analyse(samples, [post(1)], PHASES).recovery_s == pytest.approx(1.0)
    samples.intended_s[2] = samples.intended_s[3] = 0.0
    assert analyse(samples, [post(1)], PHASES).recovery_s is None


def test_newcomers_are_those_who_were_to_start_after_the_first_event_was_due() -> None:
    samples = samples_of([9.0, 10.5, 13.0, math.nan])  # the first event is due at 10.5
    for fan, intended_s in enumerate([8.0, 10.5, 11.0, 12.0]):
        samples.intended_s[fan] = intended_s
    for fan, asked_s in enumerate([8.0, 10.4, 11.5, math.nan]):
        samples.asked_s[fan] = asked_s
    response = analyse(samples, [post(1), post(2)], PHASES).response
    newcomers, art = response.newcomers, response.newcomers_art
    assert newcomers is not None
    assert (newcomers.count, newcomers.missing, newcomers.mean_s) == (1, 1, pytest.approx(2.0))
    assert art is not None
    assert (art.count, art.mean_s) == (1, pytest.approx(1.5))


def test_without_events_nobody_is_a_newcomer() -> None:
    assert analyse(samples_of([9.0, 20.0]), None, PHASES).response.newcomers is None
    assert analyse(samples_of([9.0, 9.5]), [post(1)], PHASES).response.newcomers is None
