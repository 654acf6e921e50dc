"""What the nodes share in Redis beside the matches themselves (`common.store.keys`).

| key                        | type   | what it holds                                                                  |
|----------------------------|--------|--------------------------------------------------------------------------------|
| `writer:lease`             | string | who is the writer; it expires by itself when that one no longer renews it      |
| `writer:epoch`             | string | a number, higher with every writer that takes over: the fencing token          |
| `writer:requests`          | stream | what the writer is to carry out, oldest first; what was carried out is deleted |
| `writer:answers:<channel>` | hash   | answers that were not taken yet, by the number of the request; they expire     |

A request has the fields `reply` (the channel for its answer), `number` (which the answer repeats) and `commands`
(Redis commands, as MessagePack).

| channel          | what is published there                                                               |
|------------------|---------------------------------------------------------------------------------------|
| `match:<id>`     | `<number> <moment>` of an event that the match may have now; `created`; `cancelled`   |
| `replies:<node>` | an answer of the writer to that node, in Redis's own protocol: `[number, answers]`    |

In a Redis Cluster the system's tag stands before all of them (`common.store.shard`), and the channels are sharded ones
(SPUBLISH, SSUBSCRIBE: Redis 7), which only the servers of the system's shard know of.

What comes over a channel may be lost with a connection, and news of a match may be of a change that was refused: what
counts is what is stored. Channels do not belong to a database of Redis as keys do. Systems that share one Redis wake
each other for a match of the same id, which then is looked at in vain.
"""

from typing import Final

LEASE: Final = "writer:lease"
EPOCH: Final = "writer:epoch"
REQUESTS: Final = "writer:requests"


def publish(tag: str) -> str:
    """Return the command that publishes in a Redis whose keys begin with `tag`."""
    return "SPUBLISH" if tag else "PUBLISH"


def writer_answers_key(channel: str) -> str:
    """Return the key of the answers that were published on `channel`, until they are taken."""
    return f"writer:answers:{channel}"


def match_channel(match_id: str) -> str:
    """Return the channel on which changes of a match are told."""
    return f"match:{match_id}"


def replies_channel(node: str) -> str:
    """Return the channel for the answers to the requests of `node`."""
    return f"replies:{node}"
