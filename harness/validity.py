"""Whether a trial's figures say something about the server, or about a load generator that could not keep up.

Two things make response times of an overloaded generator worthless. Fans that start late load the server less than was
asked, and the worst moments are never seen: *coordinated omission* (Gil Tene, "How NOT to Measure Latency", 2013).
And a process that is busy all the time reads answers late, and books its own queue on the server's account. So:

* **late**: the 99th percentile of the lag behind the schedule must not exceed the interval between two waves, beyond
  which waves run into each other and C is not what was asked; for shorter intervals 0.1 s is allowed, since C is then
  a rate rather than a moment.
* **saturated**: the busiest process must not use more than 90 % of a core while fans are being connected: from the
  first start to the last start or answer, whichever came later. Above that, queueing in the generator grows without
  bound (M/D/1: at 90 % the mean wait is 4.5 service times). The kernel counts CPU time in ticks of 10 ms, so a phase
  of less than half a second is not judged by this rule: there the lag says the same, with better resolution.
* **out of room**: a connection that the generator itself could not make says nothing about the server.
* **a late reporter**: events that the reporter, not the server, held back by more than 0.1 s.
"""

import math
from collections.abc import Sequence

from harness.events import Posted
from harness.result import Fans, GeneratorSeen, Validity
from harness.samples import Outcome

SHORTEST_LAG_S = 0.1
BUSIEST = 0.9
SHORTEST_PHASE_S = 0.5


def judge(
    generator: GeneratorSeen,
    fans: Fans,
    posts: Sequence[Posted],
    *,
    interval_s: float,
    connecting_s: float,
) -> Validity:
    """Return whether the trial is valid and every reason why not.

    `generator.cpu_share` must be over the `connecting_s` seconds in which fans were being connected.
    """
    reasons = []
    allowed_s = max(SHORTEST_LAG_S, interval_s)
    if generator.lag_p99_s > allowed_s:
        reasons.append(
            f"the generator was late: 1 % of the fans started {generator.lag_p99_s:.2f} s or more after their moment "
            f"(allowed: {allowed_s:.2f} s); use a smaller C or a machine with more cores"
        )
    if generator.cpu_share > BUSIEST and connecting_s >= SHORTEST_PHASE_S:
        reasons.append(
            f"the generator was saturated: it used {generator.cpu_share:.0%} of a core while connecting fans (allowed: "
            f"{BUSIEST:.0%}); use a smaller C, a longer interval, or more processes on more cores"
        )
    without_socket = fans.failures.get(Outcome.NO_SOCKET.name.lower(), 0)
    if without_socket:
        reasons.append(
            f"the generator could not make {without_socket:,} connections: no open file, port or memory was left on "
            "its side; use a smaller N, or raise the limits"
        )
    late_s = max((post.own_lag_s for post in posts), default=-math.inf)
    if late_s > SHORTEST_LAG_S:
        reasons.append(f"the reporter was late: it held an event back for {late_s:.2f} s; use a lower rate of events")
    return Validity(valid=not reasons, reasons=tuple(reasons))
