"""Stage 2.2: gen_event (slides "Sup_handler", "Long delivery queues"; the talk measured N 8,000, C 1,000, ART 2 s).

Cause: the dispatcher. Every fan that leaves makes it look through the handlers of all the others, and an event waits
behind everything that the dispatcher does, and everything else behind the event.

* `monitors`: a handler is added without supervision; user, client and dispatcher watch each other by monitors. Costs
  a monitor for each pair. It should move what leaving costs: from N² for a crowd that goes, to N.
* `repeaters`: dispatchers that are subscribed to the dispatcher and repeat to their share of the users. Costs one
  message a repeater and event. On the BEAM the shares run on several cores. Here one thread does all the work, so what
  is left is that other processes get their turn between two shares.

Measured (2 cores, the generator on the same machine; `reports/results`): N 8,000, C 1,000: all served, ART 1.14 s.
Users still start one after the other, each with a visit to Redis. Left out of stage 2.5 at N 8,000, C 1,000
(`reports/results/ablation`, three runs each; ratios, without over with, and their 95 % intervals):

* without `monitors` ART does not change (0.91 [0.80, 1.02]), since in a trial nobody leaves before the end, and a
  connection takes 0.87 [0.86, 0.88] of the memory: a monitor a fan costs half a KiB. What leaving costs without them,
  a test shows by the handlers that are left.
* without `repeaters` an event takes 0.85 [0.78, 0.91]: one thread does the work of all shares, so the message more for
  each is all that is left. They bring nothing on CPython, nor alone on the baseline (an event 1.00 [0.92, 1.08]).

Neither N nor C is another without them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from stages import stage2_1
from stages.stage0.parts import Lesson, layered
from stages.stage2_2.monitors import MonitoringClient, MonitoringUser
from stages.stage2_2.repeaters import RepeatedMatch

if TYPE_CHECKING:
    from stages.stage0.parts import Parts

REPEATERS: Final = 8


def _monitors(parts: Parts) -> Parts:
    return replace(parts, client=layered(parts.client, MonitoringClient), user=layered(parts.user, MonitoringUser))


def _repeaters(parts: Parts) -> Parts:
    return replace(parts, dispatchers=REPEATERS, live_match=layered(parts.live_match, RepeatedMatch))


STAGE = stage2_1.STAGE.followed_by(
    "2.2",
    Lesson(name="monitors", teaches="no supervised handlers: monitor the processes instead", apply=_monitors),
    Lesson(name="repeaters", teaches="dispatchers that repeat to their share of the users", apply=_repeaters),
)
