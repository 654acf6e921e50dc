import contextlib

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.distribution import distribution
from harness.records.seen import OwnEvents
from harness.trial.figures.slo import COUNTS, DEFAULT_SLO, TIMES, Slo, SloError, parse_slo
from tests.harness.results import a_delivery, seen_by, some_fans, some_reconnects

signs = st.sampled_from(["<", "<=", ">", ">=", "="])
numbers = st.one_of(
    st.integers(0, 10**9).map(str),
    st.decimals(0, 1000, allow_nan=False, allow_infinity=False, places=3).map(str),
)
PERCENTILES = (
    "p50",
    "p5",
    "p95",
    "p99",
    "p999",
    "p99.95",
    "p0.1",
    "art_p99",
    "fanout_p99.9",
    "newcomers_p90",
    "spread_p99",
    "back_p90",
)
count_terms = st.builds("{}{}{}{}".format, st.sampled_from(sorted(COUNTS)), signs, numbers, st.sampled_from(["", "%"]))
time_terms = st.builds(
    "{}{}{}{}".format, st.sampled_from([*TIMES, *PERCENTILES]), signs, numbers, st.sampled_from(["us", "ms", "s"])
)
texts = st.lists(count_terms | time_terms, max_size=5).map(",".join)


@given(texts)
def test_an_objective_is_written_as_it_was_read(text: str) -> None:
    slo = parse_slo(text)
    assert str(slo) == text
    assert parse_slo(str(slo)) == slo


@given(texts)
def test_blanks_around_terms_mean_nothing(text: str) -> None:
    spaced = text.replace(",", " , ").replace("=", " = ") if "<=" not in text and ">=" not in text else f" {text} "
    assert parse_slo(spaced) == parse_slo(text)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SloError):
        assert isinstance(parse_slo(text), Slo)


@given(st.floats(0, 100), signs, st.integers(0, 100_000))
def test_a_term_holds_exactly_when_its_comparison_does(seen: float, sign: str, limit_ms: int) -> None:
    (term,) = parse_slo(f"p99{sign}{limit_ms}ms").terms
    limit = limit_ms * 1e-3
    holds = {"<": seen < limit, "<=": seen <= limit, ">": seen > limit, ">=": seen >= limit, "=": seen == limit}
    assert term.holds(seen) == holds[sign]
    assert not term.holds(None)


@pytest.mark.parametrize(("sign", "met"), [("<", False), ("<=", True), (">", False), (">=", True), ("=", True)])
def test_a_figure_at_its_limit(sign: str, met: bool) -> None:
    time, count = parse_slo(f"p99{sign}25ms,lost{sign}3").terms
    assert (time.holds(0.025), count.holds(3)) == (met, met)


@pytest.mark.parametrize(
    ("terms", "broken"),
    [
        ("failures<2%,served>=98.1%", ("failures<2% (2 %)", "served>=98.1% (98 %)")),
        ("failures<=2%,lost<0.5%,duplicated<1%", ()),
        ("lost<0.1%", ("lost<0.1% (0.156 %)",)),
        ("unposted=0%", ()),
    ],
)
def test_a_count_may_be_a_share_of_all(terms: str, broken: tuple[str, ...]) -> None:
    seen = seen_by(some_fans(98, refused=2), delivery=a_delivery(lost=7))
    assert parse_slo(terms).check(seen) == broken


def test_no_share_of_nothing_is_taken() -> None:
    assert parse_slo("lost<1%,unposted<1%").check(seen_by(some_fans(1))) == ()


def test_any_percentile_is_taken_from_what_is_stored() -> None:
    times = distribution(np.arange(1, 1001) / 1000, missing=1)
    assert times is not None
    seen = seen_by(some_fans(1000, refused=1))
    seen = msgspec.structs.replace(seen, response=msgspec.structs.replace(seen.response, intended=times))
    assert parse_slo("p12.5<1us,p99.9<1us,p9999<1s").check(seen) == (
        "p12.5<1us (126 ms)",
        "p99.9<1us (1 s)",
        "p9999<1s (∞: not all came)",
    )
    assert parse_slo("p999<=1s,p1<12ms,p50<502ms").check(seen) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("p100<1s", "no figure is called 'p100'"),
        ("p0<1s", "or a percentile such as p99, p99.9,"),
        ("p199<1s", "no figure is called 'p199'"),
        ("load_p99<1s", "no figure is called 'load_p99'"),
        ("p99<1%", "needs a unit of time"),
        ("p99<1", "needs a unit of time"),
        ("p99<1h", "needs a unit of time"),
        ("failures=0ms", "is a count: write failures=0, or a share, as in failures<1%"),
        ("p99", "cannot be read"),
        ("failures=0,", "cannot be read"),
        ("p99<-1s", "cannot be read"),
        ("p99!=1s", "cannot be read"),
        ("failures=1e999", "out of range"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(SloError, match=says):
        parse_slo(text)


def test_broken_terms_say_what_was_seen() -> None:
    seen = seen_by(some_fans(10, refused=2), slowest_s=3.0, delivery=a_delivery(lost=7))
    slo = parse_slo("failures=0,lost=0,served>=10,max<1s,art<1ms,fanout_last<500ms,unposted=0")
    broken = slo.check(seen)
    assert broken[:3] == ("failures=0 (2)", "lost=0 (7)", "max<1s (∞: not all came)")
    assert broken[3].startswith("art<1ms (")
    assert broken[4:] == ("fanout_last<500ms (∞: not all came)",)


def test_who_was_not_answered_breaks_a_percentile_that_falls_among_them() -> None:
    slo = parse_slo("p99<1s,mean<1s,art_p99<1s")
    assert slo.check(seen_by(some_fans(99, refused=1))) == ()
    assert slo.check(seen_by(some_fans(98, refused=2))) == ("p99<1s (∞: not all came)",)


@pytest.mark.parametrize(("seen_s", "shown"), [(0.0999, "99.9 ms"), (0.9994, "999 ms"), (1.0, "1 s"), (1.5, "1.5 s")])
def test_times_are_shown_in_the_unit_that_people_use(seen_s: float, shown: str) -> None:
    assert parse_slo("max<1ms").check(seen_by(some_fans(1), slowest_s=seen_s)) == (f"max<1ms ({shown})",)


def test_every_figure_is_taken_from_a_result() -> None:
    times = seen_by(some_fans(10)).response.intended
    seen = msgspec.structs.replace(
        seen_by(some_fans(10), delivery=a_delivery()), reconnects=some_reconnects(back=times)
    )
    assert parse_slo(",".join(f"{name}>=0" for name in COUNTS)).check(seen) == ()
    newcomers = msgspec.structs.replace(seen.response, newcomers=seen.response.intended)
    own = OwnEvents(heard=1, by_all=1, fans=10, spread=seen.response.intended)
    seen = msgspec.structs.replace(seen, response=newcomers, own=own)
    assert parse_slo(",".join(f"{name}>0us" for name in (*TIMES, *PERCENTILES))).check(seen) == ()


def test_who_had_no_need_to_come_back_was_back_at_once_and_who_was_not_never() -> None:
    slo = parse_slo("back_p90<1s,back_max<1s,lost_connections=0,missed<1%")
    not_asked, seen = seen_by(some_fans(10)), seen_by(some_fans(10), delivery=a_delivery(expected=97))
    assert slo.check(not_asked) == tuple(f"{term.text} (not measured)" for term in slo.terms)
    none = some_reconnects(lost=0, tried=0, served=0, missed=0)
    assert slo.check(msgspec.structs.replace(seen, reconnects=none)) == ()
    away = some_reconnects(lost=10, served=0, not_back=10)
    assert slo.check(msgspec.structs.replace(seen, reconnects=away)) == (
        "back_p90<1s (∞: not all came)",
        "back_max<1s (∞: not all came)",
        "lost_connections=0 (10)",
        "missed<1% (3 %)",
    )


def test_a_time_that_was_not_measured_breaks_its_term_but_no_events_lost_none() -> None:
    seen = seen_by(some_fans(0, refused=3))
    assert parse_slo("p99<1s,fanout_p99<1s,lost=0").check(seen) == (
        "p99<1s (∞: not all came)",
        "fanout_p99<1s (not measured)",
    )


def test_the_default_wants_everyone_served_and_everything_delivered() -> None:
    slo = parse_slo(DEFAULT_SLO)
    assert slo.check(seen_by(some_fans(), delivery=a_delivery())) == ()
    for name in ("lost", "duplicated", "reordered", "unposted"):
        seen = seen_by(some_fans(), delivery=msgspec.structs.replace(a_delivery(), **{name: 1}))
        assert slo.check(seen) == (f"{name}=0 (1)",)
    assert parse_slo(" ").check(seen_by(some_fans(1, refused=1))) == ()
