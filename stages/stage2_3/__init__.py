"""Stage 2.3: gen_server (slides "Queued calls", "Memory footprint", "Long startup time"; N 40,000, C 5,000, ART 25 ms).

Cause: processes that wait. A server that waits for Redis in a call keeps everybody behind it waiting; a supervisor
that waits for the init of a child starts no other; and an idle process keeps what it needed when it was busy.

* `reply-later`: a call is worked on beside the server's loop and answered when done. It should move ART, and C.
* `hibernate`: clients and users give up task, stack and mailbox while they have nothing to do. It should move N, by
  memory; and here ART too: a process that wakes handles what needs no waiting without a task.
* `delayed-init`: a user starts at once and counts its visit afterwards. It should move ART and C: starting is what the
  one supervisor of all users does.

Measured (2 cores, the generator on the same machine; `reports/results`): N 17,000, C 5,000: all served, ART 2.2 s with
a wave every 250 ms, which is more than a core can take, and 0.74 s with a wave every 1.5 s. Of the CPU time of a
connection two fifths are the log, a line a message (384 µs, and 223 µs with the lesson `logging` added; N 8,000, C
1,000). Left out of stage 2.5 at N 8,000, C 1,000 (`reports/results/ablation`, three runs each; ratios, without
over with, and their 95 % intervals; C by one search each, where the stage has 5,546-5,792):

* without `reply-later` ART is 2.03 [1.41, 3.14]: every question to Redis is a write of its own, and waits for its
  turn. C is 3,898-4,009. Alone on the baseline, where nobody waits, it costs: ART 3.70, the 2 ms for which a batch is
  gathered.
* without `hibernate` a connection takes 1.87 [1.87, 1.89] of the memory, and an event 1.39 [1.33, 1.47]. C is
  4,997-5,333, hardly more than two searches of one server differ.
* without `delayed-init` ART is 0.84 [0.72, 0.96], but the honest response's p99 1.05 [0.91, 1.29]: fans wait at the
  door, before the talk's clock runs, instead of behind it. By the honest clock no change is seen, and C, which goes by
  it, is 4,997-5,268.
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
    return replace(parts, user=layered(parts.user, DelayedUser))


STAGE = stage2_2.STAGE.followed_by(
    "2.3",
    Lesson(name="reply-later", teaches="calls are worked on beside, and answered when done", apply=_reply_later),
    Lesson(name="hibernate", teaches="an idle process keeps only its state", apply=_hibernate),
    Lesson(name="delayed-init", teaches="a process is there at once and initialises afterwards", apply=_delayed_init),
)
