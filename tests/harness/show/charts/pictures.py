"""What tests of charts look at: texts that a reader sees, and whether a picture shows anything."""

import io

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from harness.show.charts.chart import DPI, Chart


def texts(figure: Figure) -> set[str]:
    """Return every text in a figure that is not empty."""
    figure.draw_without_rendering()
    return {found.get_text() for found in figure.findobj(Text) if isinstance(found, Text) and found.get_text()}


def is_drawn(chart: Chart) -> bool:
    """Whether the PNG is as large as its figure, or higher for captions, and has more on it than one colour."""
    pixels = imread(io.BytesIO(chart.png()))
    width, height = chart.figure.get_size_inches() * DPI
    return abs(pixels.shape[1] - width) <= 1 and pixels.shape[0] >= height and len(np.unique(pixels)) > 50


def fits(chart: Chart) -> bool:
    """Whether everything that is drawn, the last letter of the longest label too, lies within the figure."""
    chart.figure.draw_without_rendering()
    drawn, (width, height) = chart.figure.get_tightbbox(), chart.figure.get_size_inches()
    return bool(drawn.x0 > -0.02 and drawn.y0 > -0.02 and drawn.x1 < width + 0.02 and drawn.y1 < height + 0.02)
