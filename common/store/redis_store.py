"""The store: teams, matches with their events, and the visits of users, in one Redis (6.2 or newer).

A match and its event are written in one step by a Lua script, which Redis runs without letting anything in between
(https://redis.io/docs/latest/develop/programmability/eval-intro/). The script compares first, so of two writers who
read the same match exactly one wins, and a write whose answer was lost cannot be made twice: made again, it conflicts.

Scripts go as EVAL and not as EVALSHA: an event is rare beside a fan, the text adds a microsecond, and a Redis that was
restarted needs no second attempt.

The set of all ids is in another slot of a cluster than the matches, so it cannot change in the same step. It may hold
an id whose match is gone, never the reverse, and readers skip such an id:

* `create_match` adds the id, creates the match, and adds the id again;
* `cancel` deletes the match, removes the id, and if the match is there again by then, puts the id back.

Whoever fails half-way leaves an id too many. The second adding and the putting back are for a match that is cancelled
and created at the same time: whichever comes last, the id is there.
"""

from functools import lru_cache
from typing import Any, Final

from common.domain.errors import UnknownMatchError
from common.domain.events import Event
from common.domain.match import Match, Period, Team
from common.store import codec, keys
from common.store.connections import Connections, ConnectionStatistics, Redis
from common.store.endpoint import Argument
from common.store.errors import ConflictError

# Both: KEYS[1] the match's hash. Create: ARGV seq, match.
_CREATE: Final = f"""
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'seq', ARGV[1], '{keys.MATCH_FIELD}', ARGV[2])
return 1
"""

_ANOTHER: Final = -1

# KEYS[2] the events. ARGV: the seq that is expected, the new one, match, event; and the moment of the last event, empty
# if that is not known. Returns the seq that was found, nil if there is no match, _ANOTHER if that event is another.
# XADD comes first: it is the one that may refuse, and then nothing has been written.
_APPEND: Final = f"""
local found = redis.call('HGET', KEYS[1], 'seq')
if found ~= ARGV[1] then return found end
if ARGV[5] ~= '' then
    local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    if not last or cjson.decode(last[2][2]).at ~= ARGV[5] then return {_ANOTHER} end
end
redis.call('XADD', KEYS[2], ARGV[2] .. '-0', '{keys.EVENT_FIELD}', ARGV[4])
redis.call('HSET', KEYS[1], 'seq', ARGV[2], '{keys.MATCH_FIELD}', ARGV[3])
return found
"""


class RedisStore:
    """All that is kept, behind one door.

    `url` is `redis://[USER:PASSWORD@]HOST:PORT/DB`, `rediss://…` or `unix:///PATH`; `connections` is how many calls may
    be under way at once, the rest wait their turn. No call takes longer than `command_timeout` seconds, its turn
    included; making a connection may take `connect_timeout` of them. Connections are made when they are needed, and
    anew when Redis comes back.

    Every method may raise StoreUnavailableError; then a write may have been made or not. Nothing is tried again here,
    since a `visit` whose answer was lost would be counted twice. Raise RedisUrlError if `url` cannot be read.

    A `visit` or a `match` takes some 45-55 µs over one connection on a Unix socket, 30-35 µs under uvloop, nearly all
    of it CPU time of this process; the first `match` after an event takes 50 µs more, for decoding (CPython 3.11,
    redis-py 8.1).
    """

    def __init__(
        self, url: str, connections: int = 1, *, connect_timeout: float = 2.0, command_timeout: float = 5.0
    ) -> None:
        self._redis = Connections(url, connections, connect_timeout, command_timeout)
        self._tag = self._redis.tag
        # What goes which way; a subclass may have either take another than the direct one.
        self._reads: Redis = self._redis
        self._writes: Redis = self._redis
        # Fans who come together read the same bytes, and checking some sixty names takes longer than fetching them. A
        # match cannot change, so all may have the same one; what is compared is what Redis just said, never older.
        self._decode_match = lru_cache(maxsize=32)(codec.decode_match)

    @property
    def address(self) -> str:
        """Where Redis is, for people: `HOST:PORT` or the path of its socket."""
        return self._redis.address

    async def ping(self) -> None:
        """Return once Redis has answered. Raise StoreUnavailableError."""
        await self._redis.call("PING")

    async def close(self) -> None:
        """Close all connections. Later calls raise StoreUnavailableError."""
        await self._redis.close()

    def statistics(self) -> ConnectionStatistics:
        """Return how many connections there are and what they did."""
        return self._redis.statistics()

    async def put_team(self, team: Team) -> bool:
        """Store a team, in place of an older one of that id; return whether it is new."""
        return await self._writes.call("SET", self._tag + keys.team_key(team.id), codec.encode(team), "GET") is None

    async def team(self, team_id: str) -> Team | None:
        """Return the team, None if there is none."""
        stored = await self._reads.call("GET", self._tag + keys.team_key(team_id))
        return None if stored is None else codec.decode_team(stored)

    async def create_match(self, match: Match) -> bool:
        """Store a match that has no events yet; return False, and change nothing, if there is one with that id."""
        add_id = ("SADD", self._tag + keys.MATCHES, match.id)
        create = ("EVAL", _CREATE, 1, self._tag + keys.match_key(match.id), match.seq, codec.encode(match))
        _, created, _ = await self._change(match.id, "created", add_id, create, add_id)
        return bool(created)

    async def match(self, match_id: str) -> Match | None:
        """Return the match as it stands, None if there is none."""
        stored = await self._reads.call("HGET", self._tag + keys.match_key(match_id), keys.MATCH_FIELD)
        return None if stored is None else self._decode_match(stored)

    async def matches(self) -> list[Match]:
        """Return all matches: those being played, then those to come, then the ended ones; by id within each."""
        ids: list[bytes] = await self._reads.call("SMEMBERS", self._tag + keys.MATCHES)
        match_keys = [self._tag + keys.match_key(match_id.decode()) for match_id in ids]
        stored = await self._reads.call_all([("HGET", key, keys.MATCH_FIELD) for key in match_keys])
        return sorted((self._decode_match(match) for match in stored if match is not None), key=listing_order)

    async def append(self, match: Match, event: Event, *, after: Event | None = None) -> None:
        """Store `event` and `match`, which is as the event left it, in one step: both or none.

        `after` is the event before, if there is one and the caller may know an older match of that id: one that was
        cancelled and announced anew is told by the moment of its last event, where as many have been accepted.

        Raise ConflictError if the stored match is not the one before that event, UnknownMatchError if there is none,
        ValueError if the two do not belong together.
        """
        if match.seq != event.seq:
            raise ValueError(f"a match after {match.seq} events was to be stored with event {event.seq}")
        script_keys = (self._tag + keys.match_key(match.id), self._tag + keys.events_key(match.id))
        last_at = "" if after is None else codec.moment(after)
        arguments = (event.seq - 1, event.seq, codec.encode(match), codec.encode(event), last_at)
        append = ("EVAL", _APPEND, 2, *script_keys, *arguments)
        found: bytes | int | None
        (found,) = await self._change(match.id, event.seq, append)
        if found is None:
            raise UnknownMatchError(f"there is no match {match.id}: create it first")
        if found == _ANOTHER:
            raise ConflictError(f"match {match.id} was cancelled and announced anew: read it again")
        if int(found) != event.seq - 1:
            raise ConflictError(
                f"match {match.id} has {int(found)} events, so event {event.seq} cannot follow: read the match again"
            )

    async def history(self, match_id: str, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        """Return the events after number `after_seq`, at most `limit`, in order; none if there is no such match."""
        count = () if limit is None else ("COUNT", limit)
        events_key = self._tag + keys.events_key(match_id)
        entries = await self._reads.call("XRANGE", events_key, f"{after_seq + 1}-0", "+", *count)
        return [codec.decode_event(event) for _, (_, event) in entries]

    async def cancel(self, match_id: str) -> bool:
        """Delete a match and its events in one step; return whether there was one."""
        match_key = self._tag + keys.match_key(match_id)
        deleted, _, there_again = await self._change(
            match_id,
            "cancelled",
            ("DEL", match_key, self._tag + keys.events_key(match_id)),
            ("SREM", self._tag + keys.MATCHES, match_id),
            ("EXISTS", match_key),
        )
        if there_again:
            await self._writes.call("SADD", self._tag + keys.MATCHES, match_id)
        return bool(deleted)

    async def visit(self, user: str) -> int:
        """Count a visit of the user; return how many there have been."""
        return int(await self._writes.call("HINCRBY", self._tag + keys.user_key(user), keys.VISIT_COUNT_FIELD, 1))

    async def _change(self, match_id: str, news: str | int, *commands: tuple[Argument, ...]) -> list[Any]:
        """Send what changes a match, in one go, and return the answers; a subclass may have others told of it.

        The news is `created`, `cancelled` or the number of an event, if Redis accepts what is sent.
        """
        del match_id, news  # of use to a subclass only
        return await self._writes.call_all(commands)


def listing_order(match: Match) -> tuple[bool, bool, str]:
    """Return what decides where a match stands among others; no two have the same."""
    return not match.is_live, match.period is Period.ENDED, match.id
