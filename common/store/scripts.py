"""The Lua scripts in which Redis makes the writes of the store: each is one step, whatever else goes on.

They compare first, then write (`common.store.redis_store` says why), and answer with a word for what came of it.
"""

from typing import Final

from common.store import index, keys

# All scripts: ARGV[1] until when to write, in ms by this Redis's clock; ARGV[2] the key, empty if there is none, and
# [3] its fingerprint. They return what came of it, in a word, and what belongs to that.
_IN_TIME: Final = """
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[1]) then return {'late'} end
"""

# For what is kept under the key's own name, KEYS[1].
_NOT_ANSWERED: Final = """
local answered = ARGV[2] ~= '' and redis.call('GET', KEYS[1])
if answered then
    local fingerprint, answer = string.match(answered, '^(%S*) (.*)$')
    if fingerprint ~= ARGV[3] then return {'reused'} end
    return {'answered', answer}
end
local function keep(answer)
    if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[3] .. ' ' .. answer, 'EX', ARGV[4]) end
end
"""

# KEYS[2] the team. ARGV[5] the team. Answers whether it is new.
PUT_TEAM: Final = f"""{_IN_TIME}{_NOT_ANSWERED}
local is_new = redis.call('SET', KEYS[2], ARGV[5], 'GET') and '0' or '1'
keep(is_new)
return {{'done', is_new}}
"""

# KEYS[2] the match's hash, the last three the index. ARGV[5] the match's seq, [6] the match, which is the answer; from
# [7] to [9] its place.
CREATE: Final = f"""{_IN_TIME}{_NOT_ANSWERED}{index.PLACE}
if redis.call('EXISTS', KEYS[2]) == 1 then return {{'exists'}} end
local made = string.format('%d%06d', time[1], time[2])
redis.call('HSET', KEYS[2], '{keys.SEQ_FIELD}', ARGV[5], '{keys.MATCH_FIELD}', ARGV[6], '{keys.MADE_FIELD}', made)
place(ARGV[7], ARGV[8], ARGV[9])
keep(ARGV[6])
return {{'done', ARGV[6]}}
"""

# Of the match whose hash is `key`: its seq, and whether it is at one of the versions in `expected`, if any is.
_VERSION: Final = f"""
local function version(key, expected)
    local stored = redis.pcall('HMGET', key, '{keys.SEQ_FIELD}', '{keys.MADE_FIELD}')
    if stored.err then return '-1', expected == '' end  -- of another type: no event can follow, but it can be deleted
    local seq, made = unpack(stored)
    if not seq or expected == '' then return seq, true end
    local function is_expected(version) return string.find(expected, ' ' .. version .. ' ', 1, true) ~= nil end
    return seq, is_expected(seq) or (made and is_expected(seq .. '-' .. made))
end
"""

# KEYS[2] the match's hash, [3] its events, [4] the answers to them, the last three the index. ARGV[5] the id, [6] what
# is expected.
CANCEL: Final = f"""{_IN_TIME}{_NOT_ANSWERED}{_VERSION}{index.PLACE}
local seq, is_expected = version(KEYS[2], ARGV[6])
if not seq then return {{'missing'}} end
if not is_expected then return {{'outdated', seq}} end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
place(ARGV[5], '')
keep('')
return {{'done', ''}}
"""

ANSWERED: Final = f"""{_NOT_ANSWERED}
return {{'new'}}
"""

# KEYS[1] the match's hash, [2] its events, [3] the answers to them, then the index. ARGV[4] what is expected.
_TERMS: Final = f"""{_VERSION}
local answered = ARGV[2] ~= '' and redis.call('HGET', KEYS[3], ARGV[2])
if answered then
    local seq, fingerprint = string.match(answered, '^(%d+) (.*)$')
    if fingerprint ~= ARGV[3] then return {{'reused'}} end
    return {{'answered', redis.call('XRANGE', KEYS[2], seq .. '-0', seq .. '-0')[1][2][2]}}
end
local seq, is_expected = version(KEYS[1], ARGV[4])
if not seq then return {{'missing'}} end
if not is_expected then return {{'outdated', seq}} end
"""

CHECK: Final = f"""{_TERMS}
return {{'new'}}
"""

# ARGV[5] the seq that is followed, [6] the new one, [7] match, [8] event; [9] the moment of the last event, empty if
# that is not known. XADD comes first: it is the one that may refuse, and then nothing has been written.
APPEND: Final = f"""{_IN_TIME}{_TERMS}{index.PLACE}
if seq ~= ARGV[5] then return {{'moved', seq}} end
if ARGV[9] ~= '' then
    local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    local is_read, event = pcall(cjson.decode, last and last[2][2])
    if not is_read or type(event) ~= 'table' or event.at ~= ARGV[9] then return {{'another'}} end
end
redis.call('XADD', KEYS[2], ARGV[6] .. '-0', '{keys.EVENT_FIELD}', ARGV[8])
redis.call('HSET', KEYS[1], '{keys.SEQ_FIELD}', ARGV[6], '{keys.MATCH_FIELD}', ARGV[7])
place(ARGV[10], ARGV[11], ARGV[12])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[3], ARGV[2], ARGV[6] .. ' ' .. ARGV[3]) end
return {{'done'}}
"""
