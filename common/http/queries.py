"""What may follow `?` where an answer comes in pages (`common.http.pages`)."""

from typing import Annotated, Final

import msgspec

MOST_EVENTS: Final = 1000
MOST_MATCHES: Final = 100


class HistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events: those after number `after`, and at most `limit` of them."""

    after: Annotated[int, msgspec.Meta(ge=0, description="Events up to this number are left out.")] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_EVENTS)] = 200


class MatchesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which matches: those that are listed after `after`, and at most `limit` of them."""

    after: Annotated[
        str,
        msgspec.Meta(
            description="What `next` said in the page before, which holds also if that match has moved in the list or "
            "is gone; or the id of a match that is listed. Empty for the first page."
        ),
    ] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_MATCHES)] = 50
