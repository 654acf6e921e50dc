"""Arbitrary and sample records of the domain."""

from datetime import UTC, date

from hypothesis import strategies as st

from common.domain.events import Event
from common.domain.match import Match, Period, Player, Team

_names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=64)
_team_ids = st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True)
players = st.builds(Player, number=st.integers(0, 999), name=_names)
squads = st.lists(players, min_size=1, max_size=18).map(tuple)
line_ups = st.lists(players, max_size=11).map(tuple)
teams = st.builds(Team, id=_team_ids, name=_names, players=squads)
matches = st.builds(
    Match,
    id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    date=st.dates(),
    home=_team_ids,
    visit=_team_ids,
    home_squad=squads,
    visit_squad=squads,
    home_players=line_ups,
    visit_players=line_ups,
    home_score=st.integers(0, 2**53),
    visit_score=st.integers(0, 2**53),
    period=st.sampled_from(Period),
    seq=st.integers(0, 2**53),
    last_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)
details = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63), players, line_ups)
events = st.builds(
    Event,
    seq=st.integers(1, 2**53),
    at=st.datetimes(timezones=st.just(UTC)),
    kind=_names,
    details=st.dictionaries(_names, details, max_size=6),
)

SQUAD = (Player(number=7, name="Luna"), Player(number=10, name="Morales"))
TEAM = Team(id="tig", name="Tigre", players=SQUAD)


def match(
    match_id: str = "elp-tig-2011-09-10",
    *,
    seq: int = 0,
    period: Period = Period.NOT_STARTED,
    day: date = date(2011, 9, 10),  # it does not change
) -> Match:
    """Return a match as it stands after `seq` events."""
    return Match(
        id=match_id,
        date=day,
        home="elp",
        visit="tig",
        home_squad=SQUAD,
        visit_squad=SQUAD,
        visit_score=seq,
        period=period,
        seq=seq,
    )
