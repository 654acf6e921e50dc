"""A host's side: the generator of one machine of a cluster, played there by a Dask worker, which is asked from afar."""

from __future__ import annotations

import socket
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from common.tuning.open_files import OpenFiles
from harness.load.controller import Generator, GeneratorError
from harness.load.workload import LOOPBACK_SOURCES, RESERVED_FILES, Sources
from harness.records.machine import Machine, describe_machine, harness_version
from harness.trial.observer import Observation, Observer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.load.conduct import Conduct
    from harness.load.deliveries import SentEvent
    from harness.load.samples import GeneratorUsage, Progress, Samples
    from harness.load.workload import Dialogue, Endpoint, LoadPart

_REACH_TIMEOUT_S: Final = 5.0
_ADDRESSES_A_HOST: Final = 256
"""Of 127.0.0.0/16, where several workers are on the machine that also has the server."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What a host is: `fans` is how many one process of it may hold, by its limit of open files."""

    name: str
    harness: str
    machine: Machine
    fans: int


@dataclass(frozen=True, slots=True)
class HostJob:
    """What a host is to play: see `harness.load.controller.Generator`; it is the `number`-th of all, from 0.

    `ca` is what the file of the dialogue's certificates says, which is on the machine of the trial only.
    """

    number: int
    part: LoadPart
    dialogue: Dialogue
    ca: str | None
    endpoints: tuple[Endpoint, ...]
    user_prefix: str
    answer_timeout_s: float
    conduct: Conduct
    events: int | None
    clocks_apart_s: float


@dataclass(frozen=True, slots=True)
class HostReport:
    """What the fans of a host saw, what it cost to see it, and what was seen of its generator processes."""

    samples: Samples
    usage: GeneratorUsage
    observation: Observation


class GeneratorHost:
    """The generator of one host: a Dask actor (https://distributed.dask.org/en/stable/actors.html).

    Its methods are called in the order prepare, begin, exchange, finish; `facts` and `clock` at any time. It ends its
    processes when it is finished, or dropped by its worker, as it is when the trial is gone.
    """

    def __init__(self) -> None:
        self._cleanup = ExitStack()
        self._generator: Generator
        self._observer: Observer
        self._t0 = 0.0

    def facts(self) -> HostFacts:
        """Return what this host is."""
        fans = max(0, OpenFiles.read().hard - RESERVED_FILES)
        return HostFacts(socket.gethostname(), harness_version(), describe_machine(), fans)

    async def clock(self) -> float:
        """Return CLOCK_MONOTONIC. It is a coroutine so that no thread has to be woken for it, which takes time."""
        return monotonic()

    def prepare(self, job: HostJob) -> None:
        """Make the fans ready to start. Raise HarnessError where they do not fit, or the server cannot be reached."""
        for endpoint in job.endpoints:
            _try_to_reach(endpoint)
        dialogue = job.dialogue
        if dialogue.tls is not None and job.ca is not None:
            directory = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory()))
            (directory / "ca.pem").write_text(job.ca)
            dialogue = replace(dialogue, tls=replace(dialogue.tls, ca=directory / "ca.pem"))
        generator = Generator(
            job.part,
            dialogue,
            job.endpoints,
            job.user_prefix,
            answer_timeout_s=job.answer_timeout_s,
            sources=_sources_of(job.number),
            conduct=job.conduct,
            events=job.events,
            clocks_apart_s=job.clocks_apart_s,
        )
        self._generator = self._cleanup.enter_context(generator)
        generator.wait_until_ready()
        self._observer = self._cleanup.enter_context(Observer(generator.pids))

    def begin(self, t0: float) -> None:
        """Have the schedule begin at that moment of this host's CLOCK_MONOTONIC."""
        self._t0 = t0
        self._generator.begin(t0)

    def events_begin(self, at: float) -> None:
        """Have the moments of the conduct count from that moment of this host's CLOCK_MONOTONIC."""
        self._generator.events_begin(at)

    def events_end(self) -> None:
        """Have fans who lose their connection from now on stay away."""
        self._generator.events_end()

    def exchange(self, events: Sequence[SentEvent]) -> Progress:
        """Hear which events were sent since the last time, and return how far the fans are. Raise GeneratorError."""
        for event in events:
            self._generator.event_sent(event)
        self._generator.hold(0.001)  # which looks after the processes
        return self._generator.progress()

    def finish(self, close_wait_s: float) -> HostReport:
        """End the load, and return what was seen. Raise GeneratorError if a generator process died."""
        try:
            self._observer.sample()
            samples, usage = self._generator.finish(close_wait_s)
            return HostReport(samples, usage, self._observer.observation(self._t0))
        finally:
            self._cleanup.close()

    def __del__(self) -> None:
        self._cleanup.close()


def _sources_of(number: int) -> Sources:
    """Return the addresses of a host's fans towards a server on the same machine, where other hosts may be, too."""
    first = LOOPBACK_SOURCES.first + number % 250 * _ADDRESSES_A_HOST
    return replace(LOOPBACK_SOURCES, first=first)


def _try_to_reach(endpoint: Endpoint) -> None:
    try:
        with socket.create_connection((endpoint.host, endpoint.port), timeout=_REACH_TIMEOUT_S):
            return
    except OSError as error:
        reason = error.strerror or error
        raise GeneratorError(
            f"cannot connect to {endpoint.host}:{endpoint.port} ({reason}): name an address of the server that all "
            "hosts of the cluster reach"
        ) from None
