"""What the commands that run a campaign have in common: their options, and how one is run from beginning to end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from common.durations import parse_duration, show_duration
from common.terminal import harmless_lines
from harness.campaign.bench import CampaignCircumstances, Conditions, Efforts, TrialBench
from harness.campaign.findings import Findings
from harness.campaign.journal import Journal
from harness.campaign.plan import Planned, PlannedSearch, estimated_s
from harness.campaign.quiet import PATIENCE_S
from harness.campaign.run import Campaign, CampaignTerms
from harness.campaign.staircase import SLO
from harness.commands.options import SloOption, Where
from harness.commands.pages import ReportOption
from harness.commands.printing import print_whole
from harness.records.directory import ResultsDirectory, make_directory
from harness.records.machine import describe_machine
from harness.records.search import State
from harness.show.campaign import Sheet
from harness.show.campaign_progress import show_of
from harness.show.terminal import Terminal
from harness.trial.figures.slo import parse_slo

MarkdownOption = Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")]
ROUNDS = 5
RoundsOption = Annotated[
    int, typer.Option("--rounds", min=1, help="How many times everything is measured, in a random order each time.")
]
CampaignOut = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Directory for the results; what it has is not measured again.")
]


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """The options that all campaigns have, besides where they measure and where the results go."""

    slo: SloOption = SLO
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="TIME", help="Longest time to measure, such as 40m.")
    ] = None
    patience: Annotated[
        str,
        typer.Option("--patience", metavar="TIME", help="Longest wait before each trial until the machine is at rest."),
    ] = f"{PATIENCE_S:g}s"
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove what --out has, and measure everything anew.")] = False
    seed: Annotated[int, typer.Option("--seed", min=0, help="What the random order of each round is drawn from.")] = (
        2012
    )
    as_markdown: MarkdownOption = False
    page: ReportOption = None

    def budget_s(self) -> float | None:
        """Return for how long to measure, in seconds. Raise DurationError."""
        return None if self.budget is None else parse_duration(self.budget)

    def conditions(self, efforts: Efforts, where: Where) -> Conditions:
        """Return what the trials have in common. Raise SloError, DurationError, PlacementError."""
        return Conditions(parse_slo(self.slo), efforts, where.placement(), parse_duration(self.patience))


@dataclass(frozen=True, slots=True)
class Errand:
    """A campaign as a command asks for it.

    `summary` makes the record that is kept in `file`, of what was found until then. `tolerates`: see CampaignTerms.
    """

    out: Path
    file: str
    plan: Sequence[Planned]
    conditions: Conditions
    summary: Callable[[Findings, CampaignCircumstances, State], msgspec.Struct]
    budget_s: float | None
    fresh: bool
    tolerates: frozenset[str] = frozenset()

    @property
    def path(self) -> Path:
        """Where the summary is."""
        return self.out / self.file


def run_errand(errand: Errand) -> State:
    """Run the campaign, and return how it ended. Raise HarnessError, KeyboardInterrupt: what was measured is kept."""
    make_directory(errand.out)  # before --fresh removes anything
    around = CampaignCircumstances(errand.conditions, describe_machine(), datetime.now(UTC))
    directory = ResultsDirectory(errand.out, around.machine, fresh=errand.fresh)
    if errand.fresh:
        errand.path.unlink(missing_ok=True)
    journal = Journal(directory)
    findings = Findings()
    with show_of(Terminal(stderr=True)) as shown:
        shown.say(_outlined(errand.plan))
        bench = TrialBench(journal, errand.conditions, shown)
        campaign = Campaign(
            errand.plan,
            bench,
            findings,
            lambda state: journal.keep_summary(errand.file, errand.summary(findings, around, state)),
            shown,
            CampaignTerms(errand.budget_s, errand.tolerates),
        )
        try:
            state = campaign.run()
        except KeyboardInterrupt:
            shown.say(f"{errand.path}: has what was measured so far; the same command goes on from there")
            raise
        if state == "out of budget":
            shown.say(f"the time is up: {errand.path} has what was measured; the same command goes on from there")
    return state


def _outlined(plan: Sequence[Planned]) -> str:
    searches = sum(isinstance(planned, PlannedSearch) for planned in plan)
    rest = f" and {searches} searches" if searches else ""
    return f"{len(plan) - searches} trials{rest}, some {show_duration(estimated_s(plan))} if none is there already"


def print_sheets(sheets: Sequence[Sheet], *, as_markdown: bool) -> None:
    """Print tables on standard output, each with an empty line after it."""
    if as_markdown:
        typer.echo(harmless_lines("\n".join(sheet.markdown() for sheet in sheets)), nl=False)
        return
    for sheet in sheets:
        print_whole(sheet.drawn(), len(sheet.title))
        typer.echo()
