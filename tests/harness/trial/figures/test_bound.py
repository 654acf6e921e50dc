from typing import Any

import msgspec
import pytest

from common.tuning.open_files import kept_files
from harness.records.asked import AskedLoad
from harness.records.trial import Validity, Verdict
from harness.records.usage import GeneratorSeen, ProcessEnd
from harness.trial.figures.bound import BUSY, SCARCE, SYN_RETRY_S, Observations, first_bound
from tests.harness.results import LIMIT, a_delivery, a_generator, a_host, a_server, seen_by, some_fans, some_reconnects

GOOD = {
    "load": AskedLoad(n=900, c=4, interval_s=0.25),
    "seen": seen_by(some_fans()),
    "generator": a_generator(),
    "server": a_server(),
    "host": a_host(),
    "cores": 2,
    "memory_bytes": 24 * 2**30,
    "validity": Validity(valid=True, reasons=()),
    "verdict": Verdict(met=True, broken=()),
}
FULL = a_server(fullest_open_files=LIMIT, fullest_limit=LIMIT)
FAILED = {
    "seen": seen_by(some_fans(1000, no_welcome=95, connect_timeout=5)),
    "verdict": Verdict(met=False, broken=("failures=0 (100)",)),
}
OVERFLOWS = {"host": a_host(listen_overflows=490, listen_drops=490), "load": AskedLoad(n=4000, c=500, interval_s=0.25)}


def bound(**changes: Any) -> tuple[str, str]:
    found = first_bound(Observations(**{**GOOD, **changes}))
    return found.name, found.evidence


def test_nothing_bound() -> None:
    assert bound() == ("nothing", "all 900 fans were served and no limit was reached")
    assert bound(server=None)[0] == "nothing"


def test_an_interruption_before_anything_else() -> None:
    reason = "it was interrupted after 3.2 s; measure again"
    validity = Validity(valid=False, reasons=(reason, "the generator was late"))
    assert bound(server=FULL, validity=validity, interrupted=True) == ("interruption", reason)


def test_a_server_that_uses_up_the_cores_that_it_was_kept_on() -> None:
    many = a_server(processes=6, cpu_peak=0.96, busiest_cpu_peak=0.2)
    assert bound(server=many, server_cores=1) == ("CPU", "the server used 1.0 cores and was kept on 1")
    assert bound(server=many, server_cores=2)[0] == "nothing"


def test_a_server_at_its_limit_of_open_files_though_its_accept_queue_ran_over_too() -> None:
    name, evidence = bound(**{**OVERFLOWS, **FAILED}, server=FULL)
    assert (name, evidence) == ("open files", "python had 1,024 of 1,024 files open")


def test_a_server_that_has_files_left_for_others_only() -> None:
    server = a_server(fullest_open_files=LIMIT - kept_files(LIMIT) - 2, fullest_limit=LIMIT)
    assert bound(**FAILED, server=server) == ("open files", "python had 1,006 of 1,024 files open")


@pytest.mark.parametrize(("files", "limit"), [(LIMIT - kept_files(LIMIT) - 3, LIMIT), (5, 0)])
def test_open_files_do_not_bind_below_the_limit_or_where_it_is_unknown(files: int, limit: int) -> None:
    assert bound(server=a_server(fullest_open_files=files, fullest_limit=limit))[0] == "nothing"


def test_a_backlog_shorter_than_a_wave() -> None:
    name, evidence = bound(**{**OVERFLOWS, **FAILED}, server=a_server(busiest_cpu_peak=1.0))
    assert name == "accept queue"
    assert "490" in evidence
    assert "waves of 500" in evidence


def test_an_accept_queue_that_only_made_fans_wait() -> None:
    assert bound(**OVERFLOWS, seen=seen_by(some_fans(), slowest_s=1.02))[0] == "accept queue"


def test_overflows_of_somebody_else_on_the_machine() -> None:
    assert bound(**OVERFLOWS)[0] == "nothing"
    assert bound(**OVERFLOWS, seen=seen_by(some_fans(0)))[0] == "nothing"


def test_one_busy_process_is_enough() -> None:
    name, evidence = bound(server=a_server(busiest_cpu_peak=0.97))
    assert (name, evidence) == ("CPU", "python used 97% of a core in its busiest half second")


@pytest.mark.parametrize("program", ["redis-server", "valkey-server"])
def test_a_busy_redis_is_told_from_a_busy_server(program: str) -> None:
    busy = a_server(busiest_name=program, busiest_cpu_peak=0.97)
    name, evidence = bound(**FAILED, server=busy)
    assert name == "Redis"
    assert f"{program} used 97% of a core" in evidence
    assert bound(server=a_server(busiest_name=program, busiest_cpu_peak=0.9))[0] == "nothing"


def test_all_cores_in_use() -> None:
    name, evidence = bound(host=a_host(cpu_peak=1.95), server=a_server(cpu_peak=0.9))
    assert (name, evidence) == ("CPU", "1.9 of the machine's 2 cores were in use, 0.9 of them by the server")
    assert bound(host=a_host(cpu_peak=1.95), server=None) == ("CPU", "1.9 of the machine's 2 cores were in use")


def test_all_cores_in_use_by_somebody_else() -> None:
    name, evidence = bound(host=a_host(cpu_peak=1.95), server=a_server(cpu_peak=0.2))
    assert name == "other load"
    assert "but only 0.3 by the server and the generator" in evidence


def test_memory() -> None:
    name, evidence = bound(host=a_host(memory_available_min_bytes=100 * 2**20))
    assert (name, evidence) == ("memory", "100 MiB of the machine's 24,576 MiB were left")


def test_the_slo_where_no_resource_explains_it() -> None:
    name, evidence = bound(**FAILED)
    assert (name, evidence) == ("SLO", "no resource was used up, but failures=0 (100)")


def test_a_server_that_ended() -> None:
    ended = a_server(ended="the server ended with status 3", fullest_open_files=LIMIT)
    assert bound(server=ended) == ("server ended", "the server ended with status 3")


def test_a_node_that_ended_if_fans_were_harmed() -> None:
    gone = tuple(ProcessEnd(name="python", pid=pid, at_s=at_s) for pid, at_s in ((7, 9.0), (8, 4.21)))
    server = a_server(ended_processes=gone, fullest_open_files=LIMIT)
    evidence = "python (process 8) of the server ended 4.2 s after the first start, and 1 more later"
    assert bound(**FAILED, server=server) == ("process ended", evidence)
    lost = seen_by(some_fans(), delivery=a_delivery(lost=1))
    assert bound(seen=lost, server=a_server(ended_processes=gone[:1])) == (
        "process ended",
        "python (process 7) of the server ended 9.0 s after the first start",
    )
    cut = msgspec.structs.replace(seen_by(some_fans(), delivery=a_delivery()), reconnects=some_reconnects())
    assert bound(seen=cut, server=server) == ("process ended", evidence)
    unharmed = msgspec.structs.replace(cut, reconnects=some_reconnects(lost=0))
    assert bound(seen=unharmed, server=server)[0] == "open files"
    assert bound(seen=seen_by(some_fans(), delivery=a_delivery()), server=server)[0] == "open files"
    assert bound(server=server)[0] == "open files"


def test_an_invalid_trial_was_bound_by_its_generator() -> None:
    late = Validity(valid=False, reasons=("the generator was late", "the generator was saturated"))
    assert bound(validity=late, server=FULL, **OVERFLOWS) == ("generator", "the generator was late")


def test_two_causes_of_harm_are_added_up_and_one_failed_fan_is_harm() -> None:
    gone = a_server(ended_processes=(ProcessEnd(name="python", pid=7, at_s=1.0),))
    harmed = seen_by(some_fans(), delivery=a_delivery(lost=1, unposted=1))
    assert bound(seen=harmed, server=gone)[0] == "process ended"
    assert bound(seen=seen_by(some_fans(899, cut=1)), server=gone)[0] == "process ended"
    assert bound(**OVERFLOWS, seen=seen_by(some_fans(899, cut=1)))[0] == "accept queue"


@pytest.mark.parametrize(("listen_overflows", "listen_drops"), [(0, 490), (490, 0)])
def test_a_full_accept_queue_shows_in_either_count(listen_overflows: int, listen_drops: int) -> None:
    host = a_host(listen_overflows=listen_overflows, listen_drops=listen_drops)
    name, evidence = bound(**FAILED, host=host)
    assert (name, "490 times" in evidence) == ("accept queue", True)


@pytest.mark.parametrize(
    ("at", "below"),
    [
        (
            {"server": a_server(fullest_open_files=LIMIT - kept_files(LIMIT) - 2)},
            {"server": a_server(fullest_open_files=LIMIT - kept_files(LIMIT) - 3)},
        ),
        (
            {**OVERFLOWS, "seen": seen_by(some_fans(), slowest_s=SYN_RETRY_S)},
            {**OVERFLOWS, "seen": seen_by(some_fans(), slowest_s=SYN_RETRY_S - 0.01)},
        ),
        (
            {"server": a_server(busiest_name="redis-server", busiest_cpu_peak=BUSY)},
            {"server": a_server(busiest_name="redis-server", busiest_cpu_peak=BUSY - 0.01)},
        ),
        ({"server": a_server(busiest_cpu_peak=BUSY)}, {"server": a_server(busiest_cpu_peak=BUSY - 0.01)}),
        (
            {"server": a_server(cpu_peak=3 * BUSY), "server_cores": 3, "cores": 8},
            {"server": a_server(cpu_peak=3 * BUSY - 0.01), "server_cores": 3, "cores": 8},
        ),
        (
            {"server": None, "host": a_host(cpu_peak=2 * BUSY)},
            {"server": None, "host": a_host(cpu_peak=2 * BUSY - 0.01)},
        ),
    ],
    ids=["open files", "accept queue", "Redis", "one core", "kept on", "all cores"],
)
def test_a_limit_binds_from_its_threshold_on(at: dict[str, Any], below: dict[str, Any]) -> None:
    assert bound(**at)[0] != "nothing"
    assert bound(**below)[0] == "nothing"


def test_memory_binds_below_its_threshold_only() -> None:
    at = int(SCARCE * 100 * 2**30)
    assert bound(memory_bytes=100 * 2**30, host=a_host(memory_available_min_bytes=at + 1))[0] == "nothing"
    assert bound(memory_bytes=100 * 2**30, host=a_host(memory_available_min_bytes=at - 1))[0] == "memory"


@pytest.mark.parametrize(
    ("generator", "name"),
    [
        (a_generator(processes=2, cpu_share=0.5), "CPU"),  # 0.5 of two processes make all that is missing
        (a_generator(processes=2, cpu_share=0.25), "other load"),
        (a_generator(processes=2, cpu_share=0.5, cpu_total=0.4), "other load"),  # what was measured beats what may be
        (a_generator(processes=2, cpu_share=0.1, cpu_total=1.0), "CPU"),
    ],
)
def test_half_of_a_busy_machine_is_ours_or_somebody_elses(generator: GeneratorSeen, name: str) -> None:
    busy = {"host": a_host(cpu_peak=2.0), "server": a_server(cpu_peak=0.0, busiest_cpu_peak=0.0)}
    assert bound(**busy, generator=generator)[0] == name


def test_all_that_is_broken_is_told() -> None:
    verdict = Verdict(met=False, broken=("failures=0 (100)", "lost=0 (3)"))
    assert bound(**{**FAILED, "verdict": verdict})[1] == "no resource was used up, but failures=0 (100), lost=0 (3)"
