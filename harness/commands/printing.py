"""Tables on a terminal, and in a file or a pipe, of which no figure is cut off."""

from rich.console import RenderableType
from rich.measure import Measurement

from harness.show.terminal import Terminal


def print_whole(drawn: RenderableType, least: int = 0) -> None:
    """Print on standard output, `least` columns or more wide: a terminal that is too narrow wraps the lines."""
    console = Terminal(highlight=False)
    needed = Measurement.get(console, console.options.update(max_width=10_000), drawn).maximum
    console.width = max(console.width, needed, least)
    console.print(drawn)
