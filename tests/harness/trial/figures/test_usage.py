from array import array

import numpy as np
import pytest

from harness.trial.figures.usage import TRACE_STEPS, busiest_wave, cpu_shares, host_seen, peak_share, server_seen
from harness.trial.observer import Observation, ProcessColumns

AT = np.arange(-2, 41, dtype=np.float64) / 10  # -0.2 s to 4.0 s


def process(
    pid: int, cpu_s: list[float], *, first: int = 0, rss: int = 1000, files: int = 10, limit: int = 0
) -> ProcessColumns:
    ticks = range(first, first + len(cpu_s))
    count = len(cpu_s)
    return ProcessColumns(
        pid,
        f"p{pid}",
        limit,
        array("q", ticks),
        array("d", cpu_s),
        array("q", [rss + 10 * tick for tick in ticks]),
        array("q", [files] * count),
        array("q", [3] * count),
    )


def observed(*processes: ProcessColumns) -> Observation:
    return Observation(AT, np.arange(AT.size, dtype=np.float64) * 0.15, np.arange(AT.size, 0, -1) * 100, processes)


def busy_between(begin_s: float, end_s: float, share: float) -> list[float]:
    return [7.0 + share * (min(max(at, begin_s), end_s) - begin_s) for at in AT]


def test_a_peak_is_the_mean_of_half_a_second() -> None:
    assert peak_share(AT, np.array(busy_between(1.0, 1.5, 1.0))) == pytest.approx(1.0)
    assert peak_share(AT, np.array(busy_between(1.0, 1.1, 1.0))) == pytest.approx(0.2)
    assert peak_share(AT, np.array(busy_between(0.0, 4.0, 0.4))) == pytest.approx(0.4)


def test_the_peak_of_a_short_series_is_its_mean() -> None:
    assert peak_share(AT[:3], np.array([0.0, 0.1, 0.1])) == pytest.approx(0.5)
    assert peak_share(AT[:1], np.array([3.0])) == 0.0


def test_the_busiest_process_between_two_moments() -> None:
    seen = observed(
        process(1, busy_between(0.0, 1.0, 0.8)), process(2, busy_between(0.0, 4.0, 0.3)), process(3, [5.0], first=4)
    )
    assert max(cpu_shares(seen, 0.0, 1.0)) == pytest.approx(0.8)
    assert max(cpu_shares(seen, 2.0, 4.0)) == pytest.approx(0.3)
    assert cpu_shares(observed(), 0.0, 1.0) == ()


def test_a_generator_is_judged_in_its_busiest_wave_not_over_the_pauses() -> None:
    seen = observed(process(1, busy_between(0.0, 0.6, 0.9)), process(2, busy_between(2.0, 2.8, 0.5)))
    assert busiest_wave(seen, [(0.0, 0.6), (2.0, 2.8)]) == pytest.approx((0.9, 0.9))
    assert busiest_wave(seen, [(2.0, 2.8)]) == pytest.approx((0.5, 0.5))
    assert busiest_wave(seen, []) == (0.0, 0.0)


def test_the_server_is_its_processes_added_up() -> None:
    late = process(2, busy_between(1.0, 4.0, 0.5)[10:], first=10, rss=5000, files=90, limit=100)
    seen = observed(process(1, busy_between(0.0, 4.0, 0.2), files=100, limit=1000), late)
    server = server_seen(seen, over_s=4.0, memory=None, ended=None)
    assert server is not None
    assert server.processes == 2
    assert server.threads_peak == 6
    assert server.cpu_mean == pytest.approx((0.2 * 4 + 0.5 * 3) / 4.0, rel=0.01)
    assert server.cpu_peak == pytest.approx(0.7)
    assert server.busiest_name == "p2"
    assert server.busiest_cpu_peak == pytest.approx(0.5)
    assert (server.fullest_name, server.fullest_open_files, server.fullest_limit) == ("p2", 90, 100)
    assert server.rss_before_bytes == 1000 + 20
    assert server.rss_peak_bytes == 1000 + 420 + 5000 + 420
    assert len(server.trace.at_s) == len(server.trace.cpu_share) == AT.size
    assert server.trace.open_files[5] == 100
    assert server.trace.open_files[20] == 190
    assert sum(server.trace.cpu_share) * 0.1 == pytest.approx(0.8 + 1.5, rel=0.01)


def test_a_process_that_was_there_at_the_start_and_not_at_the_end_has_ended() -> None:
    all_along = busy_between(0.0, 4.0, 0.2)
    seen = observed(
        process(1, all_along),
        process(2, all_along[:22]),  # last seen at 1.9 s
        process(3, all_along[30:], first=30),  # its successor
        process(4, all_along[10:20], first=10),  # a helper that came and went
        process(5, all_along[:1]),  # ended before the first start
        process(6, all_along[:42]),  # last seen at 3.9 s
    )
    server = server_seen(seen, over_s=4.0, memory=None, ended=None)
    assert server is not None
    assert [(one.name, one.pid, round(one.at_s, 3)) for one in server.ended_processes] == [
        ("p2", 2, 2.0),
        ("p6", 6, 4.0),
    ]
    assert server.processes == 4
    before_that = server_seen(seen, over_s=3.9, memory=None, ended=None)
    assert before_that is not None
    assert [one.pid for one in before_that.ended_processes] == [2]


def test_the_trace_of_a_long_trial_is_thinned_and_keeps_its_cpu() -> None:
    at = np.arange(-2, 6000, dtype=np.float64) / 10
    ticks, cpu_s = range(at.size), (0.25 * np.maximum(at, 0.0)).tolist()
    columns = [array("q", [each] * at.size) for each in (1000, 10, 1)]
    one = ProcessColumns(1, "p1", 0, array("q", ticks), array("d", cpu_s), *columns)
    seen = Observation(at, np.zeros(at.size), np.ones(at.size, dtype=np.int64), (one,))
    server = server_seen(seen, over_s=599.0, memory=None, ended=None)
    assert server is not None
    trace = server.trace
    assert len(trace.at_s) == TRACE_STEPS + 1
    assert (trace.at_s[0], trace.at_s[-1]) == (-0.2, 599.9)
    assert np.sum(np.diff(trace.at_s) * trace.cpu_share[1:]) == pytest.approx(cpu_s[-1], rel=0.01)
    assert len(trace.rss_bytes) == len(trace.open_files) == len(trace.cpu_share) == len(trace.at_s)


def test_cpu_of_a_process_that_ended_is_not_taken_back() -> None:
    server = server_seen(observed(process(1, [0.0, 0.1, 0.2])), over_s=4.0, memory=None, ended="it ended")
    assert server is not None
    assert min(server.trace.cpu_share) == 0.0
    assert server.memory_per_connection_bytes is None
    assert server.ended == "it ended"


def test_open_files_held_are_those_before_the_last_event() -> None:
    closes = process(1, [0.0] * AT.size, files=9)
    for tick in range(30, AT.size):
        closes.files[tick] = 4
    last_event_s = float(AT[29]) + 0.05

    def held(moment_s: float | None) -> int | None:
        server = server_seen(observed(closes), over_s=4.0, memory=None, ended=None, last_event_s=moment_s)
        assert server is not None
        return server.open_files_held

    assert (held(last_event_s), held(last_event_s + 0.1), held(None)) == (9, 4, None)


def test_a_server_of_which_nothing_was_seen() -> None:
    assert server_seen(observed(), over_s=2.0, memory=None, ended=None) is None


def test_a_single_sample_is_enough_for_figures() -> None:
    one = process(1, [1.0])
    seen = Observation(AT[:1], np.zeros(1), np.array([5]), (one,))
    server = server_seen(seen, over_s=2.0, memory=None, ended=None)
    assert server is not None
    assert (server.cpu_mean, server.cpu_peak) == (0.0, 0.0)


def test_the_machine() -> None:
    host = host_seen(observed(), (3, 4))
    assert host.cpu_peak == pytest.approx(1.5)
    assert (host.memory_available_min_bytes, host.listen_overflows, host.listen_drops) == (100, 3, 4)
