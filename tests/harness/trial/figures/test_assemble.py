import math
from array import array

import pytest

from harness.load.samples import Samples
from harness.trial.figures.assemble import wave_times


def samples_of(*fans: tuple[float, float, float]) -> Samples:
    """Return fans by their intended start, their start, and their answer."""
    intended_s, started_s, answered_s = zip(*fans, strict=True)
    samples = Samples.blank(array("d", intended_s))
    samples.started_s = array("d", started_s)
    samples.answered_s = array("d", answered_s)
    return samples


def test_a_wave_lasts_from_its_moment_until_its_fans_are_answered_not_until_the_next() -> None:
    found = wave_times(samples_of((0.0, 0.1, 0.3), (0.0, 0.2, 0.4), (10.0, 10.1, 10.2)))
    assert [moment for moment, _ in found] == [0.0, 10.0]
    assert [end for _, end in found] == pytest.approx([0.4, 10.2], abs=0.01)


def test_a_wave_that_nobody_answered_lasts_until_its_last_start_and_one_not_started_is_none() -> None:
    found = wave_times(samples_of((0.0, 0.1, math.nan), (0.0, 0.5, math.nan), (1.0, math.nan, math.nan)))
    assert len(found) == 1
    assert found[0] == pytest.approx((0.0, 0.5), abs=0.01)


def test_whoever_waits_for_a_lost_syn_does_not_make_the_wave_longer() -> None:
    quick = [(0.0, 0.1, 0.2)] * 399
    assert wave_times(samples_of(*quick, (0.0, 0.1, 3.2))) == ((0.0, 0.2),)
