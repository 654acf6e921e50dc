"""Results of trials that never were, for tests of what is made from them."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from harness.records.asked import Asked, AskedEvents, AskedLoad, AskedTarget
from harness.records.distribution import distribution
from harness.records.files import load
from harness.records.machine import Limit, Machine
from harness.records.seen import Delivery, EventSeen, Fans, Reconnects, Response, Seen, Timeline
from harness.records.trial import SCHEMA, Bound, TrialResult, Validity, Verdict
from harness.records.usage import GeneratorSeen, Host, LoopLag, Memory, ServerSeen, Trace

LIMIT = 1024


def a_memory(**changes: object) -> Memory:
    memory = Memory(
        measure="PSS",
        moment="after the second event",
        at_s=4.0,
        connections=900,
        server_before_bytes=50_000_000,
        server_bytes=60_000_000,
        redis_before_bytes=5_000_000,
        redis_bytes=5_450_000,
        slab_growth_bytes=9_000_000,
        sockets_growth_bytes=0,
    )
    return msgspec.structs.replace(memory, **changes)


def a_server(**changes: object) -> ServerSeen:
    server = ServerSeen(
        processes=2,
        threads_peak=5,
        cpu_mean=0.3,
        cpu_peak=0.6,
        busiest_name="python",
        busiest_cpu_peak=0.5,
        rss_before_bytes=60_000_000,
        rss_peak_bytes=71_000_000,
        memory=a_memory(),
        memory_per_connection_bytes=a_memory().server_per_connection,
        fullest_name="python",
        fullest_open_files=930,
        fullest_limit=LIMIT,
        ended=None,
        trace=Trace(
            at_s=tuple(np.linspace(-0.3, 6.0, 60).tolist()),
            cpu_share=tuple((0.3 + 0.3 * np.sin(np.linspace(0, 9, 60))).tolist()),
            rss_bytes=(60_000_000,) * 60,
            open_files=(930,) * 60,
        ),
    )
    return msgspec.structs.replace(server, **changes)


def a_loop_lag(**late_s: float) -> LoopLag:
    """Return a loop that was 1 ms late ten times a second for 6 s, but for the samples that are given, as `at_20`."""
    late = [late_s.get(f"at_{number}", 0.001) for number in range(60)]
    return LoopLag(at_s=tuple(np.linspace(0.1, 6.0, 60).round(4).tolist()), late_s=tuple(late))


def a_host(**changes: object) -> Host:
    host = Host(cpu_peak=0.9, memory_available_min_bytes=8 * 2**30, listen_overflows=0, listen_drops=0)
    return msgspec.structs.replace(host, **changes)


def some_fans(served: int = 900, **failures: int) -> Fans:
    asked = served + sum(failures.values())
    return Fans(asked=asked, answered=served, served=served, failures=failures)


def seen_by(fans: Fans, *, slowest_s: float = 0.02, delivery: Delivery | None = None) -> Seen:
    rng = np.random.default_rng(7)
    intended = np.append(rng.uniform(0.001, slowest_s, max(fans.answered - 1, 0)), slowest_s)[: fans.answered]
    at = tuple(np.linspace(0.1, 6, 60).tolist())
    return Seen(
        fans=fans,
        response=Response(
            intended=distribution(intended, missing=fans.asked - fans.answered), art=distribution(intended * 0.8)
        ),
        delivery=delivery,
        timeline=Timeline(
            at_s=at,
            connected=tuple(min(fans.asked, 30 * step) for step in range(60)),
            answered=tuple(min(fans.answered, 30 * step) for step in range(60)),
            slowest_s=tuple(0.004 if step < 31 and fans.answered else None for step in range(60)),
        ),
        connect_phase_s=3.0,
        events_phase_s=3.0,
    )


def some_reconnects(**changes: object) -> Reconnects:
    """Ten connections lost, and as many fans who were back after a try or two."""
    seen = Reconnects(
        lost=10,
        ended={},
        tried=12,
        served=10,
        failures={},
        back=None,
        not_back=0,
        missed=3,
        recovered=0,
    )
    return msgspec.structs.replace(seen, **changes)


def a_delivery(fans: int = 900, events: int = 5, **changes: object) -> Delivery:
    rng = np.random.default_rng(8)
    delivery = Delivery(
        posted=events,
        unposted=0,
        expected=fans * events,
        received=fans * events,
        lost=0,
        duplicated=0,
        reordered=0,
        fanout=distribution(rng.uniform(0.002, 0.05, fans * events)),
        fanout_service=distribution(rng.uniform(0.002, 0.05, fans * events)),
        last_mean_s=0.045,
        last_max_s=0.05,
        last_service_mean_s=0.045,
        post_answer=distribution(np.full(events, 0.003)),
        post_lag_p99_s=0.001,
        post_lag_max_s=0.001,
        events=tuple(
            EventSeen(
                sequence=mark,
                kind="shot",
                intended_s=3.0 + mark / 2,
                sent_s=3.0 + mark / 2,
                answered_s=3.003 + mark / 2,
                error=None,
                received=fans,
                fanout_mean_s=0.02,
                fanout_service_mean_s=0.02,
                last_s=0.05,
                last_service_s=0.05,
            )
            for mark in range(1, events + 1)
        ),
    )
    return msgspec.structs.replace(delivery, **changes)


def a_generator(**changes: object) -> GeneratorSeen:
    generator = GeneratorSeen(
        processes=1,
        cpu_share=0.12,
        lag_p50_s=0.0001,
        lag_p99_s=0.0004,
        lag_max_s=0.002,
        turn_max_s=0.002,
        bytes_per_connection=180.0,
        peak_rss_bytes=20_000_000,
    )
    return msgspec.structs.replace(generator, **changes)


def a_machine() -> Machine:
    return Machine(
        kernel="Linux 6.1",
        cpu_model="A processor",
        cores=2,
        memory_bytes=24 * 2**30,
        limits={"open_files": Limit(1024, 20_000)},
        sysctls={"net.core.somaxconn": "4096"},
        python="CPython 3.11.7",
        versions={"uvloop": "0.21.0"},
        commit=None,
    )


def a_result(**changes: object) -> TrialResult:
    result = TrialResult(
        schema=SCHEMA,
        harness="0.1.0",
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        asked=Asked(
            target=AskedTarget(name="stage 0", stage="0", fans=("127.0.0.1:9999",), http="http://127.0.0.1:8888"),
            load=AskedLoad(n=900, c=4, interval_s=0.25),
            events=AskedEvents(count=5, rate_per_s=2.0),
            slo="failures=0,p99<1s",
        ),
        seen=seen_by(some_fans(), delivery=a_delivery()),
        generator=a_generator(),
        server=a_server(),
        host=a_host(),
        validity=Validity(valid=True, reasons=()),
        verdict=Verdict(met=True, broken=()),
        bound=Bound(name="nothing", evidence="all 900 fans were served and no limit was reached"),
        machine=a_machine(),
    )
    return msgspec.structs.replace(result, **changes)


def load_result(path: Path) -> TrialResult:
    """Read the stored result of a trial. Raise ResultError."""
    return load(path, TrialResult, SCHEMA)
