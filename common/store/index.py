"""The index of matches: which are being played, which are to come, which have ended (its keys: `common.store.keys`).

It is read by a script, so that a list is of one moment, and one exchange with Redis however long: what is asked for
most, the current match, is a list of one. A script that changes a match changes its place with it (`PLACE`). All of a
system's keys share a slot where Redis is a cluster; elsewhere it does not matter where they are. So scripts may change
several, and this one may read matches whose ids it finds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from common.store import keys

if TYPE_CHECKING:
    from common.domain.match import Match
    from common.store.endpoint import Argument

# For other scripts: what puts a match into one of the three sets, and takes it out of the others. An empty name takes
# it out of all. The sets are the last three of KEYS.
PLACE: Final = """
local function place(id, set, score)
    for i = #KEYS - 2, #KEYS do
        if KEYS[i] == set then redis.call('ZADD', set, score, id) else redis.call('ZREM', KEYS[i], id) end
    end
end
"""

# KEYS: the three sets. ARGV[1] the id after which the list begins, empty: from the first on; ARGV[2] how many are
# wanted, -1: all; ARGV[3] the last day that is over, as a score; ARGV[4] and ARGV[5] what stands before and behind an
# id in the key of a match. Returns the id of each match and what is stored of it, nothing if that is of another type;
# nil if there is none to begin after. A key that was deleted by hand leaves an id, which is passed over.
_LIST: Final = f"""
local after, wanted, count, found = ARGV[1], tonumber(ARGV[2]), 0, {{}}
local function list(set, first, stop)
    if after ~= '' then
        local rank = redis.call('ZRANK', set, after)
        if not rank or rank < first or rank >= stop then return end
        first, after = rank + 1, ''
    end
    while first < stop and count ~= wanted do
        local last = math.min(stop, wanted < 0 and stop or first + wanted - count) - 1
        for _, id in ipairs(redis.call('ZRANGE', set, first, last)) do
            local match = redis.pcall('HGET', ARGV[4] .. id .. ARGV[5], '{keys.MATCH_FIELD}')
            if match then
                count = count + 1
                found[2 * count - 1], found[2 * count] = id, match.err and '' or match
            end
        end
        first = last + 1
    end
end
local function size(set) return redis.call('ZCARD', set) end
local over = redis.call('ZCOUNT', KEYS[2], '-inf', ARGV[3])
list(KEYS[1], 0, size(KEYS[1]))
list(KEYS[2], over, size(KEYS[2]))
list(KEYS[2], 0, over)
list(KEYS[3], 0, size(KEYS[3]))
if after ~= '' then return false end
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


def index_keys(tag: str) -> tuple[str, ...]:
    """Return the keys of the three sets, in the order of lists."""
    return tuple(tag + key for key in keys.INDEX)


def place(match: Match, tag: str) -> tuple[Argument, ...]:
    """Return what `place` in a script is to be called with for a match."""
    key, score = keys.place_of(match)
    return match.id, tag + key, score


def listing(tag: str, after: str | None, limit: int | None) -> tuple[Argument, ...]:
    """Return the command that lists matches: those behind the match `after`, at most `limit` of them."""
    wanted = -1 if limit is None else limit
    # A match has the date of its own time zone, which begins up to 14 hours before the one of UTC, or 12 after it.
    last_over = keys.score(datetime.now(UTC).date() - timedelta(days=2))
    return ("EVAL", _LIST, len(keys.INDEX), *index_keys(tag), after or "", wanted, last_over, *_around_id(tag))


def taking_over(tag: str) -> tuple[Argument, ...]:
    """Return the command that takes over some matches of the set that an older version has left, until it answers 0.

    Any number of nodes may do so at the same time: each id is taken by one of them.
    """
    script_keys = (tag + keys.OLD_MATCHES, *index_keys(tag))
    return ("EVAL", _TAKE_OVER, len(script_keys), *script_keys, _BATCH, *_around_id(tag))


def _around_id(tag: str) -> tuple[str, str]:
    before, _, behind = (tag + keys.match_key("*")).partition("*")
    return before, behind
