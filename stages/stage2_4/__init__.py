"""Stage 2.4: supervisors (slide "Simple one for one supervisors"; the talk measured N 50,000, C 8,000, ART 25 ms).

Cause: one process starts, and buries, all users; another one all clients.

* `user-managers`, `client-managers`: a hierarchy. Each of the two supervisors has 20 managers, which are
  `simple_one_for_one` supervisors of their share. On the BEAM 20 of them work side by side. Here one thread runs them
  all: what is left is that a start need not wait while another one's init waits, which since stage 2.3 none does. It
  should move nothing.

Measured (2 cores, the generator on the same machine; `reports/results`): N 17,000, C 5,000: all served, ART 0.82 s, as
in stage 2.3. Left out of stage 2.5 at N 8,000, C 1,000 (`reports/results/ablation`, three runs each; ratios, without
over with, and their 95 % intervals) no change is seen: ART is 0.92 [0.85, 1.00] without `user-managers`, and 0.95
[0.88, 1.02] without `client-managers`. A supervisor here is a dict. What was its burden was to wait for a child's task
to start, and twenty of them waited side by side; since clients hibernate from the start there is no such task. C, by
one search each, is 11,154-11,698 and 10,346-11,711, where the stage has 10,623-11,093.
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
