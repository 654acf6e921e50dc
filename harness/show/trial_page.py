"""A trial as one HTML file that needs nothing else: the verdict, the table, charts to look into, and the machine.

Its charts are plotly's, whose program is in the file: four megabytes. They have no background, so that the page may be
light or dark, as its reader has it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from harness.errors import HarnessError
from harness.records.asked import AskedLoad
from harness.records.distribution import Distribution, curve
from harness.records.trial import TrialResult
from harness.show.html_parts import measured_on, named_rows, whole_page
from harness.show.trial import rows_of, verdict_of
from harness.units import show_time

SYN_RETRIES_S: Final = (1.0, 3.0, 7.0)
"""When a connection attempt is made again that found no room (RFC 6298): who waited so long was turned away before."""

_NINES: Final = (0.5, 0.9, 0.99, 0.999, 0.9999)
_BLUE: Final = "#0072B2"
_ORANGE: Final = "#D55E00"
_GREEN: Final = "#009E73"
_GREY: Final = "#888888"


class NoChartsError(HarnessError):
    """The library that draws charts in pages is not installed."""


def check_charts() -> None:
    """Make sure that a page can have charts. Raise NoChartsError."""
    if find_spec("plotly") is None:
        raise NoChartsError("a page needs plotly: pip install 'matchstream-lab[report]'")


def trial_page(result: TrialResult) -> str:
    """Return the page. Raise NoChartsError."""
    check_charts()
    # It takes a second to import, and only who wants a page has it.
    from plotly import offline  # noqa: PLC0415 -- see above

    title = page_title(result.asked.target.name, result.asked.load)
    parts = [_verdict(result), "<h2>Figures</h2>", named_rows(rows_of(result))]
    parts += (f"<h2>{escape(heading)}</h2>\n{chart}" for heading, chart in _charts(result))
    parts += ("<h2>Measured on</h2>", measured_on(result.machine, result.harness, result.started_at))
    return whole_page(title, parts, f"<script>{offline.get_plotlyjs()}</script>")


def page_title(name: str, load: AskedLoad) -> str:
    """Return what a trial of a server of that name is called in pages."""
    return f"{name}: N = {load.n:,}, C = {load.c:,} every {show_time(load.interval_s)}"


def _verdict(result: TrialResult) -> str:
    kind = "invalid" if not result.validity.valid else "passed" if result.verdict.met else "failed"
    why = "".join(f"<br>{escape(reason)}" for reason in result.validity.reasons)
    bound = f"{result.bound.name}: {result.bound.evidence}"
    words = f"<strong>{escape(verdict_of(result))}</strong>{why}<br>What bound first: {escape(bound)}"
    return f'<p class="verdict {kind}">{words}</p>'


def _charts(result: TrialResult) -> Iterator[tuple[str, str]]:
    delivery = None if result.seen.delivery is None else result.seen.delivery.fanout
    back = None if result.seen.reconnects is None else result.seen.reconnects.back
    times = {"response": result.seen.response.intended, "event to a fan": delivery, "from a cut until back": back}
    known = {name: each for name, each in times.items() if each is not None}
    if known:
        yield "How long they waited: all, the slowest tenth, the slowest hundredth …", _percentiles(known)
    if result.has_time_lines:
        yield "Connections", _connections(result)
        yield "The slowest answer of each moment", _slowest(result)
    if result.server is not None and result.server.trace.at_s:
        yield "CPU of the server, in cores", _cpu(result)


def _percentiles(known: Mapping[str, Distribution]) -> str:
    colours = dict(zip(known, (_BLUE, _ORANGE, _GREEN), strict=False))
    lines = []
    for name, times in known.items():
        value_s, share = curve(times)
        fewer = 1 / np.maximum(1 - share, 0.5 / times.asked)
        lines.append(_line(name, (fewer, value_s * 1e3), colours[name], shape="hv"))
    ticks = [1 / (1 - nine) for nine in _NINES]
    return _figure(
        lines,
        x={"type": "log", "tickvals": ticks, "ticktext": [f"p{100 * nine:g}" for nine in _NINES]},
        y={"type": "log", "title": "ms"},
        marks_ms=[second * 1e3 for second in SYN_RETRIES_S],
    )


def _connections(result: TrialResult) -> str:
    timeline = result.seen.timeline
    return _figure(
        [
            _line("connected", (timeline.at_s, timeline.connected), _BLUE),
            _line("answered", (timeline.at_s, timeline.answered), _GREEN),
        ],
        x={"title": "s"},
        y={"title": "fans", "rangemode": "tozero"},
    )


def _slowest(result: TrialResult) -> str:
    timeline = result.seen.timeline
    slowest_ms = [None if value is None else value * 1e3 for value in timeline.slowest_s]
    return _figure(
        [_line("slowest", (timeline.at_s, slowest_ms), _BLUE, mode="markers")],
        x={"title": "s"},
        y={"type": "log", "title": "ms"},
        marks_ms=[second * 1e3 for second in SYN_RETRIES_S],
    )


def _cpu(result: TrialResult) -> str:
    assert result.server is not None  # noqa: S101 -- see _charts; this tells the type checker
    trace = result.server.trace
    return _figure([_line("CPU", (trace.at_s, trace.cpu_share), _ORANGE)], x={"title": "s"}, y={"rangemode": "tozero"})


def _line(name: str, points: tuple[Any, Any], colour: str, *, mode: str = "lines", shape: str = "linear") -> Any:
    from plotly import graph_objects  # noqa: PLC0415 -- see trial_page

    x, y = map(list, points)
    line, marker = {"color": colour, "shape": shape}, {"color": colour}
    return graph_objects.Scatter(x=x, y=y, name=name, mode=mode, line=line, marker=marker)


def _figure(lines: Sequence[Any], *, x: Mapping[str, Any], y: Mapping[str, Any], marks_ms: Sequence[float] = ()) -> str:
    """Return a chart as a part of a page; `marks_ms`, where SYNs are sent again, are drawn where it comes near them."""
    from plotly import graph_objects, io  # noqa: PLC0415 -- see trial_page

    grid = {"gridcolor": "rgba(128,128,128,.25)", "zerolinecolor": "rgba(128,128,128,.4)"}
    figure = graph_objects.Figure(lines)
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _GREY},
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        height=340,
        legend={"orientation": "h", "y": 1.12},
        xaxis={**grid, **x},
        yaxis={**grid, **y},
    )
    longest_ms = max((value for line in lines for value in line.y if value is not None), default=0)
    for mark_ms in marks_ms if longest_ms > 1e3 * SYN_RETRIES_S[0] / 2 else ():
        figure.add_hline(y=mark_ms, line={"color": _GREY, "dash": "dot", "width": 1})
        figure.add_annotation(
            text=f"SYN again: {mark_ms / 1e3:g} s",
            x=1,
            xref="paper",
            xanchor="right",
            y=math.log10(mark_ms),  # on such an axis it is the exponent that counts
            yanchor="bottom",
            showarrow=False,
        )
    html: str = io.to_html(
        figure, full_html=False, include_plotlyjs=False, config={"responsive": True, "displayModeBar": False}
    )
    return html
