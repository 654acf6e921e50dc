"""Stage 2.2: gen_event (slides "Sup_handler", "Long delivery queues"; the talk measured N 8,000, C 1,000, ART 2 s).

Cause: the dispatcher. Every fan that leaves makes it look through the handlers of all the others, and an event waits
behind everything that the dispatcher does, and everything else behind the event.

* `monitors`: a handler is added without supervision; user, client and dispatcher watch each other by monitors. Costs
  a monitor for each pair. It should move what leaving costs: from N² for a crowd that goes, to N.
* `repeaters`: dispatchers that are subscribed to the dispatcher and repeat to their share of the users. Costs one
  message a repeater and event. On the BEAM the shares run on several cores. Here one thread does all the work, so what
  is left is that other processes get their turn between two shares.

Measured (2 cores, shared with the generator; without over with, in the scenarios that exercise a lesson: the course has
the intervals, `reports/results/ablation` all of it):

* without `monitors` no change is seen, neither while a twentieth of the fans leaves and comes each second, nor when
  2,000 of 4,000 break off at once: N is too small here for N² to show. What leaving costs, a test shows by the
  handlers that are left.
* without `repeaters` no change is seen, also while fans come and the API is asked. One thread does the work of all
  shares.
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
