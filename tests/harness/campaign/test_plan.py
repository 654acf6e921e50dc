from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from harness.campaign.plan import (
    DIMENSIONS,
    GENTLE,
    GENTLEST,
    SEARCHES,
    Arm,
    PlannedSearch,
    PlannedTrial,
    arrivals_at,
    estimated_s,
    in_rounds,
    searches_of,
)
from tests.harness.campaign.doubles import HEAVY, LIGHT, a_server

SERVERS = tuple(a_server(stage) for stage in ("0", "1", "2.1"))
ARMS = (Arm(SERVERS[0], LIGHT, per_round=2), Arm(SERVERS[1], LIGHT), Arm(SERVERS[2], HEAVY))


@given(st.integers(1, 6), st.integers(0, 100))
def test_a_campaign_cut_after_any_round_has_as_many_repeats_of_everything(rounds: int, seed: int) -> None:
    plan = in_rounds(ARMS, searches_of(SERVERS[:1], ("N", "C"), {}), rounds, seed)
    assert len({planned.file for planned in plan}) == len(plan)
    done = 0
    for number in range(1, rounds + 1):
        searched = sum(number <= SEARCHES[dimension] for dimension in ("N", "C"))
        this = plan[done : done + 4 + searched]
        done += len(this)
        measured = Counter(planned.server.key for planned in this if isinstance(planned, PlannedTrial))
        assert measured == {"stage-0": 2, "stage-1": 1, "stage-2.1": 1}
        assert {planned.repeat for planned in this if planned.server is not SERVERS[0]} == {number}
        assert sum(isinstance(planned, PlannedSearch) for planned in this) == searched
    assert done == len(plan)


def test_the_order_is_random_in_each_round_and_the_same_for_the_same_seed() -> None:
    plan = in_rounds(ARMS, (), 20, 2012)
    assert plan == in_rounds(ARMS, (), 20, 2012)
    assert plan != in_rounds(ARMS, (), 20, 2013)
    firsts = {plan[4 * number].server.key for number in range(20)}
    assert firsts == {server.key for server in SERVERS}


def test_a_longer_campaign_begins_as_the_shorter_one() -> None:
    assert in_rounds(ARMS, (), 5, 1)[:8] == in_rounds(ARMS, (), 2, 1)


def test_a_search_is_repeated_from_where_the_first_one_ended() -> None:
    first, second, third = in_rounds((), searches_of(SERVERS[:1], ("C",), {"C": 9}), 4, 1)
    assert isinstance(first, PlannedSearch)
    assert (first.file, first.hint) == ("stage-0-search-c-1", 9)
    for number, again in ((2, second), (3, third)):
        assert again == PlannedSearch(SERVERS[0], "C", first, number)


def test_searches_have_the_one_before_as_their_hint() -> None:
    searches = searches_of(SERVERS[:2], ("N", "C"), {"N": 900})
    assert [search.hint for search in searches] == [900, None, searches[0], searches[1]]


def test_what_a_plan_takes_is_told_by_its_schedules() -> None:
    trial = PlannedTrial(SERVERS[0], LIGHT, 1)
    assert LIGHT.schedule_s == 224 * 0.025 + 20 / 5
    assert estimated_s([trial, trial]) == 2 * estimated_s([trial])
    assert estimated_s([trial]) > LIGHT.schedule_s
    assert estimated_s([PlannedSearch(SERVERS[0], "N")]) > 60


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
