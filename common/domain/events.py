"""An accepted event: numbered, dated, with names filled in. This is stored, sent to fans and shown in a history."""

from datetime import datetime

import msgspec

from common.domain.match import Player

Detail = str | int | Player | tuple[Player, ...]


class Event(msgspec.Struct, frozen=True):
    """The `seq`-th event of its match (from 1, without gaps), accepted at `at` (UTC).

    `details` keeps the order in which a fan reads them.
    """

    seq: int
    at: datetime
    kind: str
    details: dict[str, Detail]

    @property
    def ends_match(self) -> bool:
        """Whether nothing can follow: the server closes its fans after it."""
        return self.kind == "stop"
