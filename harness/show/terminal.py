"""What is printed for people. Some of it is what a server said, or a file of others: it is shown, never carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.segment import Segment

from common.terminal import harmless_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType


class Terminal(Console):
    """A console that shows text harmlessly (`common.terminal`), whatever the table or line that it stands in.

    What looks like rich's markup is text as well, as in `[publish]` or `tcp://[fe80::1]:7000`.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return what is to be written, with nothing in the text that a terminal would not just show."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless_lines(segment.text), segment.style)


def say(text: str, *, err: bool = False) -> None:
    """Print lines on standard output, or on standard error."""
    typer.echo(harmless_lines(text), err=err)
