import math
from array import array

from harness.load.samples import GeneratorUsage, Outcome, Progress, Samples
from harness.trial.cluster.merging import given_up, together, untold
from harness.trial.figures.delivery import Phases, analyse


def usage(processes: int, growth: float | None) -> GeneratorUsage:
    return GeneratorUsage(processes, (0.5,) * processes, 0.0, 0.0, 0.0, 0.01 * processes, growth, 1000 * processes)


def test_of_a_lost_host_nothing_more_is_waited_for() -> None:
    progress = given_up(Progress(started=8, connected=7, answered=5, failed=1, closed=0, receipts=9), 10)
    assert progress.settled == 10
    assert progress.closed == progress.answered == 5
    assert progress.receipts == 9


def test_fans_of_whom_nobody_knows_are_neither_served_nor_failures() -> None:
    starts = array("d", [0.0, 0.0, 1.0, 1.0])
    seen = Samples.blank(starts[::2])
    seen.outcome = bytearray([Outcome.HELD]) * 2
    seen.answered_s = seen.connected_s = seen.asked_s = array("d", [0.5, 1.5])
    merged = Samples.merge([(range(0, 4, 2), seen), (range(1, 4, 2), untold(range(1, 4, 2), starts))])
    found = analyse(merged, None, Phases(2.0, 3.0))
    assert (found.fans.asked, found.fans.served, found.fans.failed, found.fans.untold) == (4, 2, 0, 2)
    assert found.response.intended is not None
    assert (found.response.intended.count, found.response.intended.missing) == (2, 0)


def test_untold_newcomers_have_no_moment() -> None:
    samples = untold(range(1, 4, 2), array("d", [0.0, 0.25]))
    assert samples.intended_s[0] == 0.25
    assert math.isnan(samples.intended_s[1])


def test_what_hosts_cost_is_put_together() -> None:
    samples = Samples.blank(array("d", [0.0, 0.0]))
    samples.started_s = array("d", [0.001, 0.003])
    both = together(samples, [usage(1, 100.0), usage(2, 300.0)])
    assert (both.processes, both.lag_max_s, both.turn_max_s, both.bytes_per_connection) == (3, 0.003, 0.02, 200.0)
    assert together(samples, [usage(1, 100.0), usage(1, None)]).bytes_per_connection is None
