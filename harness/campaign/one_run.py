"""One trial against one other: ratios whose intervals cover the fans and the events of these two, and no other run.

Two runs of the same server differ by more than their fans do, since what disturbs a run disturbs all of them. So a
change that is seen here is a change between these two runs, and repeats have to show whether it is one of the servers.
The deliveries of one event are much alike, since it reaches all fans together: events are resampled, not deliveries.
"""

import math

import numpy as np
from numpy.typing import NDArray

from harness.campaign.bootstrap import SEED, ratio_of_resamples
from harness.campaign.figures import TIMES, ratios
from harness.records.campaign import Figure, Ratio, measurement
from harness.records.distribution import Distribution, curve
from harness.records.trial import TrialResult

RESAMPLES = 2_000

_Values = NDArray[np.float64]


def ratios_of_one_run(a: TrialResult, b: TrialResult) -> tuple[Ratio, ...]:
    """Compare trial B with trial A by every figure that a trial has.

    A figure that has no parts which could be resampled, such as the memory, gets no interval, and shows no change.
    """
    plain = ratios([measurement(a, "")], [measurement(b, "")])
    return tuple(_with_interval(found, a, b) for found in plain)


def _with_interval(found: Ratio, a: TrialResult, b: TrialResult) -> Ratio:
    if found.value is None:
        return found
    # Two streams: with one for both, the same fans would be drawn in each, and the interval would be far too narrow.
    rng_a, rng_b = map(np.random.default_rng, np.random.SeedSequence(SEED).spawn(2))
    of_a, of_b = _resamples(found.figure, a, rng_a), _resamples(found.figure, b, rng_b)
    if of_a is None or of_b is None:
        return found
    return ratio_of_resamples(found.figure, of_a, of_b, found.value)


def _resamples(figure: Figure, trial: TrialResult, rng: np.random.Generator) -> _Values | None:
    """Return the figure as resamples of the trial have it; None where it cannot be resampled."""
    fans, response = trial.seen.fans, trial.seen.response
    if figure == "served":
        return rng.binomial(fans.asked, fans.served / fans.asked, RESAMPLES).astype(float)
    if figure == "art" and response.art is not None:
        return _means(response.art, rng)
    if figure == "response_p99" and response.honest is not None:
        return _p99(response.honest, rng)
    if figure in TIMES and trial.seen.delivery is not None:
        events = trial.seen.delivery.events
        times = [event.fanout_mean_s if figure == "fanout" else event.last_s for event in events]
        return _means_of_events([time for time in times if time is not None], rng)
    return None


def _means(times: Distribution, rng: np.random.Generator) -> _Values:
    values, counts = _drawn(times, rng)
    return np.asarray(counts @ values / times.count, float)


def _p99(times: Distribution, rng: np.random.Generator) -> _Values:
    values, counts = _drawn(times, rng)
    rank = math.ceil(0.99 * times.count)
    return np.asarray(values[np.argmax(np.cumsum(counts, axis=1) >= rank, axis=1)], float)


def _drawn(times: Distribution, rng: np.random.Generator) -> tuple[_Values, NDArray[np.int64]]:
    """Return the values of a histogram, and a row for each resample with how many fans have each of them."""
    values, shares = curve(times)
    return values, rng.multinomial(times.count, np.diff(shares, prepend=0.0), RESAMPLES)


def _means_of_events(times: list[float], rng: np.random.Generator) -> _Values | None:
    if not times:
        return None
    return np.asarray(rng.choice(np.array(times), (RESAMPLES, len(times))).mean(axis=1), float)
