"""`harness table`: stored results side by side, for people, as Markdown, and as CSV."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group

from common.terminal import harmless_lines
from harness.commands.options import AskedError
from harness.commands.printing import print_whole
from harness.records.kinds import load_records
from harness.show.all_kinds import drawn, markdown
from harness.show.csv_rows import as_csv, flatten


def table(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Results of any kind, or directories of them.")
    ],
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    as_comma_separated: Annotated[
        bool, typer.Option("--csv", help="Print CSV: plain numbers in the unit that ends a column's name.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write to, with --markdown or --csv, instead of the terminal."),
    ] = None,
) -> None:
    """Show stored results: trials in one table, a row each; results of other kinds in tables of their own.

    The fan-out of the last fan is its mean over the events.
    """
    if as_markdown and as_comma_separated:
        raise AskedError("give --markdown or --csv, not both")
    if out is not None and not (as_markdown or as_comma_separated):
        raise AskedError("--out goes with --markdown or --csv")
    named = [(path, name, record) for path in files for name, record in load_records(path)]
    records = [record for _, _, record in named]
    if as_markdown:
        _give(markdown(records), out)
    elif as_comma_separated:
        rows = [{"file": str(path), "name": name, **row} for path, name, record in named for row in flatten(record)]
        _give(as_csv(rows), out)
    else:
        print_whole(Group(*drawn(records)))


def _give(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(harmless_lines(text), nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AskedError(f"{out}: cannot be written ({error.strerror}): choose another --out") from error
