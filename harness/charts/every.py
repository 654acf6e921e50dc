"""The charts of any stored record, each with the name of the file that it is to be written to."""

from collections.abc import Iterator, Sequence

from harness.campaign.record import Ablation, Comparison, Staircase
from harness.charts.ablation import chart_ablation, measured_figures
from harness.charts.chart import Chart
from harness.charts.comparison import chart_comparison
from harness.charts.fanout import chart_fanout
from harness.charts.floor import Floor, floors_in
from harness.charts.http import chart_http
from harness.charts.peers import chart_memory, chart_peers, loads_measured
from harness.charts.percentiles import chart_percentiles
from harness.charts.search import chart_search
from harness.charts.staircase import chart_staircase
from harness.charts.timeline import chart_timeline
from harness.charts.trial import chart_trial
from harness.http_result import HttpResult
from harness.records import Record
from harness.result import TrialResult
from harness.search.record import SearchResult

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
            yield f"{name}-over-time", chart_timeline(record)
        case Staircase():
            yield name, chart_staircase(record)
        case Ablation():
            for figure in measured_figures(record):
                yield f"{name}-{figure}", chart_ablation(record, staircase, figure, floors)
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
    for load in loads_measured(trials):
        if len({trial.asked.target.name for trial in trials if trial.asked.load == load}) > 1:
            yield f"all-n{load.n}-c{load.c}", chart_peers(trials, load, floors)
