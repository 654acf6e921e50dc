"""The names under which things are kept in Redis.

The original has a key for a match, `match-<id>`, and one for each of its events, `event-<match>-<timestamp>`. Two
events within the resolution of the clock then share a key, a history needs a scan over all keys of the server, and a
match cannot be changed in one step with its event when its keys live on different nodes. So here:

| key            | type   | what it holds                                                                  |
|----------------|--------|--------------------------------------------------------------------------------|
| `match:{<id>}` | hash   | `match`, the match as JSON; `seq`, how many events it has, for cheap comparing; |
|                |        | `made`, when it was announced, in microseconds                                 |
| `events:{<id>}`| stream | the accepted events: entry `<seq>-0`, its one field `event` is the event's JSON |
| `answers:{<id>}`| hash  | by the key under which it was asked for, an event: its `seq` and a fingerprint |
| `answer:<key>` | string | of another write that was asked for under a key: a fingerprint and the answer; |
|                |        | it expires                                                                     |
| `matches`      | set    | the ids of all matches                                                         |
| `user:<id>`    | hash   | `visit_count`                                                                  |
| `team:<id>`    | string | the team as JSON                                                               |

The braces are a hash tag: a Redis Cluster places a key by what stands between them, so a match and its events always
share a slot, and a script may change both (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
When Redis is a cluster, a tag such as `{0}` stands before every key, so that all keys of a system share a slot: what it
costs, and why, is in `common.store.shard`. Elsewhere that tag is empty. Only the first braces of a key count.
A stream keeps events in order, gives them back from any number on, and refuses a number twice.
"""

MATCHES = "matches"
MATCH_FIELD = "match"
SEQ_FIELD = "seq"
MADE_FIELD = "made"
EVENT_FIELD = "event"
VISIT_COUNT_FIELD = "visit_count"


def match_key(match_id: str) -> str:
    """Return the key of the match's hash."""
    return f"match:{{{match_id}}}"


def events_key(match_id: str) -> str:
    """Return the key of the stream of the match's events."""
    return f"events:{{{match_id}}}"


def answers_key(match_id: str) -> str:
    """Return the key of the hash of what the match's events were asked for under."""
    return f"answers:{{{match_id}}}"


def answer_key(key: str) -> str:
    """Return the key of what was answered to any other write that was asked for under `key`."""
    return f"answer:{key}"


def user_key(user: str) -> str:
    """Return the key of the user's hash."""
    return f"user:{user}"


def team_key(team_id: str) -> str:
    """Return the key of the team."""
    return f"team:{team_id}"
