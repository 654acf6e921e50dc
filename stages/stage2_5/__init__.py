"""Stage 2.5: other processes (slides "Logging", "Registration"; the talk measured N 50,000, C 8,000, ART 10 ms).

Cause: what nobody looks at. Every message that a process handles is a line in the log, written while everybody waits;
and to reach a process its supervisor is asked, which knows it by name anyway.

* `logging`: a line an event of a match and none a message, written by a thread beside. Costs the lines that are not
  there when something has to be understood: say `--without logging` then. It should move ART and C, a lot.
* `registered-names`: everybody agrees on the names of users, matches and dispatchers, so nobody has to ask where they
  are. It should move ART and C: three calls less for each fan.

Measured (2 cores, the generator on the same machine; `reports/results`): N 10,000, C 1,000: all served, ART 40 ms (the
original in Erlang, on a machine of this kind: 94 ms). N 17,000, C 8,000: all served, ART 0.61 s (the original: 1.55
s), one event to all in 171 ms on the mean and 276 ms to the last (111-136 and 226-269 ms); 3.7 KiB of user space a
connection (55 KB). Left out at N 8,000, C 1,000 (`reports/results/ablation`, three runs each; ratios, without
over with, and their 95 % intervals; C by one search each, where the stage has 10,623-11,093):

* without `logging` an event takes 5.4 [4.9, 6.3] to a fan, ART is 1.33 [1.20, 1.49], and C 7,264-7,788. Alone on the
  baseline: an event 0.55 [0.49, 0.61], ART 0.76 [0.70, 0.83].
* without `registered-names` a connection takes 1.05 [1.05, 1.06] of the memory; no other change is seen (ART 1.06
  [0.95, 1.14]; C 10,091-11,154).

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
