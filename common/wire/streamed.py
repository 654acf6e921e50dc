"""What browsers are sent of a match: events and statuses as JSON, each with its place.

A place is an epoch and a number with a hyphen between (`common.wire.frames`), as in `1315921731000000-12`. A browser
sends back the last one that it has heard, as `Last-Event-ID` or as `?after=`, and goes on behind it.
"""

import re
from datetime import datetime
from typing import Final

import msgspec

from common.domain.events import Detail, Event
from common.wire.greeting import WrongFieldError

_PLACE: Final = re.compile("([0-9]{1,18})-([0-9]{1,18})")


class StreamedEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of a match, or of kind `status` where it stands, as browsers are sent it.

    `id` is its place: what a browser sends back that has heard nothing after it. `seq` is its number in the match, of a
    status that of the last event which is in it. `details` are those of the history; those of a status are `home`,
    `home_players`, `home_score`, `visit`, `visit_players`, `visit_score` and `period`. Where a status stands for events
    which the browser asked for, and can not be sent any more, `missed` says so in one line.
    """

    id: str
    seq: int
    at: datetime
    kind: str
    details: dict[str, Detail]
    missed: str = ""


def place_id(number: int, epoch: int) -> str:
    """Return a place as browsers are sent it."""
    return f"{epoch}-{number}"


def parse_place(text: str) -> tuple[int, int]:
    """Return the number and the epoch of a place that a browser sends back. Raise WrongFieldError."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise WrongFieldError("the place is not <epoch>-<number>, as the id of an event is")
    return int(found[2]), int(found[1])


def streamed(event: Event, number: int, epoch: int, missed: str = "") -> bytes:
    """Return an event, or a status, as JSON without line breaks."""
    told = StreamedEvent(place_id(number, epoch), event.seq, event.at, event.kind, event.details, missed)
    return msgspec.json.encode(told)
