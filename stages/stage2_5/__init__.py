"""Stage 2.5: other processes (slides "Logging", "Registration"; the talk measured N 50,000, C 8,000, ART 10 ms).

Cause: what nobody looks at. Every message that a process handles is a line in the log, written while everybody waits;
and to reach a process its supervisor is asked, which knows it by name anyway.

* `logging`: a line an event of a match and none a message, written by a thread beside. Costs the lines that are not
  there when something has to be understood: say `--without logging` then. It should move ART and C, a lot.
* `registered-names`: everybody agrees on the names of users, matches and dispatchers, so nobody has to ask where they
  are. It should move ART and C: three calls less for each fan.

Measured (2 cores, shared with the generator; without over with, in the scenarios that exercise a lesson: the course has
the intervals, `reports/results/ablation` all of it):

* without `logging` an event takes 1.9 to 2.1 times as long to a fan, and the CPU is as much busier; while fans come
  and go, who comes waits 2.7 to 4.2 times as long. Added alone to the baseline, no change is seen (an event 0.6).
* without `registered-names` a connection takes 1.2 of the memory in this stage and 1.75 in stage 3; no other change is
  seen.

The original in Erlang, on a machine of this kind: N 10,000, C 1,000: ART 94 ms; N 17,000, C 8,000: ART 1.55 s, one
event to all in 111-136 ms on the mean and 226-269 ms to the last, 55 KB a connection.

Profiles of a wave (perf, strace and a trial's raw samples): of 162 µs a fan two fifths were the kernel's, and all of
the waiting was in the accept queue, since each client's start took its supervisor a turn of the loop and a task. A fan
takes 90 µs until its answer now, and some 50 µs afterwards. What is left is two actors a fan, each with its start and
its messages.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stages import stage2_4
from stages.stage0.parts import Lesson, layered
from stages.stage2_5.logging import log_beside
from stages.stage2_5.registered_names import KnownMatchSup, KnownUserSup, NamedMatch, NamingUser

if TYPE_CHECKING:
    from stages.stage0.parts import Parts


def _logging(parts: Parts) -> Parts:
    return replace(parts, log=log_beside)


def _registered_names(parts: Parts) -> Parts:
    return replace(
        parts,
        user=layered(parts.user, NamingUser),
        user_sup=layered(parts.user_sup, KnownUserSup),
        live_match=layered(parts.live_match, NamedMatch),
        match_sup=layered(parts.match_sup, KnownMatchSup),
    )


STAGE = stage2_4.STAGE.followed_by(
    "2.5",
    Lesson(name="logging", teaches="a line an event, none a message, written beside", apply=_logging),
    Lesson(name="registered-names", teaches="processes are reached by names that all know", apply=_registered_names),
)
