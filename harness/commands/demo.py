"""`harness demo`: the baseline and the last stage under the same waves, in one table and one picture."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from common.domain.script import SAMPLE, load_script
from harness.campaign.demo import BASELINE, LOAD, PATIENCE_S, SPEED, TUNED, mishaps
from harness.commands.printing import chart_or_reason, print_whole
from harness.load.match import script_match
from harness.load.workload import Load
from harness.records.directory import make_directory
from harness.records.files import file_stem, write
from harness.records.trial import TrialResult
from harness.show.demo import demo_sheet, what_stopped
from harness.show.progress import Bars, Silent
from harness.show.terminal import Terminal, say
from harness.targets.stage import StageTarget
from harness.targets.variant import Variant
from harness.trial.figures.slo import parse_slo
from harness.trial.plan import TrialPlan
from harness.trial.run import run_trial

if TYPE_CHECKING:
    from harness.trial.measure import Watcher

PICTURE: Final = "demo.png"


def demo(
    *,
    n: Annotated[int, typer.Option("-N", min=1, help="Connections to hold.")] = LOAD.n,
    c: Annotated[int, typer.Option("-C", min=1, help="Connections started at the same moment: a wave.")] = LOAD.c,
    speed: Annotated[float, typer.Option(min=0.001, help="Speed of the sample match, in times real time.")] = SPEED,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for both results and the picture.")] = Path("out"),
) -> None:
    """Show what all the tuning is worth: the baseline and the last stage under the same waves, a match played to both.

    A trial that is invalid, as the machine was too busy, is made once more. The exit status is 1 if the last stage did
    not serve everyone and lose nothing, or the baseline lost anyone or anything but those whom it cannot let in, as its
    accept queue is full or it has no open file left. No time is judged. It is 2 if a trial could not be made.
    """
    plan = TrialPlan(
        load=Load(n, c, LOAD.interval_s),
        slo=parse_slo("failures=0,lost=0"),
        match=script_match(load_script(SAMPLE), SAMPLE, speed),
        answer_timeout_s=PATIENCE_S,
    )
    make_directory(out)
    baseline, tuned = (_measured(plan, variant) for variant in (BASELINE, TUNED))
    results = (baseline, tuned)
    print_whole(demo_sheet(results).drawn())
    for result in results:
        say(what_stopped(result))
    _keep(results, out)
    wrong = mishaps(baseline, tuned)
    if wrong:
        say(f"FAILED: {'; '.join(wrong)}")
        raise typer.Exit(1)


def _measured(plan: TrialPlan, variant: Variant) -> TrialResult:
    """Make a trial, and another one if that is invalid: a short standstill of the machine rarely comes twice."""
    say(f"measuring {variant.name} …", err=True)
    result = _trial(plan, variant)
    if result.validity.valid:
        return result
    say(f"once more: {'; '.join(result.validity.reasons)}", err=True)
    return _trial(plan, variant)


def _trial(plan: TrialPlan, variant: Variant) -> TrialResult:
    console = Terminal(stderr=True)
    with ExitStack() as stack:
        watcher: Watcher = stack.enter_context(Bars(console)) if console.is_terminal else Silent()
        return run_trial(plan, StageTarget(variant), watcher)


def _keep(results: tuple[TrialResult, ...], out: Path) -> None:
    """Write them, in place of those of the last time, and draw them. Raise ResultError where they cannot be written."""
    for result in results:
        path = out / f"{file_stem(result.asked.target.name)}.json"
        write(path, result)
        say(f"result: {path}")
    with chart_or_reason():
        # Matplotlib takes half a second to import, which a command that only refuses its input should not cost.
        from harness.show.charts.arrivals import chart_arrivals  # noqa: PLC0415 -- see above

        chart_arrivals(results).write(out / PICTURE)
        say(f"picture: {out / PICTURE}")
