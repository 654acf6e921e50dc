import pytest
from msgspec.structs import replace
from rich.console import Console

from common.http.statistics import WorkerStatistics
from harness.show.live.workers import MOST_ROWS, show_workers
from harness.targets.poller import Look, Polled
from tests.common.http.samples import WORKER as ONE
from tests.common.http.samples import statistics


def look(before: list[WorkerStatistics], now: list[WorkerStatistics], node: str = "host:8888") -> Look:
    first = Look("url").next(Polled(1.0, statistics(node=node, workers=tuple(before))))
    return first.next(Polled(3.0, statistics(node=node, uptime_s=62.0, workers=tuple(now))))


def lines(*looks: Look, width: int = 80) -> list[list[str]]:
    table = show_workers(looks)
    assert table is not None
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    shown = captured.get().splitlines()
    assert max(map(len, shown)) <= width
    return [line.split() for line in shown]


def test_a_node_without_workers_has_no_table() -> None:
    assert show_workers([Look("url"), look([], [])]) is None


def test_rates_are_those_between_two_looks_at_the_same_process() -> None:
    later = replace(ONE, accepted=26, deliveries=410, cpu_s=1.5)
    assert lines(look([ONE], [later]))[1] == ["0", "1", "5", "10", "200", "2", "2.00", "ms", "50%", "8.58", "MiB"]
    restarted = replace(later, pid=ONE.pid + 1)
    assert lines(look([ONE], [restarted]))[1][3:5] == ["-", "-"]


def test_who_does_not_answer_comes_first_and_then_who_is_late() -> None:
    idle, late = replace(ONE, number=1, loop_lag_s=None), replace(ONE, number=2, loop_lag_s=0.5)
    hung = replace(ONE, number=3, answers=False)
    rows = lines(look([], [ONE, idle, late, hung]))
    assert rows[1][:2] == ["3", "away"]
    assert [row[0] for row in rows[2:]] == ["2", "0", "1"]


def test_many_are_cut_short_and_counted() -> None:
    rows = lines(look([], [replace(ONE, number=number) for number in range(MOST_ROWS + 52)]))
    assert rows[-1][:2] == ["53", "more"]
    assert len(rows) == 1 + MOST_ROWS


@pytest.mark.parametrize("width", [80, 120])
def test_workers_of_several_nodes_are_told_apart(width: int) -> None:
    rows = lines(look([], [ONE], "a:1"), look([], [ONE], "b:2"), width=width)
    assert [row[:2] for row in rows[1:]] == [["a:1", "0"], ["b:2", "0"]]
