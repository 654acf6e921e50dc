"""`harness ablate`: what each lesson of a stage is worth, left out of it and added alone to the baseline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.campaign.ablation import WHOLE_C, WHOLE_INTERVAL_S, WHOLE_N, Subject, ablation, outline
from harness.campaign.bench import FULL_EFFORT
from harness.campaign.plan import FixedLoad
from harness.commands.campaign_runs import CampaignOptions, CampaignOut, Errand, print_sheets, run_errand
from harness.commands.grouped import grouped
from harness.commands.options import AskedError, Where
from harness.load.workload import Load
from harness.records.campaign import ABLATION, Ablation
from harness.records.files import load
from harness.show.campaign import ablation_sheets
from harness.targets.lessons import lessons_of

EVENTS, RATE_PER_S = 10, 5.0


@grouped
def ablate(  # noqa: PLR0913 -- each is an option of the command
    *,
    stage: Annotated[str, typer.Option("--stage", help="The stage whose lessons are measured.")] = "2.5",
    lesson: Annotated[
        list[str] | None, typer.Option("--lesson", help="One of its lessons; repeatable. Default: all of them.")
    ] = None,
    n: Annotated[int, typer.Option("-N", min=1, help="Connections to the stage.")] = WHOLE_N,
    c: Annotated[int, typer.Option("-C", min=1, help="Connections started at the same moment.")] = WHOLE_C,
    interval: Annotated[float, typer.Option("--interval", help="Seconds between waves.")] = WHOLE_INTERVAL_S,
    repeats: Annotated[int, typer.Option(min=1, help="Trials of each server.")] = 5,
    limits: Annotated[bool, typer.Option(help="Search each server for N and C, too: that is most of the time.")] = True,
    options: CampaignOptions,
    where: Where,
    out: CampaignOut = Path("out/ablation"),
) -> None:
    """Measure what each lesson is worth: left out of the stage, and added alone to the baseline, repeats interleaved.

    The ratio of each figure has a 95 % interval and a judgement: better, worse, no change seen. What --out has already
    is kept, so the same command goes on after Ctrl-C, or with another --budget.

    The exit status is 0, 2 if it could not be made, and 130 if it was interrupted: ablation.json has what there is.
    """
    conditions = options.conditions(FULL_EFFORT, where)
    budget_s = options.budget_s()
    Load(n, c, interval)  # refuses what is none
    load_asked = FixedLoad(n, c, interval, EVENTS, RATE_PER_S)
    plan = outline(_subject(stage, lesson or ()), load_asked, repeats, with_limits=limits)
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
    print_sheets(ablation_sheets(load(errand.path, Ablation, ABLATION)), as_markdown=options.as_markdown)
    typer.echo(f"result: {errand.path}", err=options.as_markdown)


def _subject(stage: str, chosen: Sequence[str]) -> Subject:
    """Return the lessons to measure, in the stage's order. Raise AskedError for one that it does not have."""
    known = lessons_of(stage)
    if not known:
        raise AskedError(f"stage {stage} has no lessons: give a later one, such as --stage 2.5")
    for lesson in chosen:
        if lesson not in known:
            raise AskedError(f"stage {stage} has no lesson {lesson!r}; it has: {', '.join(known)}")
    return Subject(stage, known, tuple(lesson for lesson in known if lesson in chosen) if chosen else known)
