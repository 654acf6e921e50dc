"""`harness scenarios`: the loads under which an ablation measures lessons, and which lessons those are."""

from textwrap import TextWrapper
from typing import Final

import typer

from harness.campaign.scenarios import SCENARIOS, Scenario, lessons_in
from harness.commands.campaign_runs import MarkdownOption, print_sheets
from harness.show.campaign import TITLES, Sheet
from harness.show.disturbances import show_disturbances
from harness.units import show_load

_LINES: Final = TextWrapper(
    width=100, initial_indent=" " * 4, subsequent_indent=" " * 6, break_on_hyphens=False, break_long_words=False
)
"""How wide a line of the list is at most, and how it goes on."""


def scenarios(*, as_markdown: MarkdownOption = False) -> None:
    """Show the scenarios of `harness ablate`: what happens in each, which lessons it exercises, how they are judged.

    `harness measure` has options for all that happens in them; most of it can be done to any server.
    """
    if not as_markdown:
        for scenario in SCENARIOS.values():
            name, sentence, load, lessons, figures = _row(scenario)
            typer.echo(name)
            for text in (sentence, load, f"lessons: {lessons}", f"figures: {figures}"):
                typer.echo(_LINES.fill(text))
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
    long = " Only where it is asked for by name." if scenario.is_long else ""
    return (
        scenario.name,
        f"{scenario.sentence}{long}",
        f"{show_load(load)}, {load.events} events, {load.rate_per_s:g}/s{f'; {besides}' if besides else ''}",
        ", ".join(lessons_in(scenario.name)),
        ", ".join(TITLES[figure] for figure in scenario.figures),
    )
