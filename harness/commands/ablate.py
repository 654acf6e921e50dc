"""`harness ablate`: what each lesson of a stage is worth, left out of it and added alone to the baseline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from harness.campaign.ablation import Subject, ablation, outline
from harness.campaign.bench import FULL_EFFORT
from harness.campaign.scenarios import Scenario, chosen
from harness.campaign.staircase import STAGES
from harness.commands.campaign_runs import (
    ROUNDS,
    CampaignOptions,
    CampaignOut,
    Errand,
    RoundsOption,
    print_sheets,
    run_errand,
)
from harness.commands.grouped import grouped
from harness.commands.options import AskedError, Where
from harness.commands.pages import write_page
from harness.records.campaign import ABLATION, Ablation
from harness.records.files import load
from harness.show.campaign import ablation_sheets
from harness.show.terminal import say
from harness.targets.lessons import lessons_of
from harness.trial.placement.errors import PlacementError
from harness.trial.placement.namespaces import check_possible

_ALL_SHORT: Final = " ".join(scenario.name for scenario in chosen(()))


@grouped
def ablate(  # noqa: PLR0913 -- each is an option of the command
    *,
    stage: Annotated[str, typer.Option("--stage", help="The last stage: lessons are left out of it, too.")] = "4",
    lesson: Annotated[
        list[str] | None, typer.Option("--lesson", help="One of its lessons; repeatable. Default: all of them.")
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option("--scenario", help=f"A load to measure under; repeatable. Default: {_ALL_SHORT}."),
    ] = None,
    rounds: RoundsOption = ROUNDS,
    options: CampaignOptions,
    where: Where,
    out: CampaignOut = Path("out/ablation"),
) -> None:
    """Measure what each lesson is worth: left out of the stage that introduces it, and of the last; and added alone.

    Each is measured in the scenarios that exercise it. The ratio of each figure has a 95 % interval and a judgement:
    better, worse, no change seen. Placebos show what chance does. What --out has already is kept, so the same command
    goes on after Ctrl-C, or with another --budget.

    The exit status is 0, 2 if it could not be made, and 130 if it was interrupted: ablation.json has what there is.
    """
    conditions = options.conditions(FULL_EFFORT, where)
    budget_s = options.budget_s()
    plan = outline(_subject(stage, lesson or ()), _possible(chosen(scenario or ())), rounds, options.seed)
    errand = Errand(
        out=out,
        file="ablation.json",
        plan=plan.plan,
        conditions=conditions,
        summary=lambda findings, around, state: ablation(plan, findings, around, state),
        budget_s=budget_s,
        fresh=options.fresh,
        tolerates=plan.altered_keys,
    )
    run_errand(errand)
    found = load(errand.path, Ablation, ABLATION)
    print_sheets(ablation_sheets(found), as_markdown=options.as_markdown)
    typer.echo(f"result: {errand.path}", err=options.as_markdown)
    write_page(options.page, found)


def _possible(asked: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Return the scenarios that can be run here, and tell which cannot, and why."""
    try:
        check_possible()
    except PlacementError as error:
        for scenario in asked:
            if scenario.needs_netns:
                say(f"the scenario {scenario.name} is not run: {error}", err=True)
        return tuple(scenario for scenario in asked if not scenario.needs_netns)
    return tuple(asked)


def _subject(stage: str, named: Sequence[str]) -> Subject:
    """Return the lessons of the stages, and which to measure. Raise AskedError for one that the stage does not have."""
    if stage not in STAGES:
        raise AskedError(f"there is no stage {stage!r}; there is: {', '.join(STAGES)}")
    lessons = {name: lessons_of(name) for name in STAGES[: STAGES.index(stage) + 1]}
    known = lessons[stage]
    if not known:
        raise AskedError(f"stage {stage} has no lessons: give a later one, such as --stage 2.5")
    for lesson in named:
        if lesson not in known:
            raise AskedError(f"stage {stage} has no lesson {lesson!r}; it has: {', '.join(known)}")
    return Subject(lessons, tuple(lesson for lesson in known if lesson in named) if named else known)
