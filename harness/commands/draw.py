"""`harness draw`: charts of stored records."""

from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import AskedError
from harness.records import load_record


def draw(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Results of any kind.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the charts go.")] = Path("out"),
) -> None:
    """Draw stored results as PNG files: trials, searches, staircases, ablations and comparisons.

    A chart has the name of its result. Several trials are drawn together, too.
    """
    # Matplotlib takes half a second to import, which a command that only refuses its input should not cost.
    records = [(path.stem, load_record(path)) for path in files]
    from harness.charts.every import charts  # noqa: PLC0415 -- see above

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AskedError(f"{out}: cannot be made a directory ({error.strerror}): choose another --out") from error
    written: set[str] = set()
    for name, chart in charts(records):
        if name in written:
            raise AskedError(f"two charts would be called {name}.png: draw results of one name into different --out")
        written.add(name)
        chart.write(out / f"{name}.png")
        typer.echo(f"chart: {out / name}.png\n  {chart.finding}")
