"""Which scenario exercises which lesson."""

import pytest

from harness.campaign.scenarios import (
    OF_LESSON,
    SCENARIOS,
    Scenario,
    UnknownScenarioError,
    chosen,
    lessons_in,
)
from harness.load.workload import Load
from harness.targets.lessons import lessons_of


def test_every_lesson_has_a_scenario_and_every_scenario_a_lesson() -> None:
    assert tuple(OF_LESSON) == lessons_of("3")
    assert all(names and set(names) <= set(SCENARIOS) for names in OF_LESSON.values())
    assert all(lessons_in(name) for name in SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_is_a_load_that_can_be_made(scenario: Scenario) -> None:
    load, disturbances = scenario.load, scenario.load.disturbances
    Load(load.n, load.c, load.interval_s)
    assert disturbances.reset + disturbances.slow * load.n < load.n
    assert disturbances.reset_at_s < load.events / load.rate_per_s
    assert scenario.figures


def test_scenarios_are_chosen_by_name_in_the_order_of_the_table() -> None:
    assert [scenario.name for scenario in chosen(["churn", "waves"])] == ["waves", "churn"]
    assert [scenario.name for scenario in chosen([])] == [name for name in SCENARIOS if name != "stalled"]
    assert [scenario.name for scenario in chosen(["stalled"])] == ["stalled"]  # long: only if it is named
    with pytest.raises(UnknownScenarioError, match="there is no scenario 'rain'; there is: gentle"):
        chosen(["rain"])
