"""How fans of a stage come by its doors for browsers: a request each, answered by where the match stands.

An event's number stands in its comment, as by text, and the API takes the events whichever way the fans come. By
WebSocket a fan's answer is complete with the status. By EventSource it is with the head, behind which the server says
the status in the same piece; a fan who comes back may hear what it missed instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from harness.targets.description import Description, Then, check

if TYPE_CHECKING:
    from harness.load.workload import Dialogue
    from harness.records.asked import Door

_MARK: Final = '"comment":"#'
_STATUS: Final = '"kind":"status"'


def door_dialogue(door: Door, match_id: str) -> Dialogue:
    """Return a fan's part by a door, to watch that match."""
    path = f"localhost/1/match/{quote(match_id, safe='')}"
    match door:
        case "event-source":
            by = Description(f"http://{path}/stream?user={{user}}", mark=_MARK)
        case "websocket":
            by = Description(f"ws://{path}/ws?user={{user}}", mark=_MARK, then=(Then("", _STATUS),))
    return check(by, door).dialogue
