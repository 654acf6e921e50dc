"""Stage 2.5: other processes (slides "Logging", "Registration"; the talk measured N 50,000, C 8,000, ART 10 ms).

Cause: what nobody looks at. Every message that a process handles is a line in the log, written while everybody waits;
and to reach a process its supervisor is asked, which knows it by name anyway.

* `logging`: a line an event of a match and none a message, written by a thread beside. Costs the lines that are not
  there when something has to be understood: say `--without logging` then. It should move ART and C, a lot.
* `registered-names`: everybody agrees on the names of users, matches and dispatchers, so nobody has to ask where they
  are. It should move ART and C: three calls less for each fan.
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
