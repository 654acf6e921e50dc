"""`harness report`: the notebooks executed, and one HTML page of them."""

from pathlib import Path
from typing import Annotated

import typer

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
    parts = []
    for name in NOTEBOOKS:
        executed = execute(notebooks / f"{name}.py")
        store(executed, notebooks / f"{name}.ipynb")
        parts.append(Part(name, executed))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page(parts), encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{out}: cannot be written ({error.strerror}): choose another --out") from error
    typer.echo(f"report: {out}")
