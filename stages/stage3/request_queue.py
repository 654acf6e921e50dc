"""The requests for the writer: a queue in Redis, of which each is carried out exactly once, in order.

A request is what a `RedisStore` would have sent itself: commands. The writer has them carried out by one script, which
Redis runs without letting anything in between, and which for each request, oldest first,

1. checks that this writer has not been replaced (the epoch of its lease),
2. deletes the request from the queue,
3. carries out its commands,
4. keeps the answers until the node has taken them, and publishes them on the channel that the request names. To
   publish alone is not enough, even where somebody hears it: a Redis that is killed has then written to disk that the
   request was carried out, and takes along what it had not sent yet (how often: `reports/design-notes.md`).

So there is no step at which a writer could be killed, or lose its connection, and leave a request done but not deleted,
or done but not answered. Whoever is the writer next begins with the first one that is left.

Rejected: carrying the requests out from Python within MULTI/EXEC, the epoch under WATCH. It is as safe against doing
things twice, but the answers are known only after EXEC, so they cannot be published within it; a writer that dies just
then leaves callers who wait in vain to be told of what was done.

A script may not call EVAL, but the store's writes are scripts themselves. Redis lets a script compile Lua (`loadstring`
is one of the functions that it promises to keep: `lua_builtins_allow_list` in its `src/script_lua.c`), so an EVAL among
the commands is compiled and called with its own KEYS and ARGV. Which keys that touches Redis cannot know beforehand; in
a Redis Cluster it may be done because all keys of a system share a slot (`common.store.shard`).

A request itself is never too old. What must not be done late says so itself, by Redis's own clock, in the script that
does it (`common.store.redis_store`), counted since it was asked for and not since it came in here: in between it may
have lain anywhere for any time, in a process or a kernel that was stopped. A visit is counted however late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import hiredis

from stages.stage3 import keys
from stages.stage3.errors import FencedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from common.store.connection import Argument
    from common.store.connections import Connections

Command = tuple["Argument", ...]

COMMANDS_AT_ONCE: Final = 2000
"""After how many commands the script ends and lets others have Redis again: that many take some 5 ms."""

KEPT_S: Final = 30
"""How long answers are kept that nobody takes: longer than anybody waits for one."""

# KEYS[1] the epoch, KEYS[2] the requests, KEYS[3] the first part of the keys of answers. ARGV[1] the writer's
# epoch, ARGV[2] how many commands are enough, ARGV[3] how many seconds answers are kept, ARGV[4] the
# command that publishes. Returns how many requests were carried out; nil if the epoch is another.
_EXECUTE: Final = r"""
local function resp(value)
    local kind = type(value)
    if kind == 'number' then return string.format(':%.0f\r\n', value) end
    if kind == 'string' then return '$' .. #value .. '\r\n' .. value .. '\r\n' end
    if value == true then return ':1\r\n' end
    if kind ~= 'table' then return '$-1\r\n' end
    if value.ok then return '+' .. value.ok .. '\r\n' end
    if value.err then return '-' .. string.gsub(value.err, '[\r\n]', ' ') .. '\r\n' end
    local parts = {'*' .. #value .. '\r\n'}
    for i, part in ipairs(value) do parts[i + 1] = resp(part) end
    return table.concat(parts)
end

local function failure(err)
    if type(err) == 'table' then return err end
    return {err = 'ERR ' .. tostring(err)}
end

local function run(command)
    if command[1] ~= 'EVAL' then return redis.pcall(unpack(command)) end
    local keys = tonumber(command[3])
    local script = assert(loadstring('local KEYS, ARGV = ... ' .. command[2]))
    return script({unpack(command, 4, 3 + keys)}, {unpack(command, 4 + keys)}) or false
end

local function carry_out(packed)
    local answers = {}
    for i, command in ipairs(cmsgpack.unpack(packed)) do
        local done, answer = pcall(run, command)
        if done then answers[i] = answer else answers[i] = failure(answer) end
    end
    return answers
end

local function answer(channel, number, said)
    redis.pcall('HSET', KEYS[3] .. channel, number, said)
    redis.call('EXPIRE', KEYS[3] .. channel, ARGV[3])
    redis.call(ARGV[4], channel, said)
end

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local executed, commands_run = 0, 0
while commands_run < tonumber(ARGV[2]) do
    local entry = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
    if not entry then break end
    redis.call('XDEL', KEYS[2], entry[1])
    local request = {}
    for i = 1, #entry[2], 2 do request[entry[2][i]] = entry[2][i + 1] end
    local readable, answers = pcall(carry_out, request.commands)
    if not readable then answers = failure(answers) end
    local number = tonumber(request.number) or 0
    answer(request.reply or '', number, resp({number, answers}))
    executed = executed + 1
    commands_run = commands_run + 1 + #answers
end
return executed
"""


class RequestQueue:
    """The queue as the writer sees it. Every method may raise StoreUnavailableError."""

    def __init__(self, redis: Connections) -> None:
        self._redis = redis

    async def wait(self, at_most_s: float) -> None:
        """Return when there is a request, or after `at_most_s` seconds."""
        block_ms = max(1, round(at_most_s * 1000))  # 0 would be for ever
        await self._redis.call("XREAD", "COUNT", 1, "BLOCK", block_ms, "STREAMS", self._redis.tag + keys.REQUESTS, "0")

    async def execute(self, epoch: int) -> int:
        """Have the oldest requests carried out and answered; return how many.

        Raise FencedError, and do nothing, in another epoch.
        """
        tag = self._redis.tag
        script_keys = (tag + keys.EPOCH, tag + keys.REQUESTS, tag + keys.writer_answers_key(""))
        arguments = (epoch, COMMANDS_AT_ONCE, KEPT_S, keys.publish(tag))
        executed: int | None = await self._redis.call("EVAL", _EXECUTE, 3, *script_keys, *arguments)
        if executed is None:
            raise FencedError(f"epoch {epoch} is over: another writer has taken over, or Redis was set back")
        return executed


def pack(commands: Sequence[Command]) -> bytes:
    """Return the commands as MessagePack. Raise UnicodeEncodeError if one cannot be sent."""
    return _array(_array(_string(word) for word in command) for command in commands)


def as_request(channel: str, number: int, packed: bytes, tag: str = "") -> Command:
    """Return the command that asks the writer to carry out the `packed` commands, and to answer on `channel`.

    `tag` stands before every key and channel.
    """
    fields = ("reply", tag + channel, "number", number, "commands", packed)
    return ("XADD", tag + keys.REQUESTS, "*", *fields)


def _array(items: Iterable[bytes]) -> bytes:
    packed = list(items)
    return b"\xdd%b%b" % (len(packed).to_bytes(4, "big"), b"".join(packed))


def _string(word: Argument) -> bytes:
    """Pack bytes as a string, which Redis's MessagePack (it knows no type for binary data) gives to Lua as it is."""
    data = word if isinstance(word, bytes) else str(word).encode()
    return b"\xdb%b%b" % (len(data).to_bytes(4, "big"), data)


def read_reply(published: bytes) -> tuple[int, list[Any] | hiredis.ReplyError]:
    """Return the number of a request and the answers to its commands, in which a refused one has a ReplyError.

    In place of all answers stands one ReplyError if the request could not be read.
    """
    reader = hiredis.Reader()
    reader.feed(published)
    number, answers = reader.gets()
    return number, answers
