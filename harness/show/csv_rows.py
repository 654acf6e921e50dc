"""Records as rows of plain values, for CSV: a row a trial, a limit, or a ratio."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.records.asked import AskedLoad
from harness.records.campaign import (
    Ablation,
    Comparison,
    FoundLimit,
    Measurement,
    Ratio,
    Repeats,
    Staircase,
    measurement,
)
from harness.records.http import HttpResult
from harness.records.kinds import Record
from harness.records.search import SearchResult
from harness.records.trial import TrialResult

Value = str | int | float | bool | None
Flat = Mapping[str, Value]
"""A row: its values by the names of their columns, which end in the unit where there is one."""


def flatten(record: Record) -> Iterator[Flat]:
    """Give the rows of a record. A column that says nothing of a row is not in it."""
    match record:
        case TrialResult():
            yield _trial(record)
        case SearchResult():
            yield from _search(record)
        case Staircase():
            yield from _staircase(record)
        case Ablation():
            yield from _ablation(record)
        case Comparison():
            yield from map(_ratio, record.ratios)
        case HttpResult():
            yield _http(record)


def columns(rows: Iterable[Flat]) -> tuple[str, ...]:
    """Return the names of all columns, in the order in which they first occur."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def as_csv(rows: Sequence[Flat]) -> str:
    """Return rows as CSV (RFC 4180, but lines end as in Unix), with a header; what is missing is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _trial(result: TrialResult) -> Flat:
    return {
        "server": result.asked.target.name,
        **_load(result.asked.load),
        **_measured(measurement(result, "")),
        "connections_per_s": result.seen.answered_per_s,
        "commit": result.machine.commit,
    }


def _search(search: SearchResult) -> Iterator[Flat]:
    for trial in search.trials:
        yield {
            "server": search.asked.target.name,
            "dimension": search.asked.dimension,
            "level": trial.level,
            "kind": trial.kind,
            "took_s": trial.took_s,
            "valid": trial.valid,
            "moment": None if trial.wave is None else trial.wave.moment,
            "met": trial.met,
            "broken": "; ".join(trial.broken),
            "served": trial.served,
            "art_mean_s": trial.art_mean_s,
            "response_p99_s": trial.response_p99_s,
            "fanout_p99_s": trial.fanout_p99_s,
            "bound": trial.bound.name,
        }


def _http(load: HttpResult) -> Flat:
    asked, seen, times = load.asked, load.seen, load.seen.response
    return {
        "server": asked.target.name,
        "method": asked.method,
        "path": asked.path,
        "requests": asked.requests,
        "concurrency": asked.concurrency,
        "rate_per_s": asked.rate_per_s,
        "started_at": load.started_at.isoformat(),
        "valid": load.validity.valid,
        "succeeded": seen.succeeded,
        "requests_per_s": seen.requests_per_s,
        "body_bytes": seen.body_bytes,
        "mean_s": None if times is None else times.mean_s,
        "p99_s": None if times is None else times.p99_s,
        "max_s": None if times is None else times.max_s,
    }


def _staircase(staircase: Staircase) -> Iterator[Flat]:
    """Give the limits of each step, then its trials."""
    for step in staircase.steps:
        server = {"server": step.target.name}
        yield from ({**server, **_limit(limit)} for limit in step.limits)
        yield from ({**server, **row} for repeats in step.loads for row in _repeats(repeats))


def _ablation(ablation: Ablation) -> Iterator[Flat]:
    for lesson in ablation.lessons:
        head = {"lesson": lesson.lesson, "change": lesson.change}
        if lesson.refused is not None:
            yield {**head, "refused": lesson.refused}
        yield from ({**head, **_ratio(ratio)} for ratio in lesson.ratios)


def _ratio(ratio: Ratio) -> Flat:
    return {
        "figure": ratio.figure,
        "of": ratio.of,
        "ratio": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "judgement": ratio.judgement,
        "a_trials": ratio.a_count,
        "b_trials": ratio.b_count,
    }


def _repeats(repeats: Repeats) -> Iterator[Flat]:
    for trial in repeats.trials:
        yield {**_load(repeats.load), **_measured(trial)}


def _load(load: AskedLoad) -> Flat:
    return {"N": load.n, "C": load.c, "interval_s": load.interval_s}


def _limit(limit: FoundLimit) -> Flat:
    return {
        "limit_of": limit.dimension,
        "last_pass": limit.last_pass,
        "first_fail": limit.first_fail,
        "at_least": limit.at_least,
        "broken": "; ".join(limit.broken),
        "bound": None if limit.bound is None else limit.bound.name,
    }


def _measured(trial: Measurement) -> Flat:
    return {
        "started_at": trial.started_at.isoformat(),
        "valid": trial.valid,
        "met": trial.met,
        "moment": None if trial.wave is None else trial.wave.moment,
        "wave_within_s": None if trial.wave is None else trial.wave.within_s,
        "served": trial.served,
        "lost": trial.lost,
        "art_mean_s": trial.art_mean_s,
        "art_p99_s": trial.art_p99_s,
        "response_mean_s": trial.response_mean_s,
        "response_p99_s": trial.response_p99_s,
        "fanout_mean_s": trial.fanout_mean_s,
        "fanout_p99_s": trial.fanout_p99_s,
        "fanout_last_s": trial.fanout_last_s,
        "memory_per_connection_bytes": trial.memory_per_connection_bytes,
        "cpu_mean": trial.cpu_mean,
        "bound": trial.bound.name,
    }
