import pytest

from harness.records.seen import Timeline
from harness.trial.figures.rate import answered_per_s


@pytest.mark.parametrize(
    ("counts", "waves", "rate"),
    [
        ((100, 200, 300, 300, 300, 400, 500, 600), 2, 200.0),  # two waves of 1.5 s, a second in between
        ((100, 100, 100, 200, 200, 200), 2, None),  # each within a step
        ((100, 200, 300, 100, 0), 1, 200.0),  # closed afterwards
        ((0, 0, 0), 1, None),
    ],
)
def test_a_rate_is_told_where_answering_a_wave_takes_some_steps(
    counts: tuple[int, ...], waves: int, rate: float | None
) -> None:
    at_s = tuple((step + 1) / 2 for step in range(len(counts)))  # steps of half a second
    line = Timeline(at_s=at_s, connected=counts, answered=counts, slowest_s=(None,) * len(counts))
    assert answered_per_s(line, waves) == rate
