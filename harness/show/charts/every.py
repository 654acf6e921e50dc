"""The charts of any stored record, each with the name of the file that it is to be written to."""

from collections.abc import Iterator, Sequence

from harness.records.campaign import Ablation, Comparison, Staircase
from harness.records.http import HttpResult
from harness.records.kinds import Record
from harness.records.search import SearchResult
from harness.records.trial import TrialResult
from harness.show.charts.ablation import chart_ablation, measured_figures
from harness.show.charts.chart import Chart
from harness.show.charts.comparison import chart_comparison
from harness.show.charts.fanout import chart_fanout
from harness.show.charts.floor import Floor, floors_in
from harness.show.charts.growth import chart_growth, has_growth
from harness.show.charts.http import chart_http
from harness.show.charts.peers import chart_memory, chart_peers, loads_measured
from harness.show.charts.percentiles import chart_percentiles
from harness.show.charts.search import chart_search
from harness.show.charts.staircase import chart_staircase
from harness.show.charts.timeline import chart_timeline
from harness.show.charts.trial import chart_trial

Named = tuple[str, Chart]


def charts(records: Sequence[tuple[str, Record]], floors: Sequence[Floor] = ()) -> Iterator[Named]:
    """Give the charts of records, of which each comes with its name, and then those of all trials together.

    The stages that an ablation is drawn beside are those of the first staircase, if there is one. The floor is drawn
    where `floors`, or the records themselves, have it under the same load.
    """
    staircase = next((record for _, record in records if isinstance(record, Staircase)), None)
    known = (*floors, *floors_in([record for _, record in records]))
    for name, record in records:
        yield from _of_one(name, record, staircase, known)
    yield from _together([record for _, record in records if isinstance(record, TrialResult)], known)


def _of_one(name: str, record: Record, staircase: Staircase | None, floors: Sequence[Floor]) -> Iterator[Named]:
    match record:
        case TrialResult():
            yield name, chart_trial(record, floors)
            if record.has_time_lines:
                yield f"{name}-over-time", chart_timeline(record)
        case Staircase():
            yield name, chart_staircase(record)
        case Ablation():
            for figure in measured_figures(record):
                yield f"{name}-{figure}", chart_ablation(record, staircase, figure)
        case Comparison():
            yield name, chart_comparison(record)
        case SearchResult():
            yield name, chart_search(record, floors)
        case HttpResult():
            yield name, chart_http(record)


def _together(trials: Sequence[TrialResult], floors: Sequence[Floor]) -> Iterator[Named]:
    if len(trials) < 2:
        return
    yield "all-percentiles", chart_percentiles(trials, floors)
    yield "all-fanout", chart_fanout(trials, floors)
    yield "all-memory", chart_memory(trials, floors)
    if has_growth(trials):
        yield "all-growth", chart_growth(trials)
    for load in loads_measured(trials):
        if len({trial.asked.target.name for trial in trials if trial.asked.load == load}) > 1:
            yield f"all-n{load.n}-c{load.c}", chart_peers(trials, load, floors)
