"""`harness compare`: what changed from one result to another."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.campaign.comparing import ComparisonError, Side, compare
from harness.commands.campaign_runs import MarkdownOption, print_sheets
from harness.commands.pages import ReportOption, write_page
from harness.records.campaign import Comparison, Judgement
from harness.records.files import encode
from harness.records.http import HttpResult
from harness.records.kinds import load_record, load_records
from harness.records.trial import TrialResult
from harness.show.campaign import comparison_sheet
from harness.show.terminal import say

_UNJUDGED: frozenset[Judgement] = frozenset({"too few runs", "not measured", "fails", "reference fails", "both fail"})
"""If nothing is said but these, there were too few runs: of enough the fans who were served are always judged."""

_RESULT = "A result, or a directory of repeats of one trial."


def compare_command(  # noqa: PLR0913, PLR0917 -- each is an option of the command
    a: Annotated[Path, typer.Argument(metavar="A", help=_RESULT)],
    b: Annotated[Path, typer.Argument(metavar="B", help=_RESULT)],
    fail_on: Annotated[
        Literal["worse"] | None,
        typer.Option(
            "--fail-on",
            help="Exit with 1 if any figure of B is worse or fails, with 2 if there are too few runs to judge any.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON, and no table.")] = False,
    as_markdown: MarkdownOption = False,
    page: ReportOption = None,
) -> None:
    """Compare two results of the same kind, B over A: ratios with 95 % intervals; better, worse, or no change seen.

    A p99 fails where so many fans were not answered that it is infinite. Both are trials, searches, staircases or
    ablations. What speaks against comparing them is a warning.

    A judgement needs three runs on each side: one run each is "too few runs", whatever its ratio.

    The exit status is 0, 1 with --fail-on worse if any figure is worse or fails, and 2 if they cannot be compared, or
    with --fail-on if there are too few runs to judge any figure.
    """
    found = compare(_side(a), _side(b))
    if as_json:
        sys.stdout.write(encode(found).decode())
    else:
        for warning in found.warnings:
            say(f"warning: {warning}", err=True)
        print_sheets((comparison_sheet(found),), as_markdown=as_markdown)
    write_page(page, found)
    if fail_on is None:
        return
    judgements = {ratio.judgement for ratio in found.ratios}
    if judgements <= _UNJUDGED:
        raise ComparisonError("too few runs to tell whether B is worse: give directories of three repeats or more")
    if judgements & {fail_on, "fails"}:
        raise typer.Exit(1)


def _side(path: Path) -> Side:
    if path.is_dir():
        trials = tuple(record for _, record in load_records(path) if isinstance(record, TrialResult))
        if not trials:
            raise ComparisonError(f"{path}: has no trial results: give a directory that harness measure wrote to")
        return Side(str(path), trials)
    record = load_record(path)
    if isinstance(record, Comparison):
        raise ComparisonError(f"{path}: is a comparison already: give the results that it compares")
    if isinstance(record, HttpResult):
        raise ComparisonError(f"{path}: loads of HTTP requests are not compared: give results of trials or campaigns")
    return Side(str(path), (record,) if isinstance(record, TrialResult) else record)
