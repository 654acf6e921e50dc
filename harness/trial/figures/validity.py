"""Whether a trial's figures say something about the server, or about a load generator that could not keep up.

Two things make response times of an overloaded generator worthless. Fans that start late load the server less than was
asked, and the worst moments are never seen: *coordinated omission* (Gil Tene, "How NOT to Measure Latency", 2013).
And a process that is busy all the time asks late, and books its own queue on the server's account. So:

* **no moment**: C is fans who come at the same moment. They do where the 99th percentile of the lag behind the
  schedule is at most 25 ms, a tenth of the talk's interval, or at most a tenth of the response's 99th percentile, so
  that the lag is lost in what the server takes. Otherwise C was a rate, which the result says; the trial is valid.
* **late**: from 0.25 s on, the talk's interval, it is not: the load was another than was asked for. A longer interval
  does not make a generator quicker, so it does not allow more.
* **saturated**: in no wave may the busiest process use more than 90 % of a core, nor all of them together more than
  90 % of the cores that they may run on, where each gets less than one because there are more processes than cores.
  Above that, queueing in the generator grows without bound (M/D/1: at 90 % the mean wait is 4.5 service times). A wave
  lasts from its moment until 99 % of its fans were answered; the pause after it would only hide how it was. The kernel
  counts CPU time in ticks of 10 ms, so waves of less than half a second are judged all together, and a load of less
  than that not at all: there the lag says the same, with better resolution.
* **at a standstill**: no process may stand still for more than half a second, whether it was stopped, got no CPU, or
  had too much to do in a turn of its loop. What fans had to say meanwhile was said so much later, which nothing else
  shows once all of them are started.
* **out of room**: a connection that the generator itself could not make, as it had no file, port or memory left, says
  nothing about the server.
* **lost**: a host of the cluster that did not tell what its fans saw.
* **a late reporter**: events that the reporter, not the server, held back by more than 0.1 s.
* **interrupted**: what was asked was not done.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.load.connecting import SHORTAGES
from harness.load.reporter import Posted
from harness.records.seen import Fans
from harness.records.trial import Validity
from harness.records.usage import GeneratorSeen, Wave

LONGEST_MOMENT_S = 0.025
LAG_SHARE = 0.1
LONGEST_LAG_S = 0.25
SHORTEST_LAG_S = 0.1
BUSIEST = 0.9
SHORTEST_PHASE_S = 0.5
LONGEST_STANDSTILL_S = 0.5


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of a trial: fans were being connected for `connecting_s` seconds; the generator had `cores` to run on.

    The trial was interrupted after `interrupted_s` seconds; None if it was not.
    """

    connecting_s: float
    cores: int
    interrupted_s: float | None = None


def wave_of(generator: GeneratorSeen, response_p99_s: float | None) -> Wave:
    """Return whether the waves were moments; the response is that from the intended start, None if nobody had one."""
    allowed_s = max(LONGEST_MOMENT_S, LAG_SHARE * (response_p99_s or 0.0))
    return Wave(moment=generator.lag_p99_s <= allowed_s, within_s=generator.lag_max_s)


def judge(generator: GeneratorSeen, fans: Fans, posts: Sequence[Posted], trial: Circumstances) -> Validity:
    """Return whether the trial is valid and every reason why not."""
    reasons = []
    if trial.interrupted_s is not None:
        reasons.append(f"it was interrupted after {trial.interrupted_s:.1f} s; measure again")
    if generator.lag_p99_s > LONGEST_LAG_S:
        reasons.append(
            f"the generator was late: 1 % of the fans started {generator.lag_p99_s:.2f} s or more after their moment "
            f"(allowed: {LONGEST_LAG_S:.2f} s); use a smaller C or a machine with more cores"
        )
    reasons += [
        f"the host at {host.address} was lost after {host.lost_s:.1f} s ({host.lost}), and with it what its "
        f"{host.fans:,} fans saw; see what became of it, and measure again"
        for host in generator.hosts
        if host.lost is not None
    ]
    used = _saturated(generator, trial.cores)
    if used is not None and trial.connecting_s >= SHORTEST_PHASE_S:
        reasons.append(
            f"the generator was saturated: it used {used} in a wave (allowed: {BUSIEST:.0%}); use a "
            "smaller C, a longer interval, or more processes on more cores"
        )
    if generator.turn_max_s > LONGEST_STANDSTILL_S:
        reasons.append(
            f"the generator stood still for {generator.turn_max_s:.2f} s (allowed: {LONGEST_STANDSTILL_S:.2f} s), so "
            "it read late what came meanwhile; see what kept it from running, or use more processes on more cores"
        )
    reasons += out_of_room(fans.failures, "N")
    late_s = max((post.own_lag_s for post in posts), default=-math.inf)
    if late_s > SHORTEST_LAG_S:
        reasons.append(f"the reporter was late: it held an event back for {late_s:.2f} s; use a lower rate of events")
    return Validity(valid=not reasons, reasons=tuple(reasons))


def out_of_room(failures: Mapping[str, int], smaller: str) -> Iterator[str]:
    """Give what the generator itself ran out of, by failures that have the names of outcomes; `smaller` needs less."""
    for outcome, shortage in SHORTAGES.items():
        count = failures.get(outcome.name.lower(), 0)
        if count:
            yield f"the generator could not make {count:,} connections: {shortage}, or use a smaller {smaller}"


def _saturated(generator: GeneratorSeen, cores: int) -> str | None:
    """Return what the generator used too much of, and how much; None if it did not."""
    if generator.cpu_share > BUSIEST:
        return f"{generator.cpu_share:.0%} of a core"
    if generator.hosts:
        full = (host for host in generator.hosts if host.cpu_total > BUSIEST * host.cores)
        return next((f"{host.cpu_total:.1f} of the {host.cores:,} cores of {host.address}" for host in full), None)
    if generator.cpu_total is not None and generator.cpu_total > BUSIEST * cores:
        return f"{generator.cpu_total:.1f} of the {cores:,} cores that it may run on"
    return None
