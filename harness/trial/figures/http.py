"""From the samples of a load of HTTP requests to its record: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from harness.load.http import SUCCESS, HttpPlan, HttpSamples
from harness.records.asked import AskedTarget
from harness.records.distribution import distribution, percentile
from harness.records.http import SCHEMA, AskedHttp, HttpResult, HttpSeen
from harness.records.machine import Machine, harness_version
from harness.records.trial import Validity
from harness.trial.figures.validity import BUSIEST, SHORTEST_LAG_S, SHORTEST_PHASE_S, out_of_room


@dataclass(frozen=True, slots=True)
class HttpHead:
    """What is known of a run beside its requests."""

    started_at: datetime
    asked: AskedHttp
    machine: Machine
    interrupted: bool = False


def http_result(head: HttpHead, samples: HttpSamples) -> HttpResult:
    """Return the record of a run."""
    seen = _seen(head.asked, samples)
    reasons = tuple(_reasons(head, seen))
    return HttpResult(
        schema=SCHEMA,
        harness=harness_version(),
        started_at=head.started_at,
        asked=head.asked,
        seen=seen,
        validity=Validity(valid=not reasons, reasons=reasons),
        machine=head.machine,
        interrupted=head.interrupted,
    )


def asked_http(target: AskedTarget, path: str, plan: HttpPlan) -> AskedHttp:
    """Return what is asked by a plan."""
    return AskedHttp(
        target=target,
        method="POST" if plan.bodies else "GET",
        path=path,
        requests=plan.requests,
        concurrency=plan.concurrency,
        keep_alive=plan.keep_alive,
        rate_per_s=plan.rate_per_s,
        timeout_s=plan.timeout_s,
    )


def _seen(asked: AskedHttp, samples: HttpSamples) -> HttpSeen:
    failures = {str(status): count for status, count in samples.statuses.items() if status not in SUCCESS}
    failures |= samples.failures
    if samples.ended < asked.requests:
        failures["not ended"] = asked.requests - samples.ended
    succeeded = samples.succeeded
    service_s = np.where(succeeded, samples.done_s - samples.sent_s, np.nan)
    response_s = service_s if asked.rate_per_s is None else np.where(succeeded, samples.done_s - samples.due_s, np.nan)
    lag_s = samples.lag_s[~np.isnan(samples.lag_s)]
    failed = asked.requests - int(succeeded.sum())
    return HttpSeen(
        succeeded=int(succeeded.sum()),
        failures=dict(sorted(failures.items())),
        took_s=samples.took_s,
        requests_per_s=samples.statuses.total() / samples.took_s,
        body_bytes=samples.body_bytes,
        response=distribution(response_s, missing=failed),
        service=None if asked.rate_per_s is None else distribution(service_s, missing=failed),
        lag_p99_s=percentile(lag_s, 990) if lag_s.size else 0.0,
        lag_max_s=float(lag_s.max(initial=0.0)),
        generator_cpu=samples.cpu_s / samples.took_s,
    )


def _reasons(head: HttpHead, seen: HttpSeen) -> Sequence[str]:
    """Return why the figures say nothing about the server, if so; the limits are those of `figures.validity`."""
    reasons = []
    if head.interrupted:
        reasons.append(f"it was interrupted after {seen.took_s:.1f} s; measure again")
    if seen.lag_p99_s > SHORTEST_LAG_S:
        reasons.append(
            f"the generator was late: 1 % of the requests were sent {seen.lag_p99_s:.2f} s or more after their moment "
            f"(allowed: {SHORTEST_LAG_S:.2f} s); use a smaller --rate or a machine with more cores"
        )
    if seen.generator_cpu > BUSIEST and seen.took_s >= SHORTEST_PHASE_S:
        reasons.append(
            f"the generator was saturated: it used {seen.generator_cpu:.0%} of a core (allowed: {BUSIEST:.0%}), so the "
            "server may well be faster than this; use a --rate, a smaller -c, or another machine"
        )
    reasons += out_of_room(seen.failures, "-c")
    return reasons
