"""`harness table`: stored results side by side."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.measure import Measurement

from harness.overview import markdown, show_results
from harness.result import load_result


def table(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Results that `harness measure` stored.")],
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print it as Markdown.")] = False,
) -> None:
    """Show stored results in one table, a row each, in the order in which they are given.

    The fan-out of the last fan is its mean over the events.
    """
    results = [load_result(path) for path in files]
    if as_markdown:
        typer.echo(markdown(results), nl=False)
        return
    shown = show_results(results)
    console = Console(highlight=False)
    # A figure that is cut off is none: where the terminal is too narrow, it wraps the lines.
    needed = Measurement.get(console, console.options.update(max_width=10_000), shown).maximum
    console.width = max(console.width, needed)
    console.print(shown)
