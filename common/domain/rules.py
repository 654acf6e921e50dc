"""The rules of a match: `apply` takes a match and a post and gives the next match and its event, or refuses by name.

Everything here is pure. A match is an immutable record, so a refusal cannot leave anything half-changed, and whoever
keeps the match decides when the new one counts (it counts once it is stored).

Which kind is possible in which period, and what follows, is one table (`_NEXT`); who may do what is checked on one
side of the match (`_Side`). The rules are the original's with two of the game's added: nobody who was sent off or
substituted comes in again (IFAB, Laws of the Game, Laws 3 and 12), and nobody is on the field twice.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

import msgspec

from common.domain.errors import (
    AlreadyOnFieldError,
    InvalidError,
    MayNotReturnError,
    NotOnFieldError,
    UnknownPlayerError,
    UnknownTeamError,
    WrongPeriodError,
)
from common.domain.events import Detail, Event
from common.domain.match import Match, NewMatch, Period, Player, Team
from common.domain.posts import (
    KINDS,
    Card,
    Extratime,
    Goal,
    HalftimeStart,
    HalftimeStop,
    Penalties,
    Play,
    Post,
    Start,
    Stop,
    Substitution,
)

_LIVE: Final = tuple(period for period in Period if period not in {Period.NOT_STARTED, Period.ENDED})
_DURING_PLAY: Final[Mapping[Period, Period]] = MappingProxyType({period: period for period in _LIVE})
_NEXT: Final[Mapping[str, Mapping[Period, Period]]] = MappingProxyType(
    {
        "start": {Period.NOT_STARTED: Period.FIRST},
        "halftime_start": {Period.FIRST: Period.HALFTIME, Period.FIRST_EXTRA: Period.HALFTIME_EXTRA},
        "halftime_stop": {Period.HALFTIME: Period.LAST, Period.HALFTIME_EXTRA: Period.LAST_EXTRA},
        "extratime": {Period.LAST: Period.FIRST_EXTRA},
        "penalties": {Period.LAST: Period.PENALTIES, Period.LAST_EXTRA: Period.PENALTIES},
        "stop": dict.fromkeys(_LIVE, Period.ENDED),
    }
)

_Details = dict[str, Detail]


def check_team(team: Team) -> None:
    """Raise InvalidError (field `players`) when two players of the squad share a shirt number."""
    repeated = _repeated(player.number for player in team.players)
    if repeated:
        raise InvalidError(f"team {team.id} has shirt number {_listed(repeated)} twice; make them unique", "players")


def announce(new: NewMatch, home: Team, visit: Team) -> Match:
    """Return the match that `new` asks for, not started, with the squads of `home` and `visit` as they are now.

    The teams are those that `new` names. Raise InvalidError (field `visit`) when a team would play itself.
    """
    if new.home == new.visit:
        raise InvalidError(f"team {new.home} cannot play itself; name another team", "visit")
    return Match(
        id=new.id,
        date=new.date,
        home=new.home,
        visit=new.visit,
        home_squad=home.players,
        visit_squad=visit.players,
    )


def apply(match: Match, post: Post, at: datetime) -> tuple[Match, Event]:
    """Return the match after `post`, and the event that tells of it; both carry the next `seq`.

    `at` (aware, UTC) dates the event. `match` is not changed. Raise, with `field` naming what is wrong in the post:
    WrongPeriodError, UnknownTeamError, UnknownPlayerError, NotOnFieldError, AlreadyOnFieldError, MayNotReturnError, or
    InvalidError for a line-up that names a player twice.
    """
    period = _next_period(match, post.kind)
    after, details = _effect(match, post)
    if post.comment is not None:
        details["comment"] = post.comment
    seq = match.seq + 1
    return msgspec.structs.replace(after, period=period, seq=seq, last_at=at), Event(seq, at, post.kind, details)


def status(match: Match, at: datetime) -> Event:
    """Return what a fan is told first: how the match stands. It is no event of the match: `seq` is the last one's."""
    details: _Details = {
        "home": match.home,
        "home_players": match.home_players,
        "home_score": match.home_score,
        "visit": match.visit,
        "visit_players": match.visit_players,
        "visit_score": match.visit_score,
        "period": match.period.value,
    }
    return Event(match.seq, at, "status", details)


def _next_period(match: Match, kind: str) -> Period:
    period = _NEXT.get(kind, _DURING_PLAY).get(match.period)
    if period is not None:
        return period
    possible = [other for other in KINDS if match.period in _NEXT.get(other, _DURING_PLAY)]
    advice = f"possible now: {', '.join(possible)}" if possible else "nothing can follow"
    raise WrongPeriodError(f"{kind} is impossible while {match.id} is in period {match.period.value}; {advice}", "kind")


def _effect(match: Match, post: Post) -> tuple[Match, _Details]:
    """Return the match with everything but its period and seq as it is after `post`, and the details of the event."""
    match post:
        case Start():
            return _start(match, post)
        case Goal():
            return _goal(match, post)
        case Card():
            return _card(match, post)
        case Substitution():
            return _substitution(match, post)
        case HalftimeStart() | HalftimeStop() | Extratime() | Penalties() | Stop():
            return match, {}
        case _:
            return match, _play(match, post)


def _start(match: Match, post: Start) -> tuple[Match, _Details]:
    home = _line_up(match.home, match.home_squad, post.home_players, "home_players")
    visit = _line_up(match.visit, match.visit_squad, post.visit_players, "visit_players")
    after = msgspec.structs.replace(match, home_players=home, visit_players=visit, home_score=0, visit_score=0)
    return after, {"home_players": home, "visit_players": visit}


def _goal(match: Match, post: Goal) -> tuple[Match, _Details]:
    scoring = _side(match, post.team, "team")
    scorers = scoring if post.player_team is None else _side(match, post.player_team, "player_team")
    details: _Details = {"player": scorers.on_field(post.player, "player"), "team": scoring.team}
    if post.player_team is not None:
        details["player_team"] = post.player_team
    if scoring.is_home:
        return msgspec.structs.replace(match, home_score=match.home_score + 1), details
    return msgspec.structs.replace(match, visit_score=match.visit_score + 1), details


def _card(match: Match, post: Card) -> tuple[Match, _Details]:
    side = _side(match, post.team, "team")
    player = side.on_field(post.player, "player")
    details: _Details = {"player": player, "card": post.card, "team": side.team}
    if post.card == "yellow":
        return match, details
    staying = tuple(other for other in side.players if other != player)
    return replace(side, players=staying, gone=(*side.gone, player.number)).put_into(match), details


def _substitution(match: Match, post: Substitution) -> tuple[Match, _Details]:
    side = _side(match, post.team, "team")
    leaves = side.on_field(post.player_out, "player_out")
    comes = side.may_come_in(post.player_in, "player_in")
    players = tuple(comes if player == leaves else player for player in side.players)
    after = replace(side, players=players, gone=(*side.gone, leaves.number)).put_into(match)
    return after, {"player_out": leaves, "team": side.team, "player_in": comes}


def _play(match: Match, post: Play) -> _Details:
    side = _side(match, post.team, "team")
    if post.player is None:
        return {"team": side.team}
    return {"player": side.on_field(post.player, "player"), "team": side.team}


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two teams of a match, so that each rule is written once."""

    is_home: bool
    team: str
    squad: tuple[Player, ...]
    players: tuple[Player, ...]
    gone: tuple[int, ...]

    def on_field(self, number: int, field: str) -> Player:
        player = _find(self.players, number)
        if player is None:
            there = _listed(other.number for other in self.players) or "nobody"
            raise NotOnFieldError(f"number {number} of {self.team} is not on the field; on it: {there}", field)
        return player

    def may_come_in(self, number: int, field: str) -> Player:
        player = _in_squad(self.team, self.squad, number, field)
        if _find(self.players, number) is not None:
            raise AlreadyOnFieldError(f"number {number} of {self.team} is on the field already", field)
        if number in self.gone:
            raise MayNotReturnError(f"number {number} of {self.team} left the field and may not come in again", field)
        return player

    def put_into(self, match: Match) -> Match:
        if self.is_home:
            return msgspec.structs.replace(match, home_players=self.players, home_gone=self.gone)
        return msgspec.structs.replace(match, visit_players=self.players, visit_gone=self.gone)


def _side(match: Match, team: str, field: str) -> _Side:
    if team == match.home:
        return _Side(True, team, match.home_squad, match.home_players, match.home_gone)
    if team == match.visit:
        return _Side(False, team, match.visit_squad, match.visit_players, match.visit_gone)
    raise UnknownTeamError(f"team {team} does not play {match.id}; say {match.home} or {match.visit}", field)


def _line_up(team: str, squad: tuple[Player, ...], numbers: tuple[int, ...], field: str) -> tuple[Player, ...]:
    repeated = _repeated(numbers)
    if repeated:
        raise InvalidError(f"the line-up of {team} names {_listed(repeated)} twice; name each player once", field)
    return tuple(_in_squad(team, squad, number, field) for number in numbers)


def _in_squad(team: str, squad: tuple[Player, ...], number: int, field: str) -> Player:
    player = _find(squad, number)
    if player is None:
        known = _listed(other.number for other in squad)
        raise UnknownPlayerError(f"number {number} is not in the squad of {team}; in it: {known}", field)
    return player


def _find(players: tuple[Player, ...], number: int) -> Player | None:
    return next((player for player in players if player.number == number), None)


def _repeated(numbers: Iterable[int]) -> list[int]:
    return sorted(number for number, times in Counter(numbers).items() if times > 1)


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)
