"""Files that a command writes besides its result: tried before anything is measured, and written when all is told."""

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.records.files import replace_file, try_file
from harness.show.summary_page import Paged, summary_page


def extra_file(option: str, metavar: str, what: str) -> Any:
    """Return an option that names such a file. Where it cannot be written, the command ends before it begins."""

    def tried(path: Path | None) -> Path | None:
        if path is not None:
            try_file(path, f"choose another {option}")
        return path

    return typer.Option(option, metavar=metavar, help=what, callback=tried)


ReportOption = Annotated[
    Path | None,
    extra_file("--report", "FILE.html", "Write a page, too: what was found, charts, tables, machine."),
]


def write_page(path: Path | None, record: Paged) -> None:
    """Write the page of a record where that was asked for. Raise HarnessError where it cannot be drawn or written."""
    if path is not None:
        replace_file(path, summary_page(record).encode(), "choose another --report")
