"""A chart on its way to a file or a notebook: the figure, and the sentence that says what it shows."""

import io
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.transforms import Bbox
from PIL import Image

from harness.records.files import replace_file
from harness.records.machine import Machine
from harness.show.charts.style import GREY, STYLE

DPI = 120
NOTEBOOK_DPI = 90
"""Of a chart in a notebook, which is kept in git: as wide as a page of the report, and no more."""

_COLOURS = 128
"""Of a PNG: a chart has few, and shades of them, so that a palette makes its file a third as large."""

_SIDE_IN = 0.25
_LINE_IN = 0.2
_CHARACTERS_AN_INCH = 12.8
"""Of the finding's 11 points, of which some lines are all capitals or all i."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, the finding of its data in one sentence, and (in grey) where the data are from."""

    figure: Figure
    finding: str
    source: str = ""

    def png(self, *, captioned: bool = True, dpi: int = DPI) -> bytes:
        """Return it as a PNG; `captioned` puts finding and source under it, else whoever shows it must say them."""
        buffer = io.BytesIO()
        with mpl.rc_context(dict(STYLE)), self._captioned() if captioned else nullcontext(0.0) as extra_in:
            width, height = self.figure.get_size_inches()
            shown = Bbox([[0, -extra_in], [width, height]])
            self.figure.savefig(buffer, dpi=dpi, format="png", bbox_inches=shown, pad_inches=0)
        return _with_palette(buffer)

    def write(self, path: Path) -> None:
        """Write it as a PNG, captioned. Raise ResultError where nothing can be written."""
        replace_file(path, self.png())

    @contextmanager
    def _captioned(self) -> Iterator[float]:
        """Have the captions stand below the figure's lower edge, and give the inches that they take."""
        width, height = self.figure.get_size_inches()
        lines = textwrap.wrap(self.finding, int((width - 2 * _SIDE_IN) * _CHARACTERS_AN_INCH))
        source_in = 0.16 + _LINE_IN * len(lines)
        left, finding = _SIDE_IN / width, "\n".join(lines)
        texts = (
            self.figure.text(left, -0.08 / height, finding, fontsize=11, va="top", linespacing=1.25),
            self.figure.text(left, -source_in / height, self.source, fontsize=8, color=GREY, va="top"),
        )
        yield source_in + (_LINE_IN if self.source else 0.0)
        for text in texts:
            text.remove()


def _with_palette(picture: io.BytesIO) -> bytes:
    """Return a PNG with as many colours as a chart needs."""
    smaller = io.BytesIO()
    with Image.open(picture) as image:
        # Of the methods that Pillow has, this one keeps the colour of a few thin lines as it is.
        few = image.convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(smaller, "png", optimize=True)
    return smaller.getvalue()


@contextmanager
def page(title: str, width_in: float, height_in: float) -> Iterator[Figure]:
    """Give an empty figure with a title; what is drawn inside has the style of all charts."""
    with mpl.rc_context(dict(STYLE)):
        figure = Figure(figsize=(width_in, height_in))
        FigureCanvasAgg(figure)
        size = 15 if len(title) < width_in * 8.5 else 10
        figure.text(_SIDE_IN / width_in, 1 - 0.3 / height_in, title, fontsize=size, fontweight="bold", va="center")
        yield figure


@dataclass(frozen=True, slots=True)
class Margins:
    """Inches of a page that are kept free of axes; what is above is counted from the page's upper edge."""

    left: float = 0.9
    right: float = _SIDE_IN
    above: float = 0.9
    below: float = 0.6


def grid(figure: Figure, rows: int, columns: int, margins: Margins = Margins(), **shape: Any) -> GridSpec:
    """Divide a page within its margins; `shape` is what matplotlib's GridSpec takes besides."""
    width, height = figure.get_size_inches()
    return figure.add_gridspec(
        rows,
        columns,
        left=margins.left / width,
        right=1 - margins.right / width,
        top=1 - margins.above / height,
        bottom=margins.below / height,
        **shape,
    )


def names_in(names: Iterable[str]) -> float:
    """Return the inches that the longest of some names takes beside an axis."""
    return 0.4 + 0.085 * max(map(len, names), default=10)


def made_on(machine: Machine) -> str:
    """Return on what machine the data were measured, in a line."""
    return f"{machine.cores} cores, {machine.cpu_model}, {machine.kernel}, {machine.python}"
