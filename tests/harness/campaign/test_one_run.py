import msgspec
import numpy as np
import pytest

from harness.campaign.one_run import ratios_of_one_run
from harness.records.campaign import Ratio
from harness.records.distribution import distribution
from harness.records.trial import Response, TrialResult
from tests.harness.results import a_delivery, a_result, seen_by, some_fans


def a_trial(scale: float, served: int = 900, *, seed: int = 1, **changes: object) -> TrialResult:
    """Return a trial whose times are all `scale` times those of the scale 1."""
    rng = np.random.default_rng(seed)
    times = distribution(rng.lognormal(-5, 0.3, 900) * scale)
    plain = a_delivery()
    events = tuple(
        msgspec.structs.replace(event, fanout_mean_s=factor * 0.02 * scale, last_s=factor * 0.05 * scale)
        for event, factor in zip(plain.events, rng.normal(1, 0.02, len(plain.events)), strict=True)
    )
    fanout = distribution(rng.uniform(0.002, 0.05, 4_500) * scale)
    seen = msgspec.structs.replace(
        seen_by(some_fans(served, no_welcome=900 - served)),
        response=Response(honest=times, art=times),
        delivery=msgspec.structs.replace(plain, fanout=fanout, last_mean_s=0.05 * scale, events=events),
    )
    return a_result(seen=seen, **changes)


def by_figure(a: TrialResult, b: TrialResult) -> dict[str, Ratio]:
    return {ratio.figure: ratio for ratio in ratios_of_one_run(a, b)}


def test_a_run_twice_as_slow_is_worse_with_its_interval() -> None:
    found = by_figure(a_trial(1), a_trial(2))
    for figure in ("art", "response_p99", "fanout", "fanout_last"):
        ratio = found[figure]
        assert ratio.judgement == "worse", figure
        assert ratio.value == pytest.approx(2.0, rel=0.05)
        assert ratio.low is not None
        assert ratio.high is not None
        assert 1.5 < ratio.low < ratio.value < ratio.high < 2.6
        assert (ratio.a_count, ratio.b_count) == (1, 1)


def test_the_same_run_is_no_change() -> None:
    judgements = {ratio.judgement for ratio in ratios_of_one_run(a_trial(1), a_trial(1))}
    assert judgements == {"no change seen"}


def test_fans_who_were_not_served_are_seen() -> None:
    found = by_figure(a_trial(1), a_trial(1, served=400))
    assert found["served"].judgement == "worse"
    assert found["art"].judgement == "not measured"


def test_memory_has_no_parts_to_resample() -> None:
    found = by_figure(a_trial(1), a_trial(1))["memory"]
    assert (found.value, found.low, found.judgement) == (1.0, None, "no change seen")


def test_a_trial_without_events_or_answers_has_no_such_ratio() -> None:
    bare = a_result(seen=seen_by(some_fans(900)))
    found = by_figure(bare, a_trial(1))
    assert found["fanout"].judgement == "not measured"
    nobody = a_result(
        seen=msgspec.structs.replace(
            seen_by(some_fans(0, no_welcome=900)), response=Response(honest=None, art=None), delivery=a_delivery()
        )
    )
    assert by_figure(nobody, nobody)["art"].judgement == "not measured"


def test_events_that_reached_nobody_leave_no_interval() -> None:
    silent = tuple(msgspec.structs.replace(event, fanout_mean_s=None, last_s=None) for event in a_delivery().events)
    trial = a_result(seen=seen_by(some_fans(900), delivery=a_delivery(events=5)))
    delivery = trial.seen.delivery
    assert delivery is not None
    odd = msgspec.structs.replace(
        trial, seen=msgspec.structs.replace(trial.seen, delivery=msgspec.structs.replace(delivery, events=silent))
    )
    assert by_figure(trial, odd)["fanout_last"].low is None
