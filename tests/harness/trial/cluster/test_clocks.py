import math

from hypothesis import given
from hypothesis import strategies as st

from harness.trial.cluster.clocks import Exchange, Offset, offset_of, uncertain_s

way = st.floats(1e-5, 0.1)
ahead = st.floats(-1e6, 1e6)


@given(ahead, st.lists(st.tuples(st.floats(0, 1e6), way, way), min_size=1, max_size=20))
def test_the_clock_is_where_it_is_said_to_be_and_no_less_sure_than_the_shortest_way(
    ahead_s: float, ways: list[tuple[float, float, float]]
) -> None:
    exchanges = [Exchange(asked, asked + there + ahead_s, asked + there + back) for asked, there, back in ways]
    found = offset_of(exchanges)
    shortest_s = min(there + back for _, there, back in ways)
    assert abs(found.ahead_s - ahead_s) <= found.uncertain_s + 1e-6
    assert found.uncertain_s <= shortest_s / 2 + 1e-6


def test_what_the_clocks_drifted_apart_is_uncertain_too() -> None:
    before = Offset(10.0, 0.001)
    assert uncertain_s(before, None) == 0.001
    assert uncertain_s(before, Offset(10.0, 0.0005)) == 0.001
    assert math.isclose(uncertain_s(before, Offset(10.02, 0.002)), 0.022)
