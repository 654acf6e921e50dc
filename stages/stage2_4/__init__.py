"""Stage 2.4: supervisors (slide "Simple one for one supervisors"; the talk measured N 50,000, C 8,000, ART 25 ms).

Cause: one process starts, and buries, all users; another one all clients.

* `user-managers`, `client-managers`: a hierarchy. Each of the two supervisors has 20 managers, which are
  `simple_one_for_one` supervisors of their share. On the BEAM 20 of them work side by side. Here one thread runs them
  all: what is left is that a start need not wait while another one's init waits, which since stage 2.3 none does. It
  should move nothing.

Measured (2 cores, shared with the generator; without over with, in the scenarios that exercise a lesson: the course has
the intervals, `reports/results/ablation` all of it): what they are for is a day on which something crashes. When 1 %
of the processes crash in a second, and once a supervisor, twelve times as many fans are cut off without
`user-managers`, and as many without `client-managers`: the one supervisor takes all of them along, a manager its
share. On all other days they bring nothing here. A supervisor is a dict; what was its burden was to wait for a child's
task to start, and since clients hibernate from the start there is no such task.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stages import stage2_3
from stages.stage0.parts import Lesson, layered
from stages.stage2_4.managers import ClientManagers, UserManagers

if TYPE_CHECKING:
    from stages.stage0.parts import Parts


def _user_managers(parts: Parts) -> Parts:
    return replace(parts, user_mgr=parts.user_sup, user_sup=layered(parts.user_sup, UserManagers))


def _client_managers(parts: Parts) -> Parts:
    return replace(parts, client_mgr=parts.client_sup, client_sup=layered(parts.client_sup, ClientManagers))


STAGE = stage2_3.STAGE.followed_by(
    "2.4",
    Lesson(name="user-managers", teaches="users are spread over 20 supervisors", apply=_user_managers),
    Lesson(name="client-managers", teaches="clients are spread over 20 supervisors", apply=_client_managers),
)
