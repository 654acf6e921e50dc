"""How many fans a server answers in a second, as a timeline shows it: pure."""

from itertools import pairwise

from harness.records.seen import Timeline

_STEPS_OF_A_WAVE = 3
"""Steps of a timeline that answering a wave must take on average for a rate to be read from it."""


def answered_per_s(line: Timeline, waves: int) -> float | None:
    """Return how many fans were answered in a second, over the time in which any were, or None if that cannot be told.

    It cannot where waves are answered within a step or two of the timeline: that would be the rate of the schedule.
    """
    steps = zip(pairwise((0.0, *line.at_s)), pairwise((0, *line.answered)), strict=True)
    busy = [(end - begin, now - before) for (begin, end), (before, now) in steps if now > before]
    if len(busy) < _STEPS_OF_A_WAVE * waves:
        return None
    return sum(answered for _, answered in busy) / sum(seconds for seconds, _ in busy)
