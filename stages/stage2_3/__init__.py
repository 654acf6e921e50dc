"""Stage 2.3: gen_server (slides "Queued calls", "Memory footprint", "Long startup time"; N 40,000, C 5,000, ART 25 ms).

Cause: processes that wait. A server that waits for Redis in a call keeps everybody behind it waiting; a supervisor
that waits for the init of a child starts no other; and an idle process keeps what it needed when it was busy.

* `reply-later`: a call is worked on beside the server's loop and answered when done. It should move ART, and C.
* `hibernate`: clients and users give up task, stack and mailbox while they have nothing to do. It should move N, by
  memory; and here ART too: a process starts, and handles what needs no waiting, without a task.
* `delayed-init`: a user answers its fan at once; it counts its visit and subscribes afterwards, at low priority. It
  should move ART and C. Costs: an event right after a crowd takes longer to the last of it.

Measured (2 cores, the generator on the same machine; `reports/results`): N 17,000, C 5,000: all served, ART 0.82 s,
response from the intended start 0.89 s on the mean. Events right after such a crowd reach the last of it when what
could wait is done, 3.7 s later; after that an event takes 0.5 s. ART was 2.2 s before. Clients that start without a task made it 1.4 s, one
answer for fans who come together 1.2 s, and answers that come before what can wait 0.8 s.

Left out of stage 2.5 at N 8,000, C 1,000 (`reports/results/ablation`, three runs each; ratios, without over with, and
their 95 % intervals; C by one search each, where the stage has 10,623-11,093):

* without `reply-later` ART is 1.71 [1.54, 1.95]: every question to Redis is a write of its own, and waits for its
  turn. C is 6,392-6,599, and a connection takes 1.16 [1.15, 1.16] of the memory. Alone on the baseline, where nobody
  waits, it costs: ART 3.45 [3.38, 3.52], the 2 ms for which a batch is gathered.
* without `hibernate` a connection takes 1.82 [1.81, 1.82] of the memory, ART is 1.73 [1.52, 1.89], and an event takes
  1.36 [1.26, 1.45]. C is 5,808-6,190. Alone on the baseline: ART 0.82 [0.79, 0.88], memory 0.48 [0.46, 0.51].
* without `delayed-init` ART is 1.80 [1.67, 1.92], and the p99 of the response 1.76 [1.57, 1.89]. C is
  5,808-5,996. Alone on the baseline: ART 0.86 [0.82, 0.92].
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stages import stage2_2
from stages.stage import Lesson, layered
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
    from stages.stage import Parts


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
