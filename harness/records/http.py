"""What a load of HTTP requests leaves behind, and how its record is made from samples: pure."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from harness.records.asked import AskedTarget
from harness.records.distribution import Distribution
from harness.records.machine import Machine
from harness.records.section import Count, Seconds, Section, Share
from harness.records.trial import Validity

SCHEMA: Literal["matchstream-lab/http/2"] = "matchstream-lab/http/2"


class AskedHttp(Section, frozen=True, kw_only=True):
    """The load: `requests` over at most `concurrency` connections; closed if it had no rate (`harness.load.http`)."""

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
    `not connected`, `certificate verify failed: …`, `no TLS`, `timed out`, `broken off`, `no_file` or `no_port` (or
    `no_socket`, without memory) where the generator itself had none left, or, after an interruption, `not ended`. Both
    together are the requests.

    `response` are the times of the requests, from the moment at which they were due; of their sending, where the load
    was closed. One that failed took infinitely long. `service` is from the sending, None where that is no other.
    Connecting and reading the body are part of both. `body_bytes` is of all answers, whatever their status. `lag_*` is
    the generator's own delay.
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

    schema: Literal["matchstream-lab/http/2"]
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
