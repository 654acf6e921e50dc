"""Tables on a terminal, and in a file or a pipe, of which no figure is cut off; and what is said of a chart."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import RenderableType
from rich.measure import Measurement

from harness.records.files import ResultError
from harness.show.drawing import ChartError, drawing
from harness.show.terminal import Terminal, say


def print_whole(drawn: RenderableType, least: int = 0) -> None:
    """Print on standard output, `least` columns or more wide: a terminal that is too narrow wraps the lines."""
    console = Terminal()
    needed = Measurement.get(console, console.options.update(max_width=10_000), drawn).maximum
    console.width = max(console.width, needed, least)
    console.print(drawn)


@contextmanager
def chart_or_reason() -> Iterator[None]:
    """Have a chart drawn inside. Where that fails a line says why, and no more: its figures are told already."""
    try:
        with drawing():
            yield
    except (ChartError, ResultError) as error:
        say(f"harness: {error}", err=True)
