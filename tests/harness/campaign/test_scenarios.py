"""Which scenario exercises which lesson."""

import pytest

from harness.campaign.scenarios import (
    OF_LESSON,
    SCENARIOS,
    SUPERSEDED,
    Scenario,
    UnknownScenarioError,
    chosen,
    lessons_in,
)
from harness.campaign.staircase import STAGES
from harness.load.conduct import planned
from harness.load.workload import Load
from harness.targets.lessons import lessons_of


def test_every_lesson_of_the_last_stage_has_a_scenario_and_every_scenario_a_lesson() -> None:
    lessons = lessons_of(STAGES[-1])
    assert tuple(lesson for lesson in OF_LESSON if lesson in lessons) == lessons
    assert all(set(names) <= set(SCENARIOS) for names in OF_LESSON.values())
    assert all(OF_LESSON.values())
    assert all(lessons_in(name) for name in SCENARIOS)
    assert {*SUPERSEDED, *SUPERSEDED.values()} <= set(lessons)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_is_a_load_that_can_be_made(scenario: Scenario) -> None:
    load = scenario.load
    planned(Load(load.n, load.c, load.interval_s), load.disturbances, load.events / load.rate_per_s)
    assert scenario.figures


def test_scenarios_are_chosen_by_name_in_the_order_of_the_table() -> None:
    assert [scenario.name for scenario in chosen(["churn", "waves"])] == ["waves", "churn"]
    assert [scenario.name for scenario in chosen([])] == [name for name in SCENARIOS if name != "stalled"]
    assert [scenario.name for scenario in chosen(["stalled"])] == ["stalled"]  # long: only if it is named
    with pytest.raises(UnknownScenarioError, match="there is no scenario 'rain'; there is: gentle"):
        chosen(["rain"])
