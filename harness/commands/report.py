"""`harness report`: the notebooks executed, and one HTML page of them."""

from pathlib import Path
from typing import Annotated

import typer

from harness.records.directory import make_directory
from harness.records.files import replace_file
from harness.show.report.errors import ReportError

NOTEBOOKS = ("staircase", "lessons", "microscope", "peers")
"""In the order of the page."""


def report(
    notebooks: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the notebooks' scripts are; results are in DIR/results.")
    ] = Path("reports"),
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page to write.")] = Path("out/report.html"),
) -> None:
    """Execute the notebooks of DIR, write each beside its script, and put all of them into one page of HTML.

    They read stored results and measure nothing. Where a result is missing, they say which command makes it.
    """
    try:
        # What this needs comes with an extra of the package, and takes seconds to import.
        from harness.show.report.execute import execute, store  # noqa: PLC0415 -- see above
        from harness.show.report.page import Part, page  # noqa: PLC0415 -- see above
    except ModuleNotFoundError as error:
        raise ReportError(f"a report needs {error.name}: pip install 'matchstream-lab[report]'") from error
    make_directory(out.parent)
    parts = []
    for name in NOTEBOOKS:
        executed = execute(notebooks / f"{name}.py")
        store(executed, notebooks / f"{name}.ipynb")
        parts.append(Part(name, executed))
    replace_file(out, page(parts).encode())
    typer.echo(f"report: {out}")
