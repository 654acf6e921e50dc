import msgspec
import pytest

from harness.records.search import SearchResult
from harness.show.charts.search import chart_search
from tests.harness.made_records import a_floor, a_search, a_search_trial
from tests.harness.show.charts.pictures import fits, is_drawn, texts

OPEN = a_search(first_fail=None, at_least=True, broken=(), bound=None)
NOTHING = a_search(trials=(), last_pass=None, first_fail=None, state="interrupted")
FAILED = a_search(trials=(a_search_trial(500, met=False, broken=("failures=0: 3",)),), last_pass=None, first_fail=500)
RATE = a_search(trials=tuple(a_search_trial(level) for level in (0.5, 1, 2, 4, 64, 1024)))


@pytest.mark.parametrize("search", [a_search(), OPEN, NOTHING, FAILED, RATE])
def test_every_search_has_a_chart(search: SearchResult) -> None:
    chart = chart_search(search)
    assert is_drawn(chart)
    assert fits(chart)
    assert chart.finding.endswith(".")


def test_a_reader_sees_what_became_of_each_trial_and_where_the_limit_lies() -> None:
    seen = texts(chart_search(a_search()).figure)
    assert {"passed, short", "passed, full or soak", "failed", "invalid", "1,500 to 2,000"} <= seen
    assert "no trial was made" in texts(chart_search(NOTHING).figure)
    assert not any(text.endswith("to 500") for text in texts(chart_search(FAILED).figure))


def test_the_limit_of_the_floor_is_a_line_where_the_same_was_searched_for() -> None:
    asked = a_search().asked

    def floor(**changes: object) -> SearchResult:
        return a_search(
            last_pass=19_000, at_least=True, asked=msgspec.structs.replace(asked, target=a_floor(), **changes)
        )

    seen = texts(chart_search(a_search(), [floor()]).figure)
    assert "floor: at least 19,000" in seen
    for other in (floor(dimension="C"), floor(slo="failures=0")):
        assert not any("floor" in text for text in texts(chart_search(a_search(), [other]).figure))
    assert not any(text.startswith("floor: ") for text in texts(chart_search(floor(), [floor()]).figure))
