"""Teams, matches, posts and events for properties."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from hypothesis import strategies as st

from common.domain import rules
from common.domain.errors import DomainError
from common.domain.events import Event
from common.domain.match import Match, NewMatch, Player, Team
from common.domain.posts import (
    Card,
    Corner,
    Extratime,
    Foul,
    Freekick,
    Goal,
    Goalkick,
    HalftimeStart,
    HalftimeStop,
    Offside,
    Penalties,
    Penalty,
    Post,
    Save,
    Shot,
    Start,
    Stop,
    Substitution,
    Throwin,
)

AT = datetime(2011, 9, 10, 18, 0, 0, tzinfo=UTC)
PLAYS = (Shot, Save, Corner, Goalkick, Offside, Foul, Penalty, Freekick, Throwin)

DIRECTION_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_one_line = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters=DIRECTION_MARKS)
_nasty = ["Luna", "A (3) ", ": ", " ", "\u00a0x", "goal:", "\\t", "Ñandú 🇦🇷"]
names = st.sampled_from(_nasty) | st.text(_one_line, min_size=1, max_size=64)
comments = st.sampled_from(_nasty) | st.text(_one_line, min_size=1, max_size=280)
team_ids = st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True)
numbers = st.integers(0, 999)
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))

_shirts = st.lists(numbers, min_size=3, max_size=9, unique=True)
_remarks = st.none() | comments
# Play is drawn more often than control, and Stop seldom, so that a match gets somewhere before it ends.
_kinds = st.sampled_from(
    [Goal, Card, Substitution, Substitution, *PLAYS[:3], HalftimeStart, HalftimeStop, Extratime, Penalties]
) | st.sampled_from([Start, Stop, Goal, Card, Substitution, HalftimeStart, HalftimeStop, *PLAYS])


@st.composite
def teams(draw: st.DrawFn, ids: st.SearchStrategy[str] = team_ids) -> Team:
    """A team with a squad of 3 to 9, small enough that a match meets everyone."""
    return Team(draw(ids), draw(names), tuple(Player(number, draw(names)) for number in draw(_shirts)))


@st.composite
def announced_matches(draw: st.DrawFn) -> Match:
    """A match that has not started."""
    home = draw(teams())
    visit = draw(teams())
    if visit.id == home.id:
        visit = Team("x" if home.id != "x" else "y", visit.name, visit.players)
    return rules.announce(NewMatch(home.id, visit.id, draw(st.dates(date(1900, 1, 1)))), home, visit)


@st.composite
def starts(draw: st.DrawFn, match: Match) -> Start:
    """A kick-off that the rules accept."""

    def line_up(squad: tuple[Player, ...]) -> tuple[int, ...]:
        order = draw(st.permutations(squad))
        return tuple(player.number for player in order[: draw(st.integers(1, 11))])

    home, visit = line_up(match.home_squad), line_up(match.visit_squad)
    return Start(home_players=home, visit_players=visit, comment=draw(_remarks))


@st.composite
def posts_about(draw: st.DrawFn, match: Match) -> Post:
    """A post that is likely but not sure to be possible, if the match is live."""
    sides = [
        (match.home, match.home_players, match.home_squad),
        (match.visit, match.visit_players, match.visit_squad),
    ]

    def side() -> tuple[str, tuple[Player, ...], tuple[Player, ...]]:
        chosen = draw(st.integers(0, 9))
        return sides[chosen % 2] if chosen else (draw(team_ids), *sides[0][1:])

    def number(likely: tuple[Player, ...]) -> int:
        wild = draw(st.integers(0, 9)) == 0
        return draw(numbers if wild or not likely else st.sampled_from([player.number for player in likely]))

    kind, comment, (team, field, squad) = draw(_kinds), draw(_remarks), side()
    if kind is Start:
        return draw(starts(match))
    if kind is Goal:
        own = draw(st.sampled_from([None, team]))
        return Goal(team=side()[0], player=number(field), player_team=own, comment=comment)
    if kind is Card:
        return Card(team=team, player=number(field), card=draw(st.sampled_from(["yellow", "red"])), comment=comment)
    if kind is Substitution:
        return Substitution(team=team, player_in=number(squad), player_out=number(field), comment=comment)
    fields = {"team": team, "player": number(field) if draw(st.booleans()) else None} if kind in PLAYS else {}
    post: Post = kind(comment=comment, **fields)
    return post


@dataclass(frozen=True)
class Played:
    """A match, and the events that brought it there from its announcement."""

    match: Match
    events: tuple[Event, ...]


@st.composite
def played_matches(draw: st.DrawFn, max_posts: int = 12) -> Played:
    """A match that has started, at any point of its play."""
    match = draw(announced_matches())
    match, event = rules.apply(match, draw(starts(match)), AT)
    events = [event]
    for _ in range(draw(st.integers(0, max_posts))):
        try:
            match, event = rules.apply(match, draw(posts_about(match)), AT)
        except DomainError:
            continue
        events.append(event)
    return Played(match, tuple(events))


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event a fan can hear, the status included, at any time."""
    played = draw(played_matches(max_posts=4))
    event = draw(st.sampled_from([*played.events, rules.status(played.match, AT)]))
    return Event(event.seq, draw(times), event.kind, event.details)
