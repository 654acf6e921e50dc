"""From what a trial left behind to its result: figures, validity, verdict and what bound first. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np

from harness.load.asking import Answers
from harness.load.reporter import Posted
from harness.load.samples import GeneratorUsage, Samples
from harness.records.asked import Asked, AskedLoad, Placement
from harness.records.distribution import distribution
from harness.records.machine import Machine, harness_version
from harness.records.seen import ApiSeen, Seen
from harness.records.trial import SCHEMA, TrialResult, Verdict
from harness.records.usage import GeneratorSeen, HostSeen, LoopLag, Memory
from harness.trial.figures.bound import Observations, first_bound
from harness.trial.figures.delivery import Phases, analyse
from harness.trial.figures.rate import answered_per_s
from harness.trial.figures.slo import Slo
from harness.trial.figures.usage import busiest_wave, host_seen, server_seen
from harness.trial.figures.validity import SHORTEST_PHASE_S, Circumstances, judge, wave_of
from harness.trial.observer import Observation


@dataclass(frozen=True, slots=True)
class RawHost:
    """What is known of a host of a cluster: see HostSeen. `observation` is of its generator processes, if it told."""

    address: str
    name: str
    fans: int
    cores: int
    clock_uncertain_s: float
    observation: Observation | None
    lost: str | None
    lost_s: float


@dataclass(frozen=True, slots=True)
class Raw:
    """What a trial leaves before anything is computed. Moments are seconds from the first intended start.

    `memory` is what connections took at rest, if it came to that; `overflows` how much the machine's two counts of full
    accept queues grew until then; `server_ended` how the server ended by itself, if it did. `interrupted`: it was, when
    it was over. `loop_lag` is what the server told of its event loop, if it was asked and answered; `answers` are those
    of its API. `hosts` are those of the cluster that played the fans, if one did.
    """

    samples: Samples
    usage: GeneratorUsage
    posts: tuple[Posted, ...] | None
    phases: Phases
    memory: Memory | None
    server: Observation
    generator: Observation
    overflows: tuple[int, int]
    server_ended: str | None
    interrupted: bool = False
    loop_lag: LoopLag | None = None
    answers: Answers | None = None
    hosts: tuple[RawHost, ...] = ()


def assemble(raw: Raw, asked: Asked, slo: Slo, machine: Machine, started_at: datetime) -> TrialResult:
    """Return the result of a trial."""
    seen = _seen(raw, asked.load)
    server = server_seen(
        raw.server,
        over_s=raw.phases.over_s,
        memory=raw.memory,
        ended=raw.server_ended,
        last_event_s=raw.posts[-1].sent_s if raw.posts else None,
    )
    host = host_seen(raw.server, raw.overflows)
    connecting_s = _connecting_s(raw.samples)
    placement = asked.placement
    generator = _generator_seen(raw, connecting_s)
    circumstances = Circumstances(
        connecting_s=connecting_s,
        cores=machine.cores if placement.generator_cpus is None else len(placement.generator_cpus),
        interrupted_s=raw.phases.over_s if raw.interrupted else None,
    )
    intended = seen.response.intended
    validity = judge(generator, seen.fans, raw.posts or (), circumstances)
    broken = slo.check(seen)
    verdict = Verdict(met=not broken, broken=broken)
    observations = Observations(
        load=asked.load,
        seen=seen,
        generator=generator,
        server=server,
        host=host,
        cores=machine.cores,
        memory_bytes=machine.memory_bytes,
        validity=validity,
        verdict=verdict,
        server_cores=_server_cores(placement),
        interrupted=raw.interrupted,
    )
    return TrialResult(
        schema=SCHEMA,
        harness=harness_version(),
        started_at=started_at,
        asked=asked,
        seen=seen,
        generator=generator,
        server=server,
        host=host,
        validity=validity,
        verdict=verdict,
        bound=first_bound(observations),
        machine=machine,
        wave=wave_of(generator, None if intended is None else intended.p99_s),
        interrupted=raw.interrupted,
        loop_lag=raw.loop_lag,
        loop_lag_p99_s=_p99_s(raw.loop_lag),
    )


def _api_seen(answers: Answers | None) -> ApiSeen | None:
    return None if answers is None else ApiSeen(answers=distribution(np.array(answers.took_s)), failed=answers.failed)


def _seen(raw: Raw, load: AskedLoad) -> Seen:
    seen = analyse(raw.samples, raw.posts, raw.phases)
    rate = answered_per_s(seen.timeline, waves=-(-load.n // load.c))
    return msgspec.structs.replace(seen, answered_per_s=rate, api=_api_seen(raw.answers))


def _p99_s(lag: LoopLag | None) -> float | None:
    found = None if lag is None else distribution(np.array(lag.late_s))
    return None if found is None else found.p99_s


def _connecting_s(samples: Samples) -> float:
    """Return when the last fan was started or answered, whichever came later: so long the generator was connecting."""
    moments = np.concatenate((np.asarray(samples.started_s), np.asarray(samples.answered_s)))
    return float(np.nanmax(moments, initial=0.0))


def wave_times(samples: Samples) -> tuple[tuple[float, float], ...]:
    """Return of each wave its moment, and when 99 % of its fans had been answered (or started, if none was) after it.

    The last hundredth is left out: it may have waited for a SYN that was lost, while the generator had nothing to do.
    """
    intended_s, started_s, answered_s = map(np.asarray, (samples.intended_s, samples.started_s, samples.answered_s))
    done_s = np.fmax(started_s, answered_s)
    moments, firsts = np.unique(intended_s, return_index=True)
    waves = (part[~np.isnan(part)] for part in np.split(done_s, firsts[1:]))
    return tuple(
        (float(moment), float(np.quantile(wave, 0.99)))
        for moment, wave in zip(moments, waves, strict=True)
        if wave.size
    )


def _server_cores(placement: Placement) -> int | None:
    """Return on how many CPUs the server is kept, its Redis included; None if it is not."""
    if placement.server_cpus is None:
        return None
    return len({*placement.server_cpus, *(placement.redis_cpus or ())})


def _generator_seen(raw: Raw, connecting_s: float) -> GeneratorSeen:
    waves = [wave for wave in wave_times(raw.samples) if wave[1] - wave[0] >= SHORTEST_PHASE_S]
    times = [(0.0, connecting_s), *waves]
    hosts = tuple(_host_seen(host, times) for host in raw.hosts)
    if hosts:
        busiest, together = max(host.cpu_share for host in hosts), sum(host.cpu_total for host in hosts)
    else:
        busiest, together = busiest_wave(raw.generator, times)
    return GeneratorSeen(
        processes=raw.usage.processes,
        cpu_share=busiest,
        cpu_total=together,
        lag_p50_s=raw.usage.lag_p50_s,
        lag_p99_s=raw.usage.lag_p99_s,
        lag_max_s=raw.usage.lag_max_s,
        turn_max_s=raw.usage.turn_max_s,
        bytes_per_connection=raw.usage.bytes_per_connection,
        peak_rss_bytes=raw.usage.peak_rss,
        hosts=hosts,
    )


def _host_seen(host: RawHost, times: Sequence[tuple[float, float]]) -> HostSeen:
    seen = host.observation
    busiest, together = (0.0, 0.0) if seen is None else busiest_wave(seen, times)
    return HostSeen(
        address=host.address,
        name=host.name,
        fans=host.fans,
        cores=host.cores,
        processes=0 if seen is None else len(seen.processes),
        cpu_share=busiest,
        cpu_total=together,
        clock_uncertain_s=host.clock_uncertain_s,
        lost=host.lost,
        lost_s=host.lost_s,
    )
