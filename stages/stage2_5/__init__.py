"""Stage 2.5: other processes (slides "Logging", "Registration"; the talk measured N 50,000, C 8,000, ART 10 ms).

Cause: what nobody looks at. Every message that a process handles is a line in the log, written while everybody waits;
and to reach a process its supervisor is asked, which knows it by name anyway.

* `logging`: a line an event of a match and none a message, written by a thread beside. Costs the lines that are not
  there when something has to be understood: say `--without logging` then. It should move ART and C, a lot.
* `registered-names`: everybody agrees on the names of users, matches and dispatchers, so nobody has to ask where they
  are. It should move ART and C: three calls less for each fan.

Measured (2 cores, the generator on the same machine; `reports/results`): N 10,000, C 1,000: all served, ART 78 ms (the
original in Erlang, on a machine of this kind: 94 ms). N 17,000, C 8,000: all served, ART 1.26 s (the original: 1.55
s), one event to all in 161 ms on the mean and 248 ms to the last (111-136 and 226-269 ms); 4.0 KiB of user space a
connection (55 KB). Left out at N 8,000, C 1,000 (`reports/results/ablation`, three runs each; ratios, without
over with, and their 95 % intervals; C by one search each, where the stage has 5,546-5,792):

* without `logging` an event takes 4.4 [3.9, 5.6] to a fan, ART is 1.77 [1.14, 2.73], and C 3,792-4,009: the largest of
  all. Alone on the baseline: an event 0.59 [0.57, 0.62].
* without `registered-names` no change is seen (ART 1.05 [0.88, 1.25]; C 4,997-5,333).

A profile (py-spy) of a wave: accepting and starting clients 21 %, a user's watch 17 %, turns of hibernating processes
11 %, the loop itself 10 %, questions to Redis 12 %, the rest spread thin. Before, a fifth went into exchanges with
Redis (`stages.stage2_3.batches` ended that), and starts of clients and users into messages to their supervisors
(`common.otp.hibernation`). What is left is two actors a fan, each with its start and its messages.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stages import stage2_4
from stages.stage import Lesson, layered
from stages.stage2_5.logging import log_beside
from stages.stage2_5.registered_names import KnownMatchSup, KnownUserSup, NamedMatch, NamingUser

if TYPE_CHECKING:
    from stages.stage import Parts


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
