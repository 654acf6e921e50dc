"""What a reporter may post: one record a kind, told apart by `kind`; a player is named by shirt number.

Any post may carry a `comment`, a remark printed as the last detail. The original knows it for the kinds without
effect only; here it is open to all, so a harness can number every event. A post without one gives exactly the
original's frame.
"""

from typing import Annotated, Literal, get_args

import msgspec

from common.domain.match import ONE_LINE, Number, TeamId

Comment = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=280, pattern=ONE_LINE, description="A remark, on one line."),
]
LineUp = Annotated[tuple[Number, ...], msgspec.Meta(min_length=1, max_length=11)]


class _Post(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", kw_only=True):
    comment: Comment | None = None

    @property
    def kind(self) -> str:
        """The kind of event, as it is posted and printed."""
        return str(self.__struct_config__.tag)


class Start(_Post, frozen=True, tag="start"):
    """Kick-off, with both line-ups."""

    home_players: LineUp
    visit_players: LineUp


class HalftimeStart(_Post, frozen=True, tag="halftime_start"):
    """The break begins."""


class HalftimeStop(_Post, frozen=True, tag="halftime_stop"):
    """The break is over."""


class Extratime(_Post, frozen=True, tag="extratime"):
    """Extra time begins."""


class Penalties(_Post, frozen=True, tag="penalties"):
    """The penalty shoot-out begins."""


class Stop(_Post, frozen=True, tag="stop"):
    """The match is over."""


class Goal(_Post, frozen=True, tag="goal"):
    """A goal for `team`; an own goal names the scorer's own team in `player_team`."""

    team: TeamId
    player: Number
    player_team: TeamId | None = None


class Card(_Post, frozen=True, tag="card"):
    """A card; with a red one the player leaves the field."""

    team: TeamId
    player: Number
    card: Literal["yellow", "red"]


class Substitution(_Post, frozen=True, tag="substitution"):
    """`player_in`, of the squad, takes the place of `player_out`, of the field."""

    team: TeamId
    player_in: Number
    player_out: Number


class _Play(_Post, frozen=True):
    team: TeamId
    player: Number | None = None


class Shot(_Play, frozen=True, tag="shot"):
    """A shot."""


class Save(_Play, frozen=True, tag="save"):
    """A save."""


class Corner(_Play, frozen=True, tag="corner"):
    """A corner."""


class Goalkick(_Play, frozen=True, tag="goalkick"):
    """A goal kick."""


class Offside(_Play, frozen=True, tag="offside"):
    """An offside."""


class Foul(_Play, frozen=True, tag="foul"):
    """A foul."""


class Penalty(_Play, frozen=True, tag="penalty"):
    """A penalty during play."""


class Freekick(_Play, frozen=True, tag="freekick"):
    """A free kick."""


class Throwin(_Play, frozen=True, tag="throwin"):
    """A throw-in."""


Play = Shot | Save | Corner | Goalkick | Offside | Foul | Penalty | Freekick | Throwin
Post = Start | HalftimeStart | HalftimeStop | Extratime | Penalties | Stop | Goal | Card | Substitution | Play

KINDS: tuple[str, ...] = tuple(str(kind.__struct_config__.tag) for kind in get_args(Post))
"""The names of all kinds, in the order above."""
