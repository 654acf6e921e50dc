"""Records as bytes and back: JSON, which any tool can read, decoded strictly into the domain's types."""

from datetime import datetime
from typing import TypeVar

import msgspec

from common.domain.events import Event
from common.domain.match import Match, Team
from common.store.errors import UnreadableRecordError

_Record = TypeVar("_Record")

_encoder = msgspec.json.Encoder()
_event = msgspec.json.Decoder(Event)
_match = msgspec.json.Decoder(Match)
_team = msgspec.json.Decoder(Team)


def encode(record: Event | Match | Team) -> bytes:
    """Return the record as JSON; decoding it gives an equal record."""
    return _encoder.encode(record)


def moment(at: datetime) -> str:
    """Return when an event was accepted, as it stands in its JSON."""
    return str(msgspec.to_builtins(at))


def place(seq: int, at: datetime) -> str:
    """Return where an event stands in the course of its match: `<number> <moment>`."""
    return f"{seq} {moment(at)}"


def decode_event(stored: bytes) -> Event:
    """Return the event that was encoded. Raise UnreadableRecordError."""
    return _decode(_event, stored)


def decode_match(stored: bytes) -> Match:
    """Return the match that was encoded. Raise UnreadableRecordError."""
    return _decode(_match, stored)


def decode_team(stored: bytes) -> Team:
    """Return the team that was encoded. Raise UnreadableRecordError."""
    return _decode(_team, stored)


def _decode(decoder: msgspec.json.Decoder[_Record], stored: bytes) -> _Record:
    try:
        return decoder.decode(stored)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        name = decoder.type.__name__.lower()
        raise UnreadableRecordError(f"Redis holds a {name} that this version cannot read ({error})") from error
