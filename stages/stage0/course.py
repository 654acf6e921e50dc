"""Whether a history goes on from where somebody stands in it, or is another course of the same match."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.domain.events import Event
    from stages.stage0.messages import Place


def beyond(place: Place, events: Sequence[Event]) -> Sequence[Event] | None:
    """Return what comes after `place`; None if the match that has these events was never there.

    `events` begin with the one at the place, if it has that one, else with the first. A match that was announced anew,
    or of which Redis came back with less, has another event there, or none.
    """
    if not place.seq:
        return events
    if not events or place.at not in {None, events[0].at}:
        return None
    return events[1:]
