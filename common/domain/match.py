"""Teams, players and the state of a match: immutable records that say what JSON they accept."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import msgspec

# `$` alone would let a line feed at the very end pass; `(?!\n)` closes that, for Python and for JSON Schema's dialect.
SHORT_NAME = r"^[a-z0-9]{1,16}$(?!\n)"
UNWANTED = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""Inside a pattern's brackets: control characters, ends of line, and the marks that turn the direction of what is
written (Unicode Standard Annex 9), with which a name shows as another one than it is."""
ONE_LINE = rf"^[^{UNWANTED}]*$(?!\n)"

TeamId = Annotated[str, msgspec.Meta(pattern=SHORT_NAME, description="A team's short name, e.g. `elp`.")]
Number = Annotated[int, msgspec.Meta(ge=0, le=999, description="A player's shirt number.")]
Name = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=64, pattern=ONE_LINE, description="A name, on one line."),
]
Squad = Annotated[tuple["Player", ...], msgspec.Meta(min_length=1, max_length=64)]


class Period(StrEnum):
    """Where a match is; the names are the original's and appear in the status frame."""

    NOT_STARTED = "not_started"
    FIRST = "first"
    HALFTIME = "halftime"
    LAST = "last"
    FIRST_EXTRA = "first_extra"
    HALFTIME_EXTRA = "halftime_extra"
    LAST_EXTRA = "last_extra"
    PENALTIES = "penalties"
    ENDED = "ended"


class Player(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A player by shirt number and name."""

    number: Number
    name: Name


class Team(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team and its squad: everyone who may be named in a line-up or come in as a substitute.

    Shirt numbers are unique in a squad; `common.domain.rules.check_team` refuses one that repeats.
    """

    id: TeamId
    name: Name
    players: Squad


class NewMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is needed to announce a match."""

    home: TeamId
    visit: TeamId
    date: date

    @property
    def id(self) -> str:
        """The match id, `<home>-<visit>-<YYYY-MM-DD>`."""
        return f"{self.home}-{self.visit}-{self.date.isoformat()}"


class Match(msgspec.Struct, frozen=True):
    """A match as it stands after `seq` events.

    `home_players` and `visit_players` are on the field, in line-up order; the squads are copied from the teams when
    the match is announced, so that a later change of a team does not rewrite a match that is being played.
    `home_gone` and `visit_gone` are the numbers of those who left the field, sent off or substituted: they may not come
    in again (IFAB, Laws of the Game, Laws 3 and 12). `last_at` is when the last event was accepted, None before the
    first: of two courses that a match of one id has taken with as many events (it was announced anew, or its store was
    set back), it tells which this is.
    """

    id: str
    date: date
    home: TeamId
    visit: TeamId
    home_squad: tuple[Player, ...]
    visit_squad: tuple[Player, ...]
    home_players: tuple[Player, ...] = ()
    visit_players: tuple[Player, ...] = ()
    home_gone: tuple[int, ...] = ()
    visit_gone: tuple[int, ...] = ()
    home_score: int = 0
    visit_score: int = 0
    period: Period = Period.NOT_STARTED
    seq: int = 0
    last_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Whether the match has started and has not ended: fans stay connected only then."""
        return self.period not in {Period.NOT_STARTED, Period.ENDED}
