"""`harness scenarios`: the loads under which an ablation measures lessons, and which lessons those are."""

import textwrap
from typing import Final

import typer

from harness.campaign.scenarios import SCENARIOS, Scenario, lessons_in
from harness.commands.campaign_runs import MarkdownOption, print_sheets
from harness.show.campaign import TITLES, Sheet
from harness.show.disturbances import show_disturbances
from harness.units import show_load

_COLUMNS: Final = 100
"""How long a line is at most."""

_INDENT: Final = "    "


def scenarios(*, as_markdown: MarkdownOption = False) -> None:
    """Show the scenarios of `harness ablate`: what happens in each, which lessons it exercises, how they are judged.

    What happens in them are options of `harness measure`, so it can be done to any server.
    """
    if not as_markdown:
        for scenario in SCENARIOS.values():
            name, sentence, load, lessons, figures = _row(scenario)
            typer.echo(name)
            for text in (sentence, load, f"lessons: {lessons}", f"figures: {figures}"):
                typer.echo(textwrap.fill(text, _COLUMNS, initial_indent=_INDENT, subsequent_indent=_INDENT + "  ", break_on_hyphens=False))
            typer.echo()
        return
    sheet = Sheet(
        "Scenarios",
        ("scenario", "what happens", "load", "lessons", "figures"),
        tuple(_row(scenario) for scenario in SCENARIOS.values()),
    )
    print_sheets((sheet,), as_markdown=True)


def _row(scenario: Scenario) -> tuple[str, ...]:
    load = scenario.load
    besides = show_disturbances(load.disturbances)
    return (
        scenario.name,
        scenario.sentence,
        f"{show_load(load)}, {load.events} events, {load.rate_per_s:g}/s{f'; {besides}' if besides else ''}",
        ", ".join(lessons_in(scenario.name)),
        ", ".join(TITLES[figure] for figure in scenario.figures),
    )
