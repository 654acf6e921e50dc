import io
from pathlib import Path

import pytest
from matplotlib.image import imread

from harness.records.files import ResultError
from harness.show.charts.chart import DPI, Chart, grid, page
from harness.show.charts.style import series_style


def a_chart(finding: str = "It was seen.", source: str = "here") -> Chart:
    with page("A title", 6, 3) as figure:
        figure.add_subplot(grid(figure, 1, 1)[0]).plot([1, 2], [3, 4])
    return Chart(figure, finding, source)


def height_of(png: bytes) -> int:
    return int(imread(io.BytesIO(png)).shape[0])


def test_captions_stand_below_the_figure_and_are_not_left_in_it() -> None:
    chart = a_chart()
    bare = chart.png(captioned=False)
    assert height_of(bare) == 3 * DPI
    captioned = chart.png()
    assert height_of(captioned) > 3 * DPI
    assert chart.png(captioned=False) == bare
    assert chart.png() == captioned


def test_a_long_finding_takes_more_lines() -> None:
    assert height_of(a_chart("long " * 100).png()) > height_of(a_chart().png())
    assert height_of(a_chart(source="").png()) < height_of(a_chart().png())


def test_a_chart_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    a_chart().write(tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ResultError, match="choose another --out"):
        a_chart().write(tmp_path / "no" / "chart.png")


def test_looks_differ_until_they_are_used_up() -> None:
    looks = [series_style(index) for index in range(49)]
    assert len({(one.colour, one.marker) for one in looks}) == 49
    assert len({one.colour for one in looks[:7]}) == len({one.marker for one in looks[:7]}) == 7
