"""Who leaves when, who comes instead, and who stops reading."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.conduct import Agenda, Conduct, Departure, planned
from harness.load.workload import InvalidLoadError, Load
from harness.records.asked import Disturbances


def a_load(n: int) -> Load:
    return Load(n, 1, interval_s=0.25)


@st.composite
def asked(draw: st.DrawFn) -> tuple[int, Disturbances, float]:
    n = draw(st.integers(2, 60))
    slow = draw(st.floats(0, 0.5))
    reset = draw(st.integers(0, n - round(slow * n) - 1))
    churn_per_s = draw(st.sampled_from([0.0, 0.05, 0.5, 2.0]))
    return n, Disturbances(churn_per_s=churn_per_s, slow=slow, reset=reset, reset_at_s=1.0), draw(st.floats(1, 5))


@given(asked())
def test_nobody_does_two_things_and_all_is_as_asked(given: tuple[int, Disturbances, float]) -> None:
    n, what, events_s = given
    conduct = planned(a_load(n), what, events_s)
    left = [departure.fan for departure in conduct.departures if not departure.resets]
    broke_off = [departure.fan for departure in conduct.departures if departure.resets]
    assert len(conduct.slow) == round(what.slow * n)
    assert len(broke_off) == what.reset
    assert len(left) == len(conduct.newcomers_s) == int(events_s * what.churn_per_s * n)
    assert len({*conduct.slow, *broke_off, *left}) == len(conduct.slow) + len(broke_off) + len(left)
    assert {*conduct.slow, *broke_off} <= set(range(n))


@given(asked())
def test_whoever_leaves_has_come_and_the_moments_are_in_order(given: tuple[int, Disturbances, float]) -> None:
    n, what, events_s = given
    conduct = planned(a_load(n), what, events_s)
    moments = [departure.at_s for departure in conduct.departures]
    assert moments == sorted(moments)
    assert list(conduct.newcomers_s) == sorted(conduct.newcomers_s)
    assert all(0 < at_s <= events_s for at_s in moments)
    for departure in conduct.departures:
        assert departure.fan < n or conduct.newcomers_s[departure.fan - n] < departure.at_s


@given(asked(), st.integers(1, 5))
def test_processes_have_all_of_it_between_them(given: tuple[int, Disturbances, float], processes: int) -> None:
    n, what, events_s = given
    conduct = planned(a_load(n), what, events_s)
    shares = [range(index, n + len(conduct.newcomers_s), processes) for index in range(processes)]
    parts = [conduct.of(fans, n) for fans in shares]
    assert {fans[slow] for fans, part in zip(shares, parts, strict=True) for slow in part.slow} == conduct.slow
    departures = [
        Departure(d.at_s, fans[d.fan], d.resets)
        for fans, part in zip(shares, parts, strict=True)
        for d in part.departures
    ]
    assert sorted(departures, key=lambda d: (d.at_s, d.fan)) == sorted(
        conduct.departures, key=lambda d: (d.at_s, d.fan)
    )
    assert sorted(moment for part in parts for moment in part.newcomers_s) == list(conduct.newcomers_s)


def test_the_same_fans_leave_every_time() -> None:
    what = Disturbances(churn_per_s=0.1, slow=0.1, reset=5)
    assert planned(a_load(50), what, 3.0) == planned(a_load(50), what, 3.0)
    assert planned(a_load(50), what, 3.0) != planned(a_load(50), what, 3.0, seed=2)
    assert planned(a_load(50), Disturbances(), 3.0) == Conduct()


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (Disturbances(slow=0.6, reset=5), "6 slow fans and 5 that are reset are more than N=10"),
        (Disturbances(reset=5, reset_at_s=4.0), "the reset at 4 s is after the events, which take 3 s"),
        (Disturbances(slow=0.5, reset=5, churn_per_s=0.1), "nobody is left for churn"),
        (Disturbances(joining=13, joining_c=1), "the last of 13 fans who join comes 3.25 s after the first event"),
        (Disturbances(storm=0.6, slow=0.5), "5 slow fans and 6 that are reset are more than N=10"),
        (Disturbances(storm=0.1, storm_at_s=2.5, storm_within_s=1.0), "the storm is over 3.5 s after the first event"),
        (Disturbances(storm=0.1, churn_per_s=0.1), "with --churn .* as after a --storm: give one"),
        (Disturbances(storm=0.1, joining=1, joining_c=1), "with --joining .* as after a --storm: give one"),
        (Disturbances(joining=1, joining_c=1, churn_per_s=0.1), "with --churn .* as with --joining: give one"),
    ],
)
def test_what_cannot_be_is_refused(what: Disturbances, reason: str) -> None:
    with pytest.raises(InvalidLoadError, match=reason):
        planned(a_load(10), what, 3.0)


def test_fans_join_in_waves_and_nobody_leaves_for_them() -> None:
    conduct = planned(a_load(50), Disturbances(joining=5, joining_c=2, reset=1, reset_at_s=1.0), 3.0)
    assert conduct.newcomers_s == (0.25, 0.25, 0.5, 0.5, 0.75)
    assert [departure.resets for departure in conduct.departures] == [True]


def test_after_a_storm_as_many_come_again_as_broke_off() -> None:
    what = Disturbances(storm=0.5, storm_at_s=1.0, storm_within_s=0.5, slow=0.1, reset=3, reset_at_s=0.5)
    conduct = planned(a_load(50), what, 3.0)
    assert [departure.at_s for departure in conduct.departures] == [0.5] * 3 + [1.0] * 25
    assert all(departure.resets for departure in conduct.departures)
    assert len({*conduct.slow, *(departure.fan for departure in conduct.departures)}) == 5 + 3 + 25
    assert len(conduct.newcomers_s) == 25
    assert list(conduct.newcomers_s) == sorted(conduct.newcomers_s)
    assert 1.0 <= conduct.newcomers_s[0] < conduct.newcomers_s[-1] <= 1.5


def test_an_agenda_gives_each_departure_once_and_none_before_the_events() -> None:
    departures = (Departure(1.0, 4, resets=False), Departure(1.0, 5, resets=True), Departure(2.0, 6, resets=False))
    agenda = Agenda(Conduct(departures=departures))
    assert agenda.take_due(1e9) == ()
    assert agenda.next_s == math.inf
    agenda.begin(10.0)
    assert agenda.next_s == 11.0
    assert agenda.take_due(10.9) == ()
    assert agenda.take_due(11.0) == departures[:2]
    assert agenda.take_due(99.0) == departures[2:]
    assert agenda.next_s == math.inf
