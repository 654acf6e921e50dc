"""Stage 3: adding nodes (slides "Adding nodes", "For MatchStream"; N 100,000, C 32,000, ART 10 ms with four nodes).

Cause: one process has one core, and a limit on open files.

* `match-groups`: a process for the match on every node, which follows what is written in Redis; fans are served by the
  closest. Costs, for each event and node, a message and two reads. Alone, in one node, it brings nothing.
* `nodes`: server processes on this machine, or others, joined through one Redis. It should move N (by open files) and
  C; ART only where there are cores to spare.
* `db-writer`: one process in the whole system writes, elected by a lease and fenced. Costs two hops for each write. It
  should move nothing: the compare-and-set of the store keeps the order without it. What it buys is that Redis has one
  writer, and that visits reach it in batches.
* `db-readers`: each node reads from Redis by itself. Without it reads, too, go through the one db of the system.

On a Redis Cluster (Redis 7) a system lives in one shard, and its messages are sharded ones: `common.store.shard` says
why, and what that costs. Which shard follows from the number of the database in the URL.

The topology is a choice of whoever serves: connected nodes tell each other, independent ones look from time to time.

Measured (2 cores, shared with the generator; without over with, in the scenarios that exercise a lesson: the course has
the intervals, `reports/results/ablation` all of it):

* without `nodes` an event takes 1.4 times as long when Redis is 2 ms away, and ART in a burst of 8,000 is 2.5: four
  nodes on two cores are two cores.
* without `db-readers`, Redis 2 ms away, ART is 1.2 and an event takes 1.2, of two runs: too few to judge. Fans who
  come together share a read.
* `db-writer` cannot be left out alone, since `db-readers` needs it. Added alone to the baseline ART is 5.6 (two runs):
  two hops more before a fan is answered, where each of them is waited for.
* independent nodes, which look every 0.25 s, have an event on the mean half of that later, for no gain: connected is
  the better topology (one run each, two nodes, N 8,000, C 1,000: ART 35 and 28 ms, an event 119 and 49 ms).

A profile (py-spy) of one of two nodes in a wave, with 8,000 fans a second asked of both: some 6 to 8 % go into requests
to the writer, visits above all; the rest is what stage 2.5 does. The bound is the two cores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stages import stage2_5
from stages.stage0.parts import Lesson, layered
from stages.stage3.group_store import GroupStore
from stages.stage3.node_server import GroupServer, WriterServer
from stages.stage3.nodes import start_nodes
from stages.stage3.remote_store import DbReader, OneDoorDb, WriterStore

if TYPE_CHECKING:
    from stages.stage0.parts import Parts


def _match_groups(parts: Parts) -> Parts:
    return replace(parts, server=layered(parts.server, GroupServer), store=layered(parts.store, GroupStore))


def _nodes(parts: Parts) -> Parts:
    return replace(parts, system=start_nodes)


def _db_writer(parts: Parts) -> Parts:
    return replace(
        parts,
        server=layered(parts.server, WriterServer),
        db=layered(parts.db, OneDoorDb),
        store=layered(parts.store, WriterStore),
    )


def _db_readers(parts: Parts) -> Parts:
    return replace(parts, db=layered(parts.db, DbReader))


STAGE = stage2_5.STAGE.followed_by(
    "3",
    Lesson(name="match-groups", teaches="a match process on every node, following Redis", apply=_match_groups),
    Lesson(
        name="nodes",
        teaches="several server processes, joined through one Redis",
        apply=_nodes,
        needs=("match-groups",),
        because="a fan would never hear what is posted to another node",
    ),
    Lesson(name="db-writer", teaches="one elected writer for the whole system", apply=_db_writer),
    Lesson(
        name="db-readers",
        teaches="reads go straight to Redis, on each node",
        apply=_db_readers,
        needs=("db-writer",),
        because="the db of a node that writes for itself reads for itself already",
    ),
)
