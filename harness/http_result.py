"""What a load of HTTP requests leaves behind, and how its record is made from samples: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec
import numpy as np

from harness.histogram import Distribution, distribution
from harness.http_load import SUCCESS, HttpPlan, HttpSamples
from harness.machine import Machine, harness_version
from harness.result import AskedTarget, Count, Seconds, Section, Share, Validity
from harness.validity import BUSIEST, SHORTEST_LAG_S, SHORTEST_PHASE_S

SCHEMA: Literal["matchstream-lab/http/1"] = "matchstream-lab/http/1"


class AskedHttp(Section, frozen=True, kw_only=True):
    """The load: `requests` over at most `concurrency` connections; closed if it had no rate (`harness.http_load`)."""

    target: AskedTarget
    method: Literal["GET", "POST"]
    path: str
    requests: Annotated[int, msgspec.Meta(ge=1)]
    concurrency: Annotated[int, msgspec.Meta(ge=1)]
    keep_alive: bool
    rate_per_s: float | None
    timeout_s: Seconds


class HttpSeen(Section, frozen=True, kw_only=True):
    """What became of the requests.

    `succeeded` were answered with 2xx. `failures` counts the others by what happened: the status of the answer, or
    `not connected`, `timed out`, `broken off`, or, after an interruption, `not ended`. Both together are the requests.

    `response` are the times of those that succeeded, from the moment at which they were due; of their sending, where
    the load was closed. `service` is from the sending, None where that is no other. Connecting and reading the body are
    part of both. `body_bytes` is of all answers, whatever their status. `lag_*` is the generator's own delay.
    """

    succeeded: Count
    failures: dict[str, Count]
    took_s: Seconds
    requests_per_s: float
    body_bytes: Count
    response: Distribution | None
    service: Distribution | None
    lag_p99_s: Seconds
    lag_max_s: Seconds
    generator_cpu: Share

    @property
    def answered(self) -> int:
        """How many requests were answered, with whatever status."""
        return self.succeeded + sum(count for what, count in self.failures.items() if what.isdecimal())


class HttpResult(Section, frozen=True, kw_only=True):
    """One run of `harness http`. An interrupted one has what was seen until then, and is invalid."""

    schema: Literal["matchstream-lab/http/1"]
    harness: str
    started_at: datetime
    asked: AskedHttp
    seen: HttpSeen
    validity: Validity
    machine: Machine
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        """Whether the figures are valid and every request succeeded."""
        return self.validity.valid and self.seen.succeeded == self.asked.requests


@dataclass(frozen=True, slots=True)
class Frame:
    """What is known of a run beside its requests."""

    started_at: datetime
    asked: AskedHttp
    machine: Machine
    interrupted: bool = False


def http_result(frame: Frame, samples: HttpSamples) -> HttpResult:
    """Return the record of a run."""
    seen = _seen(frame.asked, samples)
    reasons = tuple(_reasons(frame, seen))
    return HttpResult(
        schema=SCHEMA,
        harness=harness_version(),
        started_at=frame.started_at,
        asked=frame.asked,
        seen=seen,
        validity=Validity(valid=not reasons, reasons=reasons),
        machine=frame.machine,
        interrupted=frame.interrupted,
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
    return HttpSeen(
        succeeded=int(succeeded.sum()),
        failures=dict(sorted(failures.items())),
        took_s=samples.took_s,
        requests_per_s=samples.statuses.total() / samples.took_s,
        body_bytes=samples.body_bytes,
        response=distribution(response_s),
        service=None if asked.rate_per_s is None else distribution(service_s),
        lag_p99_s=float(np.percentile(lag_s, 99)) if lag_s.size else 0.0,
        lag_max_s=float(lag_s.max(initial=0.0)),
        generator_cpu=samples.cpu_s / samples.took_s,
    )


def _reasons(frame: Frame, seen: HttpSeen) -> Sequence[str]:
    """Return why the figures say nothing about the server, if so; the limits are those of `harness.validity`."""
    reasons = []
    if frame.interrupted:
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
    return reasons
