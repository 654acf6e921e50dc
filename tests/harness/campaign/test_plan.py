from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.campaign.plan import (
    DIMENSIONS,
    GENTLE,
    GENTLEST,
    PlannedSearch,
    PlannedTrial,
    arrivals_at,
    interleaved,
    search_like,
    searches_of,
)
from tests.harness.campaign.doubles import HEAVY, LIGHT, a_server

SERVERS = tuple(a_server(stage) for stage in ("0", "1", "2.1"))


@given(st.integers(1, 3), st.integers(1, 5))
def test_every_server_has_its_nth_trial_before_any_has_the_next(servers: int, repeats: int) -> None:
    measured = [(server, load) for server in SERVERS[:servers] for load in (LIGHT, HEAVY)]
    plan = interleaved(measured, repeats)
    trials = [planned for planned in plan if isinstance(planned, PlannedTrial)]
    assert len(trials) == len(plan) == servers * 2 * repeats
    assert all(before.repeat <= after.repeat for before, after in pairwise(trials))
    assert len({trial.file for trial in trials}) == len(trials)


def test_searches_come_after_the_first_round_and_each_has_the_one_before_as_its_hint() -> None:
    searches = searches_of(SERVERS[:2], ("N", "C"), {"N": 900})
    plan = interleaved([(server, LIGHT) for server in SERVERS[:2]], 2, searches)
    assert [planned.file for planned in plan] == [
        "stage-0-n900-c4-1.json",
        "stage-1-n900-c4-1.json",
        "stage-0-search-n.json",
        "stage-0-search-c.json",
        "stage-1-search-n.json",
        "stage-1-search-c.json",
        "stage-0-n900-c4-2.json",
        "stage-1-n900-c4-2.json",
    ]
    assert [search.hint for search in searches] == [900, None, searches[0], searches[1]]


def test_a_changed_server_is_searched_from_its_reference_on() -> None:
    reference = PlannedSearch(SERVERS[0], "C")
    assert search_like(SERVERS[1], reference) == PlannedSearch(SERVERS[1], "C", reference)


def test_fans_arrive_as_the_accept_queue_allows() -> None:
    assert arrivals_at(("open-files", "backlog")) == GENTLE
    assert arrivals_at(("open-files",)) == GENTLEST


def test_a_server_is_searched_where_its_n_is_likely_and_the_next_of_its_kind_where_it_was_found() -> None:
    zero, one, two, nodes = (
        replace(a_server(key), likely_n=likely)
        for key, likely in (("0", None), ("1", 19_900), ("2", 19_900), ("3", None))
    )
    planned = {
        (search.server.key.removeprefix("stage-"), search.dimension): search
        for search in searches_of((zero, one, two, nodes), DIMENSIONS, {"N": 900, "C": 4})
    }
    assert planned["0", "N"].hint == 900
    assert planned["1", "N"].hint == 19_900
    assert planned["2", "N"].hint is planned["1", "N"]
    assert planned["3", "N"].hint is planned["2", "N"]
    assert planned["1", "C"].hint is planned["0", "C"]
