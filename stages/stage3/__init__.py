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

Measured (2 cores, shared by all nodes and the generator; `reports/results`): six nodes, N 100,000, C 32,000
every 10 s: all served, nothing lost, ART 0.09 s; from the intended start 1.9 s on the mean, since the generator, on the
same two cores, takes seconds to start such a wave. At N 8,000, C 1,000, two nodes (one run each; stage 2.5 and one
node: ART 42 and 41 ms):

* connected: ART 28 ms, an event to a fan 49 ms. Two nodes take a third off ART, since there are two cores.
* independent: ART 35 ms, an event 119 ms: on the mean half of the 0.25 s between two looks more, for no gain.
  Connected is the better topology.
* without `db-readers`: ART 28 ms. Without `db-writer`, too: 26 ms, and an event 51 ms. The writer costs nothing that
  shows, and brings nothing that shows.

With repeats (`reports/results/ablation-3`, four nodes, N 8,000, C 1,000, three runs each; ratios, without over with,
and their 95 % intervals): without `nodes` ART is 1.65 [1.44, 1.82] and an event takes 1.39 [1.33, 1.46]; without
`db-readers` no change is seen (ART 1.07 [0.91, 1.28]): since fans who come together share a read, there are few.
Before, it was 1.38 [1.30, 1.47]. `db-writer` added alone to the baseline makes ART 4.6 [4.3, 5.1].

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
