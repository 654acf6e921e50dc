"""The names under which things are kept in Redis.

The original has a key for a match, `match-<id>`, and one for each of its events, `event-<match>-<timestamp>`. Two
events within the resolution of the clock then share a key, a history needs a scan over all keys of the server, and a
match cannot be changed in one step with its event when its keys live on different nodes. So here:

| key            | type   | what it holds                                                                  |
|----------------|--------|--------------------------------------------------------------------------------|
| `match:{<id>}` | hash   | `match`, the match as JSON; `seq`, how many events it has, for cheap comparing; |
|                |        | `made`, when it was announced, in microseconds                                 |
| `events:{<id>}`| stream | the accepted events: entry `<seq>-0`, its one field `event` is the event's JSON |
| `answers:{<id>}` | hash | by the key under which it was asked for, an event: its `seq` and a fingerprint |
| `answer:<key>` | string | of another write that was asked for under a key: a fingerprint and the answer; |
|                |        | it expires                                                                     |
| `matches:live` | sorted set | the ids of the matches that are being played                              |
| `matches:coming` | sorted set | of those to come                                                          |
| `matches:ended`| sorted set | of those that have ended: each match is in one of the three               |
| `visits`       | hash   | how often each user came, by id; `visits:older`: those before (`common.store.visits`) |
| `team:<id>`    | string | the team as JSON                                                               |

The braces are a hash tag: a Redis Cluster places a key by what stands between them, so a match and its events always
share a slot, and a script may change both (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
When Redis is a cluster, a tag such as `{0}` stands before every key, so that all keys of a system share a slot: what it
costs, and why, is in `common.store.shard`. Elsewhere that tag is empty. Only the first braces of a key count.
A stream keeps events in order, gives them back from any number on, and refuses a number twice.

The sorted sets are what lists go by, and fans who name no match: the newest of those being played, then the next of
those to come (where its day is over and it has not started, it comes behind the others), then the last of those that
ended, so that finding the current one costs the same however many have
ended. The score is the date as a number, 20110910, and negative where the newest comes first; at the same date ids
decide. Each changes in the same step as its match. Before they were there, a set `matches` had all ids
(`common.store.index` takes it over).
"""

from datetime import date

from common.domain.match import Match, Period

LIVE = "matches:live"
COMING = "matches:coming"
ENDED = "matches:ended"
INDEX = (LIVE, COMING, ENDED)
"""In the order in which matches are listed."""
OLD_MATCHES = "matches"
MATCH_FIELD = "match"
SEQ_FIELD = "seq"
MADE_FIELD = "made"
EVENT_FIELD = "event"
VISITS = "visits"
OLDER_VISITS = "visits:older"


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


def team_key(team_id: str) -> str:
    """Return the key of the team."""
    return f"team:{team_id}"


def score(day: date) -> int:
    """Return a date as the number that orders matches."""
    return int(day.isoformat().replace("-", ""))


def entry_of(match: Match) -> tuple[str, int]:
    """Return the one of `INDEX` in which a match belongs, and its score there."""
    day = score(match.date)
    if match.is_live:
        return LIVE, -day
    return (ENDED, -day) if match.period is Period.ENDED else (COMING, day)
