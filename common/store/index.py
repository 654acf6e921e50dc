"""The index of matches: which are being played, which are to come, which have ended (its keys: `common.store.keys`).

It is read by a script, so that a list is of one moment, and one exchange with Redis however long: what is asked for
most, the current match, is a list of one. A script that changes a match changes its place with it (`PLACE`). All of a
system's keys share a slot where Redis is a cluster; elsewhere it does not matter where they are. So scripts may change
several, and this one may read matches whose ids it finds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec

from common.store import keys

if TYPE_CHECKING:
    from common.domain.match import Match
    from common.store.connection import Argument

# For other scripts: what puts a match into one of the three sets, and takes it out of the others. An empty name takes
# it out of all. The sets are the last three of KEYS.
PLACE: Final = """
local function place(id, set, score)
    for i = #KEYS - 2, #KEYS do
        if KEYS[i] == set then redis.call('ZADD', set, score, id) else redis.call('ZREM', KEYS[i], id) end
    end
end
"""

# KEYS: the three sets. ARGV[1] to [3] the place behind which the list begins: the number of its set, 0 for the first
# match of all; its score, its id. ARGV[4] how many are wanted, -1: all; ARGV[5] the last day that is over, as a score;
# ARGV[6] and [7] what stands before and behind an id in the key of a match. Returns of each match its place, and what
# is stored of it, nothing if that is of another type. A key that was deleted by hand leaves an id, which is passed
# over.
_LIST: Final = f"""
local wanted, count, found = tonumber(ARGV[4]), 0, {{}}
local from = tonumber(ARGV[1])
if from == 3 then from = 4 end
if from == 2 and tonumber(ARGV[2]) <= tonumber(ARGV[5]) then from = 3 end
local function is_less(one, other)  -- as Redis orders them, not as the locale does
    for i = 1, math.min(#one, #other) do
        local difference = string.byte(one, i) - string.byte(other, i)
        if difference ~= 0 then return difference < 0 end
    end
    return #one < #other
end
local function begin(set)
    local first = redis.call('ZCOUNT', set, '-inf', '(' .. ARGV[2])
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', set, ARGV[2], ARGV[2])) do
        if not is_less(ARGV[3], id) then first = first + 1 end
    end
    return first
end
local function list(place, number, first, stop)
    local set = KEYS[number]
    if place < from then return end
    if place == from then first = math.max(first, begin(set)) end
    while first < stop and count ~= wanted do
        local last = math.min(stop, wanted < 0 and stop or first + wanted - count) - 1
        local ids = redis.call('ZRANGE', set, first, last, 'WITHSCORES')
        for i = 1, #ids, 2 do
            local match = redis.pcall('HGET', ARGV[6] .. ids[i] .. ARGV[7], '{keys.MATCH_FIELD}')
            if match then
                count = count + 1
                found[count] = {{number, ids[i + 1], ids[i], match.err and '' or match}}
            end
        end
        first = last + 1
    end
end
local function size(number) return redis.call('ZCARD', KEYS[number]) end
local over = redis.call('ZCOUNT', KEYS[2], '-inf', ARGV[5])
list(1, 1, 0, size(1))
list(2, 2, over, size(2))
list(3, 2, 0, over)
list(4, 3, 0, size(3))
return found
"""

_BATCH: Final = 500
"""So many matches are taken over in one step: it takes Redis some ms."""

# KEYS[1] the set of before, then the three. ARGV[1] how many at once, ARGV[2] and ARGV[3] what stands before and behind
# an id in the key of a match. Returns how many ids it has taken over. What cannot be read is listed as the very last.
_TAKE_OVER: Final = f"""{PLACE}
local ids = redis.call('SPOP', KEYS[1], ARGV[1])
for _, id in ipairs(ids) do
    local stored = redis.pcall('HGET', ARGV[2] .. id .. ARGV[3], '{keys.MATCH_FIELD}')
    if stored then
        local readable, match = pcall(cjson.decode, stored)
        readable = readable and type(match) == 'table'
        local day = readable and tonumber((string.gsub(tostring(match.date), '-', '')))
        if not day then place(id, KEYS[4], 0)
        elseif match.period == 'not_started' then place(id, KEYS[3], day)
        elseif match.period == 'ended' then place(id, KEYS[4], -day)
        else place(id, KEYS[2], -day) end
    end
end
return #ids
"""


class Listed(NamedTuple):
    """A place in the lists of matches; there need be no match any more.

    It is that of a match by `id` whose `score` is that in the set with that number, the first of `keys.INDEX` being 1.
    """

    number: Annotated[int, msgspec.Meta(ge=1, le=len(keys.INDEX))]
    score: Annotated[int, msgspec.Meta(ge=-99_999_999, le=99_999_999)]
    id: str


def index_keys(tag: str) -> tuple[str, ...]:
    """Return the keys of the three sets, in the order of lists."""
    return tuple(tag + key for key in keys.INDEX)


def entry(match: Match, tag: str) -> tuple[Argument, ...]:
    """Return what `place` in a script is to be called with for a match."""
    key, score = keys.entry_of(match)
    return match.id, tag + key, score


def last_day_over() -> int:
    """Return the score of the last day that is over everywhere.

    A match has the date of its own time zone, which begins up to 14 hours before the one of UTC, or 12 after it.
    """
    return keys.score(datetime.now(UTC).date() - timedelta(days=2))


def listed_at(match: Match) -> Listed:
    """Return where a match stands in lists."""
    key, score = keys.entry_of(match)
    return Listed(keys.INDEX.index(key) + 1, score, match.id)


def listing(tag: str, after: Listed | None, limit: int | None) -> tuple[Argument, ...]:
    """Return the command that lists matches: those behind a place, None: from the first on; at most `limit`."""
    place = ("0", "0", "") if after is None else after
    wanted = -1 if limit is None else limit
    return ("EVAL", _LIST, len(keys.INDEX), *index_keys(tag), *place, wanted, last_day_over(), *_around_id(tag))


def taking_over(tag: str) -> tuple[Argument, ...]:
    """Return the command that takes over some matches of the set that an older version has left, until it answers 0.

    Any number of nodes may do so at the same time: each id is taken by one of them.
    """
    script_keys = (tag + keys.OLD_MATCHES, *index_keys(tag))
    return ("EVAL", _TAKE_OVER, len(script_keys), *script_keys, _BATCH, *_around_id(tag))


def _around_id(tag: str) -> tuple[str, str]:
    before, _, behind = (tag + keys.match_key("*")).partition("*")
    return before, behind
