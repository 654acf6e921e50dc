"""`harness draw`: charts of stored records."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from harness.commands.options import AskedError
from harness.records.directory import make_directory
from harness.records.kinds import Record, load_records
from harness.records.search import SearchResult
from harness.show.charts.floor import Floor, belongs, floors_in
from harness.show.drawing import drawing
from harness.show.terminal import say


def draw(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Results of any kind, or directories of them.")
    ],
    floor: Annotated[
        list[Path] | None,
        typer.Option("--floor", metavar="FILE", help="A trial or a search of the peer floor, to draw too; repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the charts.")] = Path("out"),
) -> None:
    """Draw stored results of any kind as PNG files.

    A chart has the name of its result. Several trials are drawn together, too. The floor, a server that does nothing
    else, is drawn where it was measured under the load of a result, or searched for the same; a staircase has its own.
    """
    records = [named for path in files for named in load_records(path)]
    floors = [_floor(path, [record for _, record in records]) for path in floor or ()]
    make_directory(out)
    written: set[str] = set()
    with drawing():
        # Matplotlib takes half a second to import, which a command that only refuses its input should not cost.
        from harness.show.charts.every import charts  # noqa: PLC0415 -- see above

        for name, chart in charts(records, floors):
            if name in written:
                raise AskedError(f"two charts would be called {name}.png: draw results of one name to different --out")
            written.add(name)
            chart.write(out / f"{name}.png")
            say(f"chart: {out / name}.png\n  {chart.finding}")


def _floor(path: Path, records: Sequence[Record]) -> Floor:
    """Return the floor's result in a file. Raise AskedError if it is none, or can be drawn with none of the records."""
    found = floors_in([record for _, record in load_records(path)])
    if not found:
        raise AskedError(f"{path}: is no valid trial and no search of the floor: make one with measure --peer floor")
    if not any(belongs(found[0], record) for record in records):
        raise AskedError(f"{path}: the floor was measured {_asked(found[0])}, and none of the results was")
    return found[0]


def _asked(floor: Floor) -> str:
    if isinstance(floor, SearchResult):
        return f"in a search for {floor.asked.dimension} under {floor.asked.slo}"
    load = floor.asked.load
    return f"at N = {load.n:,}, C = {load.c:,} every {load.interval_s:g} s"
