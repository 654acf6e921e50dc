"""Stage 2.3: gen_server (slides "Queued calls", "Memory footprint", "Long startup time"; N 40,000, C 5,000, ART 25 ms).

Cause: processes that wait. A server that waits for Redis in a call keeps everybody behind it waiting; a supervisor
that waits for the init of a child starts no other; and an idle process keeps what it needed when it was busy.

* `reply-later`: a call is worked on beside the server's loop and answered when done. It should move ART, and C.
* `hibernate`: clients and users give up task, stack and mailbox while they have nothing to do. It should move N, by
  memory; and here ART too: a process starts, and handles what needs no waiting, without a task.
* `delayed-init`: a user answers its fan at once; it counts its visit and subscribes afterwards, at low priority. It
  should move ART and C. Costs: an event right after a crowd takes longer to the last of it.

What it took (N 17,000, C 5,000; 2 cores of an earlier machine): all served, ART 0.82 s, response from the intended
start 0.89 s on the mean. Events right after such a crowd reach the last of it when what could wait is done, 3.7 s
later; after that an event takes 0.5 s. ART was 2.2 s before. Clients that start without a task made it 1.4 s, one
answer for fans who come together 1.2 s, and answers that come before what can wait 0.8 s.

Measured (2 cores, shared with the generator; without over with, in the scenarios that exercise a lesson: the course has
the intervals, `reports/results/ablation` all of it):

* without `reply-later` ART is 1.7 to 2.1, more so when Redis is 2 ms away: every question is a write of its own, and
  waits for its turn. Alone on the baseline, where nobody waits, it costs: ART 4.2, the 2 ms for which a batch is
  gathered.
* without `hibernate` a connection takes 1.6 of the memory in this stage, ART is 1.8, and an event takes 1.2. Alone on
  the baseline a connection takes 0.46 of it.
* without `delayed-init` this stage does not bear its waves, ART is a hundred times as long; in stage 3 it is 1.4.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stages import stage2_2
from stages.stage0.parts import Lesson, layered
from stages.stage2_3.batches import BatchingStore
from stages.stage2_3.delayed_init import DelayedUser
from stages.stage2_3.hibernate import (
    HibernatingClient,
    HibernatingClientSup,
    HibernatingDispatcher,
    HibernatingMatch,
    HibernatingMatchSup,
    HibernatingUser,
    HibernatingUserSup,
)
from stages.stage2_3.low_priority import PriorityRunQueue
from stages.stage2_3.reply_later import LaterDb, LaterMatch

if TYPE_CHECKING:
    from stages.stage0.parts import Parts


def _reply_later(parts: Parts) -> Parts:
    return replace(
        parts,
        db=layered(parts.db, LaterDb),
        store=layered(parts.store, BatchingStore),
        live_match=layered(parts.live_match, LaterMatch),
    )


def _hibernate(parts: Parts) -> Parts:
    return replace(
        parts,
        client_sup=layered(parts.client_sup, HibernatingClientSup),
        client=layered(parts.client, HibernatingClient),
        user_sup=layered(parts.user_sup, HibernatingUserSup),
        user=layered(parts.user, HibernatingUser),
        live_match=layered(parts.live_match, HibernatingMatch),
        match_sup=layered(parts.match_sup, HibernatingMatchSup),
        dispatcher=layered(parts.dispatcher, HibernatingDispatcher),
    )


def _delayed_init(parts: Parts) -> Parts:
    return replace(parts, user=layered(parts.user, DelayedUser), run_queue=PriorityRunQueue)


STAGE = stage2_2.STAGE.followed_by(
    "2.3",
    Lesson(name="reply-later", teaches="calls are worked on beside, and answered when done", apply=_reply_later),
    Lesson(name="hibernate", teaches="an idle process keeps only its state", apply=_hibernate),
    Lesson(name="delayed-init", teaches="a process is there at once and initialises afterwards", apply=_delayed_init),
)
