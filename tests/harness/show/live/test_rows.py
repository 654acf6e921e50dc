import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.http.statistics import ApiStatistics, SubscriptionsStatistics, WriterStatistics
from common.otp.survey import KindStatistics, ProcessStatistics
from harness.show.live.rows import actor_rows, node_row, parts_row
from harness.targets.poller import Look, Polled
from tests.common.http.samples import statistics

DB = ProcessStatistics("db", "Db", 2, 30, 1, 500)


def look(passed_s: float = 2.0, **changes: object) -> Look:
    """Return a second look, `passed_s` after a first at what `samples.statistics` tells."""
    return (
        Look("url").next(Polled(10.0, statistics())).next(Polled(10.0 + passed_s, statistics(uptime_s=99.0, **changes)))
    )


def test_rates_are_what_was_added_in_a_second() -> None:
    row = node_row(look(accepted=22, deliveries=19, cpu_s=2.5))
    assert row is not None
    assert (row.accepts_per_s, row.deliveries_per_s, row.cpu) == (5.0, 0.0, 0.5)
    assert (row.node, row.connections, row.drops, row.lag_s, row.rss_bytes) == ("host:8888", 9, 2, 0.25, 50_000_000)
    assert not row.away


def test_parts_have_rates_too() -> None:
    row = parts_row(
        look(
            api=ApiStatistics(2, 27),
            writer=WriterStatistics(True, 1234, 76, 2, 1),
            subscriptions=SubscriptionsStatistics(True, 5, 6, 7, 94),
        )
    )
    assert row is not None
    assert (row.calls_per_s, row.executed_per_s, row.published_per_s) == (5.0, 3.0, 2.0)
    bare = parts_row(look(api=None, writer=None, requests=None, subscriptions=None))
    assert bare is not None
    assert (bare.api, bare.calls_per_s, bare.executed_per_s, bare.published_per_s) == (None,) * 4
    assert parts_row(Look("url")) is None


def test_a_first_look_has_no_rates() -> None:
    first = Look("url").next(Polled(1.0, statistics(loop_lag=None)))
    row = node_row(first)
    assert row is not None
    assert (row.accepts_per_s, row.deliveries_per_s, row.cpu, row.lag_s) == (None, None, None, None)
    assert {one.per_s for one in actor_rows(first)} == {None}


@pytest.mark.parametrize("change", [{"uptime_s": 1.0}, {"node": "other:8888"}])
def test_a_node_that_was_started_anew_or_is_another_has_no_past(change: dict[str, object]) -> None:
    again = Look("url").next(Polled(1.0, statistics())).next(Polled(2.0, statistics(**change)))
    row = node_row(again)
    assert row is not None
    assert row.accepts_per_s is None


def test_a_count_that_fell_and_no_time_have_no_rate() -> None:
    fallen, at_once = node_row(look(accepted=1)), node_row(look(0.0))
    assert fallen is not None
    assert at_once is not None
    assert (fallen.accepts_per_s, at_once.accepts_per_s) == (None, None)


def test_a_node_that_never_answered_has_no_rows_and_one_that_is_away_its_last() -> None:
    assert (node_row(Look("url")), actor_rows(Look("url"))) == (None, [])
    away = look().missed("no answer")
    row = node_row(away)
    assert row is not None
    assert row.away
    assert actor_rows(away) == actor_rows(look())
    assert node_row(away.next(Polled(20.0, statistics(uptime_s=120.0)))) is not None


def test_actors_have_rows_and_so_have_kinds_of_several() -> None:
    first = statistics(actors=(DB,), kinds=(KindStatistics("Client", 9, 12, 3, 31, 0, 9000),))
    second = statistics(
        uptime_s=99.0,
        actors=(ProcessStatistics("db", "Db", 0, 50, 1, 500), ProcessStatistics("web", "Web", 0, 1, 0, 9)),
        kinds=(KindStatistics("Client", 1000, 1100, 4, 41, 0, 9000), KindStatistics("Db", 1, 1, 0, 50, 1, 500)),
    )
    rows = actor_rows(Look("url").next(Polled(1.0, first)).next(Polled(3.0, second)))
    assert [(row.name, row.per_s) for row in rows] == [("all 1,000 of Client", 5.0), ("db", 10.0), ("web", None)]
    assert {row.node for row in rows} == {"host:8888"}


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0.001, 1000))
def test_a_rate_times_the_time_is_what_was_added(before: int, added: int, passed_s: float) -> None:
    rate = look(passed_s).rate(before + added, before)
    assert rate is not None
    assert rate * passed_s == pytest.approx(added, rel=1e-6)
