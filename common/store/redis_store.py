"""The store: teams, matches with their events, and the visits of users, in one Redis (6.2 or newer).

A match and its event are written in one step by a Lua script, which Redis runs without letting anything in between
(https://redis.io/docs/latest/develop/programmability/eval-intro/). The script compares first, so of two writers who
read the same match exactly one wins, and a write whose answer was lost cannot be made twice: made again, it conflicts.

Scripts go as EVAL and not as EVALSHA: an event is rare beside a fan, the text adds a microsecond, and a Redis that was
restarted needs no second attempt.

A write is made in time or not at all. Whoever asks for one gives up after `command_timeout`, but takes nothing back: a
Redis that was stopped, or the process in between, carries it out when it goes on, and what the asker had been told was
not done is done after all. So every script is told until when it may still write, by Redis's own clock, and asks that
clock first. TIME is read before each write: a clock that is compared anew each time may be set, and may be another's
after a failover, and a write is rare. (A Redis that is stopped within the script, after it looked, still writes late.)

A write may have terms (`common.store.terms`), which the script checks in the same step. A key of an event is kept as
long as the events, since it is they that it protects; other keys for a day, since a match that was cancelled has none.

In the same step a match gets its place in the index that lists go by (`common.store.index`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from common.domain.errors import AskerGoneError, KeyReusedError, OutdatedError, UnknownMatchError
from common.domain.events import Event
from common.domain.match import Match, Team
from common.store import codec, index, keys, scripts
from common.store.connection import Argument
from common.store.connections import Connections, ConnectionStatistics, Redis
from common.store.errors import (
    ConflictError,
    StoreUnavailableError,
    UnknownOutcomeError,
    UnreadableRecordError,
    WrongTypeError,
)
from common.store.index import Listed
from common.store.terms import PLAIN, Terms, version_of
from common.store.unreadable import Decoding
from common.store.visits import Visits

_KEPT_S: Final = 24 * 60 * 60

_MEND_TEAM: Final = "put it anew"
_MEND_MATCH: Final = "serve it with that version, or cancel the match"


class RedisStore:
    """All that is kept, behind one door.

    `url` is `redis://[USER:PASSWORD@]HOST:PORT/DB`, `rediss://…` or `unix:///PATH`; `connections` is how many calls may
    be under way at once, the rest wait their turn. No call takes longer than `command_timeout` seconds, its turn
    included; making a connection may take `connect_timeout` of them. Connections are made when they are needed, and
    anew when Redis comes back.

    Every method may raise StoreUnavailableError: nothing was changed; or UnknownOutcomeError: a write may have been
    made, and will not be later than `command_timeout` after it was asked for, a visit excepted. Nothing is tried again
    here, since a `visit` whose answer was lost would be counted twice. Those that read may raise UnreadableRecordError.
    What writes on `terms` may raise KeyReusedError, OutdatedError and AskerGoneError. Raise RedisUrlError if `url`
    cannot be read.

    A read takes some 50 µs, nearly all of it CPU time of this process; an `append` three times that, since it asks for
    the time first (`reports/design-notes.md`).
    """

    def __init__(
        self, url: str, connections: int = 1, *, connect_timeout: float = 2.0, command_timeout: float = 5.0
    ) -> None:
        self._redis = Connections(url, connections, connect_timeout, command_timeout)
        self._tag = self._redis.tag
        self._command_timeout = command_timeout
        self._index = index.index_keys(self._tag)
        self._visits = Visits(self._tag)
        # What goes which way; a subclass may have either take another than the direct one.
        self._reads: Redis = self._redis
        self._writes: Redis = self._redis
        # Fans who come together read the same bytes, and checking some sixty names takes longer than fetching them. A
        # match cannot change, so all may have the same one; what is compared is what Redis just said, never older.
        self._decode_match = lru_cache(maxsize=32)(codec.decode_match)
        self._decoding = Decoding()

    async def ping(self) -> None:
        """Return once Redis has answered. Raise StoreUnavailableError."""
        await self._redis.call("PING")

    async def take_over(self) -> None:
        """Put the matches that an older version has stored into the index; several nodes may do so at the same time."""
        while await self._redis.call(*index.taking_over(self._tag)):
            pass

    async def close(self) -> None:
        """Close all connections. Later calls raise StoreUnavailableError."""
        await self._redis.close()

    def statistics(self) -> ConnectionStatistics:
        """Return how many connections there are and what they did."""
        return self._redis.statistics()

    async def put_team(self, team: Team, terms: Terms = PLAIN) -> bool:
        """Store a team, in place of an older one of that id; return whether it is new."""
        script_keys = (self._answer_key(terms), self._tag + keys.team_key(team.id))
        arguments = (*await self._written_once(terms), codec.encode(team))
        _, is_new = _decided(await self._writes.call(*_script(scripts.PUT_TEAM, script_keys, arguments)))
        return is_new == b"1"

    async def team(self, team_id: str) -> Team | None:
        """Return the team, None if there is none."""
        stored = await self._get(f"the team {team_id}", _MEND_TEAM, "GET", self._tag + keys.team_key(team_id))
        if stored is None:
            return None
        return self._decoding.read(codec.decode_team, stored, f"the team {team_id}", _MEND_TEAM)

    async def create_match(self, match: Match, terms: Terms = PLAIN) -> Match | None:
        """Store a match that has no events yet; return None, and change nothing, if there is one with that id.

        Else return the match, or the one that was stored under the key when that was first used.
        """
        script_keys = (self._answer_key(terms), self._tag + keys.match_key(match.id), *self._index)
        stored = (match.seq, codec.encode(match), *index.entry(match, self._tag))
        create = _script(scripts.CREATE, script_keys, (*await self._written_once(terms), *stored))
        outcome, *answered = _decided(await self._change(match.id, "created", create))
        return None if outcome == b"exists" else codec.decode_match(*answered)

    async def match(self, match_id: str) -> Match | None:
        """Return the match as it stands, None if there is none."""
        get = ("HGET", self._tag + keys.match_key(match_id), keys.MATCH_FIELD)
        stored = await self._get(f"the match {match_id}", _MEND_MATCH, *get)
        return None if stored is None else self._read_match(match_id, stored)

    async def version(self, match_id: str) -> tuple[Match, str] | None:
        """Return the match as it stands and its version (`common.store.terms`), None if there is none."""
        fields = (keys.MATCH_FIELD, keys.SEQ_FIELD, keys.MADE_FIELD)
        get = ("HMGET", self._tag + keys.match_key(match_id), *fields)
        stored, seq, made = await self._get(f"the match {match_id}", _MEND_MATCH, *get)
        if stored is None:
            return None
        return self._read_match(match_id, stored), version_of(int(seq), (made or b"").decode())

    async def matches(self, after: Listed | None = None, limit: int | None = None) -> list[Match]:
        """Return matches: those being played, newest first; those to come, next first; those that ended, last first.

        At the same date ids decide; a match that has not started though its day is over comes behind those to come.
        All, as they are at one moment; or those behind the place `after` (`common.store.index.listed_at`), and no more
        than `limit`. Between two such calls a match that starts or ends changes its place. One that cannot be read is
        left out; the log tells of it.
        """
        found: list[Match] = []
        while True:
            wanted = None if limit is None else limit - len(found)
            listed = await self._reads.call(*index.listing(self._tag, after, wanted))
            for _, _, match_id, stored in listed:
                with suppress(UnreadableRecordError):
                    found.append(self._read_match(_text(match_id), stored))
            if wanted is None or len(found) == limit or len(listed) < wanted:
                return found
            number, score, match_id, _ = listed[-1]  # some were left out: others take their places
            after = Listed(number, int(score), _text(match_id))

    async def current_match(self) -> Match | None:
        """Return the match for who names none: the first of `matches`, None if there is none.

        It costs the same however many have ended.
        """
        first = await self.matches(limit=1)
        return first[0] if first else None

    async def _get(self, what: str, advice: str, *command: Argument) -> Any:
        """Return the answer to a command that reads. Raise UnreadableRecordError if it is not for what is stored."""
        try:
            return await self._reads.call(*command)
        except WrongTypeError as error:
            raise self._decoding.refusal(b"", what, advice, error) from None

    def _read_match(self, match_id: str, stored: bytes) -> Match:
        return self._decoding.read(self._decode_match, stored, f"the match {match_id}", _MEND_MATCH)

    async def append(
        self, match: Match, event: Event, *, after: datetime | None = None, terms: Terms = PLAIN
    ) -> Event | None:
        """Store `event` and `match`, which is as the event left it, in one step: both or none.

        Return None; or, and change nothing, the event that was stored under the key when that was first used.

        `after` is when the event before was accepted, if there is one: by it another course of the match is told from
        the one that the caller knows (it was announced anew, or Redis set back), where as many events were accepted.

        Raise ConflictError if the stored match is not the one before that event, UnknownMatchError if there is none,
        ValueError if the two do not belong together.
        """
        if match.seq != event.seq:
            raise ValueError(f"a match after {match.seq} events was to be stored with event {event.seq}")
        last_at = "" if after is None else codec.moment(after)
        stored = (event.seq - 1, event.seq, codec.encode(match), codec.encode(event), last_at)
        arguments = (*stored, *index.entry(match, self._tag))
        append = self._on_terms(scripts.APPEND, match.id, await self._deadline_ms(terms), terms, arguments)
        outcome, *found = _decided(await self._change(match.id, codec.place(event.seq, event.at), append), match.id)
        if outcome == b"answered":
            return self._read_answered(match.id, *found)
        if outcome == b"another":
            raise ConflictError(f"match {match.id} was announced anew, or set back: read it again")
        if outcome == b"moved":
            (seq,) = map(int, found)
            raise ConflictError(
                f"match {match.id} has {seq} events, so event {event.seq} cannot follow: read the match again"
            )
        return None

    async def check(self, match_id: str, terms: Terms) -> Event | None:
        """Return the event that was stored under the key, None if that was not used for the match yet.

        Raise UnknownMatchError, and whatever the terms alone have `append` raise.
        """
        check = self._on_terms(scripts.CHECK, match_id, 0, terms)
        outcome, *found = _decided(await self._reads.call(*check), match_id)
        return self._read_answered(match_id, *found) if outcome == b"answered" else None

    async def history(self, match_id: str, after_seq: int = 0, limit: int | None = None) -> list[Event]:
        """Return the events after number `after_seq`, at most `limit`, in order; none if there is no such match."""
        count = () if limit is None else ("COUNT", limit)
        get = ("XRANGE", self._tag + keys.events_key(match_id), f"{after_seq + 1}-0", "+", *count)
        entries = await self._get(f"the history of the match {match_id}", _MEND_MATCH, *get)
        return [self._read_event(match_id, entry, fields) for entry, fields in entries]

    def _read_answered(self, match_id: str, stored: bytes) -> Event:
        return self._decoding.read(codec.decode_event, stored, f"an event of the match {match_id}", _MEND_MATCH)

    def _read_event(self, match_id: str, entry: bytes, fields: list[bytes]) -> Event:
        what = f"event {entry.decode().removesuffix('-0')} of the match {match_id}"
        stored = dict(zip(fields[::2], fields[1::2], strict=True)).get(keys.EVENT_FIELD.encode())
        if stored is None:
            raise self._decoding.refusal(entry, what, _MEND_MATCH, f"it has no field {keys.EVENT_FIELD}")
        return self._decoding.read(codec.decode_event, stored, what, _MEND_MATCH)

    async def cancel(self, match_id: str, terms: Terms = PLAIN) -> bool:
        """Delete a match and its events in one step.

        Return False, and change nothing, if there is none, or if the key was used for this before.
        """
        script_keys = (self._answer_key(terms), *self._keys_of(match_id))
        arguments = (*await self._written_once(terms), match_id, _listed(terms.expected))
        cancel = _script(scripts.CANCEL, script_keys, arguments)
        try:
            outcome, *_ = _decided(await self._change(match_id, "cancelled", cancel), match_id)
        except UnknownMatchError:
            return False
        return outcome == b"done"

    async def was_cancelled(self, terms: Terms) -> bool:
        """Return whether a match was cancelled under the key, within a day. Raise KeyReusedError."""
        asked = _script(scripts.ANSWERED, (self._answer_key(terms),), ("", terms.key, terms.fingerprint))
        outcome, *_ = _decided(await self._reads.call(*asked))
        return bool(outcome == b"answered")

    async def visit(self, user: str) -> int:
        """Count a visit of the user; return how many there have been, as far as is kept (`common.store.visits`)."""
        count, *_ = await self._writes.call_all(self._visits.count((user,)))
        return int(count)

    async def visit_all(self, users: Sequence[str]) -> None:
        """Count a visit of each of these users, in one exchange."""
        await self._writes.call_all(self._visits.count_silently(users))

    async def _change(self, match_id: str, news: str, command: tuple[Argument, ...]) -> Any:
        """Send what changes a match and return the answer; a subclass may have others told of it.

        The news is `created`, `cancelled` or the place of an event (`codec.place`), if Redis accepts what is sent.
        """
        del match_id, news  # of use to a subclass only
        return await self._writes.call(*command)

    async def _deadline_ms(self, terms: Terms) -> int:
        """Return until when what is asked for now may be written, in milliseconds by Redis's clock.

        It is `command_timeout` from now, or a little less: that clock was read at some moment while this waited for it.
        Raise AskerGoneError.
        """
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        try:
            seconds, microseconds = await self._redis.call("TIME")
        except UnknownOutcomeError as error:
            raise StoreUnavailableError(str(error)) from None  # the write itself was not even sent
        if terms.is_gone():
            raise AskerGoneError("whoever asked for this has hung up: nothing was done")
        left_s = self._command_timeout - (loop.time() - asked_s)
        return int(seconds) * 1000 + int(microseconds) // 1000 + int(left_s * 1000)

    async def _written_once(self, terms: Terms) -> tuple[Argument, ...]:
        """Return the arguments that scripts begin with which keep their answer under the key's own name."""
        return (await self._deadline_ms(terms), terms.key, terms.fingerprint, _KEPT_S)

    def _answer_key(self, terms: Terms) -> str:
        return self._tag + keys.answer_key(terms.key)

    def _on_terms(
        self, script: str, match_id: str, deadline_ms: int, terms: Terms, arguments: tuple[Argument, ...] = ()
    ) -> tuple[Argument, ...]:
        first = (deadline_ms, terms.key, terms.fingerprint, _listed(terms.expected))
        return _script(script, self._keys_of(match_id), (*first, *arguments))

    def _keys_of(self, match_id: str) -> tuple[str, ...]:
        """Return the keys in which a match and what belongs to it are kept, then the index."""
        names = (keys.match_key(match_id), keys.events_key(match_id), keys.answers_key(match_id))
        return (*(self._tag + name for name in names), *self._index)


def _text(match_id: bytes) -> str:
    return match_id.decode(errors="replace")


def _script(script: str, script_keys: tuple[str, ...], arguments: tuple[Argument, ...]) -> tuple[Argument, ...]:
    return ("EVAL", script, len(script_keys), *script_keys, *arguments)


def _listed(expected: tuple[str, ...]) -> str:
    """Return versions as a script reads them: each between spaces, which none contains."""
    return f" {' '.join(expected)} " if expected else ""


def _decided(answer: list[bytes], match_id: str = "") -> list[bytes]:
    """Return what a script answered. Raise what its word stands for, if that is the same for all of them."""
    match answer:
        case [b"late"]:
            raise StoreUnavailableError("Redis was reached too late to change anything")
        case [b"reused"]:
            raise KeyReusedError("this key stands for another request already: use a new one")
        case [b"missing"]:
            raise UnknownMatchError(f"there is no match {match_id}: create it first")
        case [b"outdated", seq]:
            raise OutdatedError(f"match {match_id} has {int(seq)} events now, not what was expected: read it anew")
    return answer
