"""`harness staircase`: every stage searched for its limits, and measured under the same loads."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.campaign.bench import FULL_EFFORT, QUICK_EFFORT, Efforts
from harness.campaign.plan import MeasuredServer
from harness.campaign.staircase import DEFAULT_NODES, STAGES, floor_server, outline, stage_server, staircase
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
from harness.records.campaign import STAIRCASE, Staircase
from harness.records.files import load
from harness.show.campaign import staircase_sheets
from harness.targets.lessons import lessons_of


@grouped
def staircase_command(  # noqa: PLR0913 -- each is an option of the command
    *,
    stage: Annotated[
        list[str] | None, typer.Option("--stage", help=f"A stage; repeatable. Default: {' '.join(STAGES)}.")
    ] = None,
    nodes: Annotated[
        int, typer.Option(min=1, help="Node processes of a stage that has nodes; workers of one that has those.")
    ] = DEFAULT_NODES,
    floor: Annotated[
        bool, typer.Option("--floor", help="Measure a server that does nothing else, too; it needs a C compiler.")
    ] = False,
    rounds: RoundsOption = ROUNDS,
    precision: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.9,
            help="How narrow a limit must be, relative to itself. "
            f"Default: {FULL_EFFORT.n.precision:g}, with --quick {QUICK_EFFORT.n.precision:g}.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A rough picture in five minutes: one light load, few limits.")
    ] = False,
    options: CampaignOptions,
    where: Where,
    out: CampaignOut = Path("out/staircase"),
) -> None:
    """Search every stage for N, C and burst C; measure all under the same loads, and each under the talk's.

    All of it is done in rounds, in a random order each time; C is searched for in the first three of them, N and
    the burst C in the first. What --out has already is kept, so the same command goes on after Ctrl-C, or with another
    --budget.

    The exit status is 0, 2 if it could not be made, and 130 if it was interrupted: staircase.json has what there is.
    """
    if quick and rounds != ROUNDS:
        raise AskedError("--quick measures everything once: leave --rounds out")
    conditions = options.conditions(_efforts(precision, quick=quick), where)
    budget_s = options.budget_s()
    servers = [_server(name, nodes) for name in stage or STAGES]
    if floor:
        servers.append(floor_server())
    plan = outline(servers, rounds, options.seed, quick=quick)
    errand = Errand(
        out=out,
        file="staircase.json",
        plan=plan.plan,
        conditions=conditions,
        summary=lambda findings, around, state: staircase(plan, findings, around, state),
        budget_s=budget_s,
        fresh=options.fresh,
    )
    run_errand(errand)
    found = load(errand.path, Staircase, STAIRCASE)
    print_sheets(staircase_sheets(found), as_markdown=options.as_markdown)
    typer.echo(f"result: {errand.path}", err=options.as_markdown)
    write_page(options.page, found)


def _server(stage: str, nodes: int) -> MeasuredServer:
    return stage_server(stage, lessons_of(stage), nodes)


def _efforts(precision: float | None, *, quick: bool) -> Efforts:
    efforts = QUICK_EFFORT if quick else FULL_EFFORT
    if precision is None:
        return efforts
    n, c = (replace(effort, precision=precision) for effort in (efforts.n, efforts.c))
    return replace(efforts, n=n, c=c)
