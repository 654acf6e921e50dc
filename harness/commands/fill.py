"""`harness fill`: the figures in a page, such as the README, taken from stored results."""

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import AskedError
from harness.records.files import replace_file
from harness.show.page_figures import filled


def fill(
    page: Annotated[Path, typer.Argument(metavar="PAGE", help="A page in Markdown with marked figures.")],
    results: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory with the results that the page names.")
    ] = Path("reports/results"),
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit with 1 if a figure differs.")] = False,
) -> None:
    """Fill in the figures of a page from stored results.

    The exit status is 0, 1 with --check if the page says something else than the results, and 2 if a figure is in none.
    """
    try:
        before = page.read_text(encoding="utf-8")
    except OSError as error:
        raise AskedError(f"{page}: cannot be read ({error.strerror}): give another page") from error
    after = filled(before, results)
    if not check:
        replace_file(page.resolve(), after.encode(), "give another page")
    if check and after != before:
        typer.echo(f"{page}: has figures that are not those of {results}: harness fill {page}", err=True)
        raise typer.Exit(1)
