"""Records of searches and campaigns that never were, for tests of what is made from them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np

from harness.records.asked import AskedLoad, AskedTarget, Placement
from harness.records.campaign import (
    ABLATION,
    COMPARISON,
    STAIRCASE,
    Ablation,
    Comparison,
    Figure,
    FoundLimit,
    LessonWorth,
    Measurement,
    PlaceboVerdicts,
    Ratio,
    Reference,
    Repeats,
    Staircase,
    StaircaseStep,
)
from harness.records.distribution import distribution
from harness.records.http import SCHEMA as HTTP
from harness.records.http import AskedHttp, HttpResult, HttpSeen
from harness.records.search import SCHEMA, AskedSearch, Dimension, SearchResult, SearchTrial
from harness.records.trial import Bound, Validity
from tests.harness.results import a_machine

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CPU = Bound(name="CPU", evidence="one process used 100 % of a core")
LIGHT = AskedLoad(n=900, c=4, interval_s=0.025)
HEAVY = AskedLoad(n=8_000, c=500, interval_s=0.25)
STAGES = ("0", "1", "2.1", "2.2", "2.3", "2.4", "2.5", "3")
LESSONS = ("open-files", "sysctl", "vm", "backlog", "tcp-options", "redis-pool", "listeners", "monitors", "repeaters")


def a_target(stage: str | None = "0", **changes: object) -> AskedTarget:
    target = AskedTarget(name=f"stage {stage}", stage=stage, fans=("127.0.0.1:9999",), http="http://127.0.0.1:8888")
    return msgspec.structs.replace(target, **changes)


def a_floor() -> AskedTarget:
    return a_target(None, name="the floor", peer="floor")


def a_measurement(art_s: float | None = 0.002, served: int = 900, **changes: object) -> Measurement:
    measured = Measurement(
        file="trial.json",
        started_at=STARTED,
        valid=True,
        met=True,
        served=served,
        lost=0,
        art_mean_s=art_s,
        art_p99_s=None if art_s is None else art_s * 2.5,
        response_mean_s=None if art_s is None else art_s * 1.3,
        response_p99_s=None if art_s is None else art_s * 3,
        fanout_mean_s=0.02,
        fanout_p99_s=0.04,
        fanout_last_s=0.05,
        memory_per_connection_bytes=6_800.0,
        cpu_mean=0.4,
        bound=CPU,
    )
    return msgspec.structs.replace(measured, **changes)


def some_repeats(
    target: AskedTarget, load: AskedLoad, arts_s: Sequence[float | None], served: int | None = None
) -> Repeats:
    trials = tuple(a_measurement(art_s, load.n if served is None else served) for art_s in arts_s)
    return Repeats(target=target, load=load, rate_per_s=5.0, trials=trials)


def a_limit(dimension: Dimension, last_pass: float | None, first_fail: float | None, **changes: object) -> FoundLimit:
    limit = FoundLimit(
        files=("search.json",),
        dimension=dimension,
        last_pass=last_pass,
        first_fail=first_fail,
        broken=("failures=0: 12",),
        bound=CPU,
        at_least=False,
        state="done",
        lowest_pass=last_pass,
        highest_pass=last_pass,
        highest_fail=first_fail,
    )
    return msgspec.structs.replace(limit, **changes)


def a_step(target: AskedTarget, n: float, c: float, light_s: float, heavy_s: float) -> StaircaseStep:
    """Return a step that holds less than the heavy load only where its N is smaller."""
    served = HEAVY.n if n >= HEAVY.n else int(n)
    return StaircaseStep(
        target=target,
        limits=(
            a_limit("N", n, None, at_least=True) if n > 19_000 else a_limit("N", n, round(n * 1.05)),
            a_limit("C", c, round(c * 1.3) + 1),
            a_limit("burst C", 2 * c, round(c * 2.6) + 1, lowest_pass=1.5 * c, highest_pass=2.4 * c),
        ),
        loads=(
            some_repeats(target, LIGHT, (light_s, light_s * 1.1, light_s * 0.95)),
            some_repeats(target, HEAVY, (heavy_s, heavy_s * 1.3, heavy_s * 0.9), served),
        ),
    )


def a_staircase(**changes: object) -> Staircase:
    n = (1_000, 4_100, 9_000, 12_000, 19_900, 19_900, 19_900, 76_000)
    c = (5, 6, 700, 900, 5_000, 6_000, 8_000, 16_000)
    light_s = (0.0019, 0.0018, 0.0016, 0.0017, 0.0014, 0.0014, 0.0009, 0.0008)
    heavy_s = (0.9, 0.5, 0.12, 0.4, 0.09, 0.08, 0.05, 0.03)
    steps = [
        a_step(a_target(stage, nodes=4 if stage == "3" else None), *figures)
        for stage, *figures in zip(STAGES, n, c, light_s, heavy_s, strict=True)
    ]
    staircase = Staircase(
        schema=STAIRCASE,
        harness="0.1.0",
        started_at=STARTED,
        slo="failures=0,lost=0,p99<1s",
        rounds=3,
        seed=2012,
        quick=False,
        steps=(*steps, a_step(a_floor(), 19_950, 19_950, 0.0002, 0.0013)),
        placebo=None,
        placebo_verdicts=PlaceboVerdicts(compared=0, false=0),
        state="done",
        placement=Placement(),
        machine=a_machine(),
    )
    return msgspec.structs.replace(staircase, **changes)


def a_ratio(figure: Figure, value: float | None, spread: float = 0.05, judgement: str | None = None) -> Ratio:
    """Return a ratio as of five trials a side; judged by whether its interval excludes 1, unless told how."""
    low, high = (None, None) if value is None else (value * (1 - spread), value * (1 + spread))
    grown: str = "better" if figure in {"N", "C", "served"} else "worse"
    shrunk = "worse" if grown == "better" else "better"
    found = "no change seen" if low is None or high is None else grown if low > 1 else shrunk if high < 1 else None
    judged = "not measured" if value is None else judgement or found or "no change seen"
    return msgspec.convert(
        {
            "figure": figure,
            "value": value,
            "low": low,
            "high": high,
            "p": None if value is None else 0.01,
            "adjusted_p": None if value is None else 0.02,
            "a_count": 10,
            "b_count": 5 if value is not None else 0,
            "judgement": judged,
        },
        Ratio,
    )


def a_worth(lesson: str, change: str = "left out", art: float | None = 1.3, **changes: object) -> LessonWorth:
    stage, load = ("2.5", HEAVY) if change == "left out" else ("0", LIGHT)
    worth = LessonWorth(
        lesson=lesson,
        change=msgspec.convert(change, type=LessonWorth.__annotations__["change"]),
        stage=stage,
        scenario="waves" if change == "left out" else "few",
        refused=None,
        measured=some_repeats(a_target(stage), load, (art, art, art) if art is not None else ()),
        ratios=(
            a_ratio("served", 1.0, 0.0),
            a_ratio("art", art),
            a_ratio("fanout", 1.1, 0.2),
            a_ratio("fanout_last", 0.8),
            a_ratio("memory", 1.01, 0.02),
        ),
    )
    return msgspec.structs.replace(worth, **changes)


def a_reference(stage: str = "2.5", **changes: object) -> Reference:
    scenario, load, art_s = ("few", LIGHT, 0.0019) if stage == "0" else ("waves", HEAVY, 0.075)
    measured = some_repeats(a_target(stage), load, (art_s, art_s * 1.05, art_s * 0.95))
    reference = Reference(
        stage=stage,
        scenario=scenario,
        measured=measured,
        placebo=measured,
        ratios=(a_ratio("served", 1.0, 0.0), a_ratio("art", 1.02)),
    )
    return msgspec.structs.replace(reference, **changes)


def an_ablation(**changes: object) -> Ablation:
    rng = np.random.default_rng(3)
    left_out = [a_worth(lesson, art=float(np.exp(rng.normal(0.2, 0.4)))) for lesson in LESSONS]
    added = [a_worth(lesson, "added", art=float(np.exp(rng.normal(-0.1, 0.2)))) for lesson in LESSONS[:-1]]
    earlier = [a_worth(lesson, stage="2.1", art=float(np.exp(rng.normal(0.2, 0.4)))) for lesson in LESSONS[:4]]
    backlog = LESSONS.index("backlog")
    short = some_repeats(a_target("2.5", without_lessons=("backlog",)), HEAVY, (0.002,) * 3, served=974)
    left_out[backlog] = msgspec.structs.replace(
        left_out[backlog], measured=short, ratios=(a_ratio("served", 0.12), a_ratio("art", None))
    )
    refused = "repeaters stand on dispatchers, which stage 0 has none of: add dispatchers as well"
    ablation = Ablation(
        schema=ABLATION,
        harness="0.1.0",
        started_at=STARTED,
        stage="2.5",
        slo="failures=0",
        rounds=5,
        seed=2012,
        references=(a_reference("2.1"), a_reference(), a_reference("0")),
        lessons=(
            *left_out,
            *earlier,
            *added,
            a_worth("repeaters", "added", refused=refused, measured=None, ratios=()),
            a_worth("sysctl", "added", stage="0", scenario=None, measured=None, ratios=()),
        ),
        placebo_verdicts=PlaceboVerdicts(compared=6, false=0),
        state="done",
        placement=Placement(),
        machine=a_machine(),
    )
    return msgspec.structs.replace(ablation, **changes)


def a_search_trial(level: float = 900, **changes: object) -> SearchTrial:
    trial = SearchTrial(
        level=level,
        kind="full",
        started_at=STARTED,
        took_s=4.0,
        valid=True,
        met=True,
        broken=(),
        bound=CPU,
        served=int(level),
        art_mean_s=0.002,
        response_p99_s=0.006,
        fanout_p99_s=0.05,
    )
    return msgspec.structs.replace(trial, **changes)


def a_search(**changes: object) -> SearchResult:
    search = SearchResult(
        schema=SCHEMA,
        harness="0.1.0",
        started_at=STARTED,
        asked=AskedSearch(
            target=a_target("2.2"),
            dimension="N",
            slo="failures=0,p99<1s",
            n=None,
            c=500,
            interval_s=0.25,
            rate_per_s=5.0,
            waves=None,
            events=10,
            floor=500,
            ceiling=20_000,
            precision=0.1,
            repeats=3,
            soak_s=0.0,
            budget_s=None,
        ),
        trials=(
            a_search_trial(500, kind="short"),
            a_search_trial(1_000, kind="short"),
            a_search_trial(2_000, kind="short", met=False, broken=("p99<1s: 1.4 s",), response_p99_s=1.4),
            a_search_trial(1_500, response_p99_s=0.7),
            a_search_trial(1_600, valid=False, response_p99_s=None, fanout_p99_s=None),
        ),
        last_pass=1_500,
        first_fail=2_000,
        broken=("p99<1s: 1.4 s",),
        bound=CPU,
        at_least=False,
        state="done",
        machine=a_machine(),
    )
    return msgspec.structs.replace(search, **changes)


def a_comparison(**changes: object) -> Comparison:
    comparison = Comparison(
        schema=COMPARISON,
        a="a.json",
        b="b.json",
        ratios=(a_ratio("art", 1.4), a_ratio("fanout", 0.7), a_ratio("memory", 1.0), a_ratio("N", None)),
        warnings=("the kernels differ: Linux 6.1, Linux 6.6",),
    )
    return msgspec.structs.replace(comparison, **changes)


def an_http_load(**changes: object) -> HttpResult:
    times = distribution(np.linspace(0.001, 0.02, 500))
    load = HttpResult(
        schema=HTTP,
        harness="0.1.0",
        started_at=STARTED,
        asked=AskedHttp(
            target=a_target(),
            method="GET",
            path="/1/checkin",
            requests=500,
            concurrency=4,
            keep_alive=True,
            rate_per_s=200.0,
            timeout_s=10.0,
        ),
        seen=HttpSeen(
            succeeded=500,
            failures={},
            took_s=2.5,
            requests_per_s=200.0,
            body_bytes=7000,
            response=times,
            service=times,
            lag_p99_s=0.001,
            lag_max_s=0.002,
            generator_cpu=0.2,
        ),
        validity=Validity(valid=True, reasons=()),
        machine=a_machine(),
    )
    return msgspec.structs.replace(load, **changes)
