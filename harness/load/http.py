"""A load of HTTP requests on one URL: as ApacheBench makes it, and as it should be made.

Closed (the default, `ab -n -c`): c workers, each of which sends its next request when its last one was answered. Such a
load waits for the server. While that stands still it sends nothing, so a stall of a second is c slow requests among
very many quick ones, and every percentile hides it: *coordinated omission* (Gil Tene, "How NOT to Measure Latency").

Open (a rate): request i is due i / rate seconds after the first one, whatever became of those before it, and its time
counts from then on. The workers are at most c; a request that finds none free waits, and that counts, too.

In both a worker takes the next number, waits until that request is due, and sends it. Closed means that all are due at
once, and that the time counts from the sending.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp
import numpy as np

from common.tuning.open_files import all_open_files
from harness.interruption import run_interruptibly
from harness.load.connecting import SHORTAGES, outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NOT_CONNECTED: Final = "not connected"
TIMED_OUT: Final = "timed out"
BROKEN_OFF: Final = "broken off"
NO_TLS: Final = "no TLS"
"""Failures that have no status of HTTP, besides what this side ran out of, and what was wrong with a certificate."""
SUCCESS: Final = range(200, 300)
"""The statuses of requests that were done: a redirection is none, and is not followed."""


@dataclass(frozen=True, slots=True)
class HttpPlan:
    """What to send: `requests` times, over at most `concurrency` connections at a time.

    `bodies` are sent in their order, as JSON; none: requests without a body. With `keep_alive` a connection carries
    many requests, else one. `rate_per_s` None: a closed load. A request has `timeout_s` from its sending. `trust` says
    whom to believe at an https:// URL, None: whom this machine trusts.
    """

    method: str
    url: str
    requests: int
    concurrency: int
    keep_alive: bool = False
    rate_per_s: float | None = None
    timeout_s: float = 30.0
    token: str | None = None
    bodies: tuple[bytes, ...] = ()
    trust: ssl.SSLContext | None = None

    def due_s(self, number: int) -> float:
        """Return when request `number`, from 0, is due: seconds after the beginning."""
        return 0.0 if self.rate_per_s is None else number / self.rate_per_s


@dataclass(slots=True)
class HttpSamples:
    """What became of the requests, a column an item; moments are seconds after the beginning, NaN: not (yet).

    `lag_s` is how late a request was sent by a worker that was free: the generator's own slowness. `succeeded` tells
    those that were answered with 2xx. `statuses` counts the answers by HTTP's status, `failures` the requests without
    one; `took_s` and `cpu_s` are the time and this process's CPU time from the beginning to the last of them.
    """

    due_s: NDArray[np.float64]
    sent_s: NDArray[np.float64]
    done_s: NDArray[np.float64]
    lag_s: NDArray[np.float64]
    succeeded: NDArray[np.bool_]
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    body_bytes: int = 0
    took_s: float = 0.0
    cpu_s: float = 0.0

    @classmethod
    def of(cls, plan: HttpPlan) -> HttpSamples:
        """Return room for the requests of a plan."""
        due_s = np.array([plan.due_s(number) for number in range(plan.requests)])
        sent_s, done_s, lag_s = np.full((3, plan.requests), np.nan)
        return cls(due_s, sent_s, done_s, lag_s, np.zeros(plan.requests, dtype=bool))

    @property
    def ended(self) -> int:
        """How many requests have been answered, or have failed."""
        return self.statuses.total() + self.failures.total()


def load_http(plan: HttpPlan, samples: HttpSamples) -> None:
    """Send all requests, and write into `samples` what is seen.

    Raise KeyboardInterrupt: what was seen until then is in `samples`.
    """
    begin_s, cpu_s = time.monotonic(), time.process_time()
    try:
        with all_open_files():
            run_interruptibly(_Workers(plan, samples).run())
    finally:
        samples.took_s, samples.cpu_s = time.monotonic() - begin_s, time.process_time() - cpu_s


class _Workers:
    def __init__(self, plan: HttpPlan, samples: HttpSamples) -> None:
        self._plan = plan
        self._samples = samples
        self._numbers: Iterator[int] = iter(range(plan.requests))
        self._t0 = 0.0

    async def run(self) -> None:
        plan = self._plan
        trust = True if plan.trust is None else plan.trust
        connector = aiohttp.TCPConnector(limit=0, force_close=not plan.keep_alive, ssl=trust)
        timeout = aiohttp.ClientTimeout(total=plan.timeout_s)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers=self._headers(), cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            # Else aiohttp sends a GET again whose connection was closed without an answer, and hides that it was.
            session._retry_connection = False  # noqa: SLF001 -- there is no public way
            self._t0 = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for worker in range(min(plan.concurrency, plan.requests)):
                    group.create_task(self._work(session), name=f"worker-{worker}")

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}  # so that bytes are those of the answer, as ab counts them
        if self._plan.bodies:
            headers["Content-Type"] = "application/json"
        if self._plan.token is not None:
            headers["Authorization"] = f"Bearer {self._plan.token}"
        return headers

    def _now(self) -> float:
        return time.monotonic() - self._t0

    async def _work(self, session: aiohttp.ClientSession) -> None:
        """Send one request after the other until there are none left."""
        samples = self._samples
        for number in self._numbers:
            free_s = self._now()
            due_s = float(samples.due_s[number])
            if due_s > free_s:
                await asyncio.sleep(due_s - free_s)
            samples.sent_s[number] = sent_s = self._now()
            samples.lag_s[number] = sent_s - max(due_s, free_s)
            failure = await self._send(session, number)
            if failure is not None:
                samples.failures[failure] += 1

    async def _send(self, session: aiohttp.ClientSession, number: int) -> str | None:
        """Send a request and read its answer; return what happened instead, if there was none."""
        plan, samples = self._plan, self._samples
        body = plan.bodies[number] if plan.bodies else None
        try:
            async with session.request(plan.method, plan.url, data=body, allow_redirects=False) as answer:
                content = await answer.read()
        except aiohttp.ClientConnectorError as error:
            return _why_not_connected(error)
        except TimeoutError:
            return TIMED_OUT
        except (aiohttp.ClientError, OSError):
            return BROKEN_OFF
        samples.done_s[number] = self._now()
        samples.succeeded[number] = answer.status in SUCCESS
        samples.statuses[answer.status] += 1
        samples.body_bytes += len(content)
        return None


def _why_not_connected(error: aiohttp.ClientConnectorError) -> str:
    """Return what is known of it: the name of an outcome where this side had no room, or how TLS failed."""
    why = error.os_error
    if isinstance(why, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {why.verify_message}"
    if isinstance(why, ssl.SSLError):
        return NO_TLS
    outcome = outcome_of(why.errno or 0)
    return outcome.name.lower() if outcome in SHORTAGES else NOT_CONNECTED
