"""The chart of a load of HTTP requests: how long they took, on the axis of all percentile curves."""

from typing import Final

from harness.records.http import HttpResult
from harness.show.charts.chart import Chart, Margins, grid, made_on, page
from harness.show.charts.percentiles import percentile_axes
from harness.show.charts.style import LEGEND_IN, legend_beside, series_style
from harness.units import show_percentile

_INCHES: Final = (12.0, 6.0)


def chart_http(result: HttpResult) -> Chart:
    """Return the times of the requests that succeeded, from when they were due and, in an open load, from sending."""
    asked, seen = result.asked, result.seen
    first = "from sending" if asked.rate_per_s is None else "from when they were due"
    times = [(first, series_style(0), () if seen.response is None else (seen.response,))]
    if seen.service is not None:
        times.append(("from sending", series_style(1), (seen.service,)))
    title = f"{asked.target.name}: {asked.method} {asked.path}, n = {asked.requests:,}, c = {asked.concurrency:,}"
    with page(title, *_INCHES) as figure:
        axes = figure.add_subplot(grid(figure, 1, 1, Margins(right=LEGEND_IN, above=0.65))[0])
        percentile_axes(axes, times)
        if axes.lines:
            axes.set_xlabel("% of requests that took no longer")
            legend_beside(axes)
    return Chart(figure, http_finding(result), made_on(result.machine))


def http_finding(result: HttpResult) -> str:
    """Return in one sentence what the load showed."""
    asked, seen = result.asked, result.seen
    if not result.validity.valid:
        return f"INVALID, says nothing about the server: {result.validity.reasons[0]}."
    if seen.response is None:
        return f"None of {asked.requests:,} requests succeeded."
    load = "in a closed load, which hides pauses" if asked.rate_per_s is None else f"at {asked.rate_per_s:g} a second"
    return (
        f"{seen.succeeded:,} of {asked.requests:,} requests succeeded {load}: {seen.requests_per_s:,.0f} a second, "
        f"and 1 % of them took {show_percentile(seen.response.p99_s)} or more."
    )
