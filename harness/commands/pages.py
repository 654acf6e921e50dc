"""`--report FILE.html`: what a command found, as a page."""

from pathlib import Path
from typing import Annotated

import typer

from harness.records.files import replace_file
from harness.show.summary_page import Paged, summary_page

ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Write a page, too: what was found, charts, tables, machine."),
]


def write_page(path: Path | None, record: Paged) -> None:
    """Write the page of a record where that was asked for. Raise HarnessError where it cannot be drawn or written."""
    if path is not None:
        replace_file(path, summary_page(record).encode(), "choose another --report")
