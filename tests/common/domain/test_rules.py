from datetime import date

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import event as note
from hypothesis import strategies as st

from common.domain import rules
from common.domain.errors import (
    AlreadyOnFieldError,
    DomainError,
    InvalidError,
    MayNotReturnError,
    NotOnFieldError,
    UnknownPlayerError,
    UnknownTeamError,
    WrongPeriodError,
)
from common.domain.events import Event
from common.domain.match import Match, NewMatch, Period, Player, Team
from common.domain.posts import (
    KINDS,
    Card,
    Extratime,
    Goal,
    HalftimeStart,
    HalftimeStop,
    Penalties,
    Post,
    Shot,
    Start,
    Stop,
    Substitution,
)
from tests.common.domain.strategies import AT, PLAYS, Played, announced_matches, played_matches, posts_about, starts

ELP = Team("elp", "Estudiantes", (Player(1, "Albil"), Player(2, "Desabato"), Player(9, "Boselli"), Player(21, "Silva")))
TIG = Team("tig", "Tigre", (Player(12, "Garcia"), Player(7, "Luna"), Player(22, "Pio")))
NEW = NewMatch("elp", "tig", date(2011, 9, 10))
START = Start(home_players=(1, 2, 9), visit_players=(12, 7))
P = Period


def play(*posts: Post) -> Match:
    match = rules.announce(NEW, ELP, TIG)
    for post in posts:
        match, _ = rules.apply(match, post, AT)
    return match


def event_of(post: Post) -> Event:
    return rules.apply(play(START), post, AT)[1]


def numbers_of(players: tuple[Player, ...]) -> list[int]:
    return [player.number for player in players]


# Announcing


def test_a_squad_with_a_number_twice_is_refused() -> None:
    team = Team("elp", "E", (Player(1, "A"), Player(2, "B"), Player(1, "C")))
    with pytest.raises(InvalidError, match=r"team elp has shirt number 1 twice") as caught:
        rules.check_team(team)
    assert caught.value.field == "players"
    rules.check_team(ELP)


def test_a_match_is_announced_with_copies_of_the_squads() -> None:
    match = rules.announce(NEW, ELP, TIG)
    assert match == Match("elp-tig-2011-09-10", date(2011, 9, 10), "elp", "tig", ELP.players, TIG.players)
    assert not match.is_live


def test_a_team_does_not_play_itself() -> None:
    with pytest.raises(InvalidError, match="cannot play itself") as caught:
        rules.announce(NewMatch("elp", "elp", date(2011, 9, 10)), ELP, ELP)
    assert caught.value.field == "visit"


# Periods

CONTROLS: dict[str, Post] = {
    post.kind: post for post in (START, HalftimeStart(), HalftimeStop(), Extratime(), Penalties(), Stop())
}
LIVE = [P.FIRST, P.HALFTIME, P.LAST, P.FIRST_EXTRA, P.HALFTIME_EXTRA, P.LAST_EXTRA, P.PENALTIES]
TRANSITIONS = {
    ("start", P.NOT_STARTED): P.FIRST,
    ("halftime_start", P.FIRST): P.HALFTIME,
    ("halftime_start", P.FIRST_EXTRA): P.HALFTIME_EXTRA,
    ("halftime_stop", P.HALFTIME): P.LAST,
    ("halftime_stop", P.HALFTIME_EXTRA): P.LAST_EXTRA,
    ("extratime", P.LAST): P.FIRST_EXTRA,
    ("penalties", P.LAST): P.PENALTIES,
    ("penalties", P.LAST_EXTRA): P.PENALTIES,
    **{("stop", period): P.ENDED for period in LIVE},
}


@pytest.mark.parametrize("period", list(Period))
@pytest.mark.parametrize("kind", list(CONTROLS))
def test_periods_follow_each_other_as_in_the_table_and_in_no_other_way(kind: str, period: Period) -> None:
    match = msgspec.structs.replace(play(START), period=period)
    expected = TRANSITIONS.get((kind, period))
    if expected is not None:
        after, event = rules.apply(match, CONTROLS[kind], AT)
        assert (after.period, event.kind) == (expected, kind)
        return
    with pytest.raises(WrongPeriodError, match=rf"^{kind} is impossible while .* in period {period}; ") as caught:
        rules.apply(match, CONTROLS[kind], AT)
    assert caught.value.field == "kind"


@pytest.mark.parametrize("period", list(Period))
def test_what_happens_in_play_needs_a_live_match_and_leaves_the_period(period: Period) -> None:
    match = msgspec.structs.replace(play(START), period=period)
    goal = Goal(team="tig", player=7)
    if period in LIVE:
        assert rules.apply(match, goal, AT)[0].period is period
    else:
        with pytest.raises(WrongPeriodError):
            rules.apply(match, goal, AT)


def test_a_wrong_period_tells_what_is_possible() -> None:
    with pytest.raises(WrongPeriodError, match=r"not_started; possible now: start$"):
        play(Stop())
    with pytest.raises(WrongPeriodError, match="possible now: halftime_start, stop, goal, card, substitution, shot"):
        play(START, Penalties())
    with pytest.raises(WrongPeriodError, match=r"period ended; nothing can follow$"):
        play(START, Stop(), START)


def test_the_longest_match_goes_through_all_periods() -> None:
    halves = (HalftimeStart(), HalftimeStop())
    match = play(START, *halves, Extratime(), *halves, Penalties(), Goal(team="elp", player=9), Stop())
    assert (match.period, match.seq, match.home_score) == (P.ENDED, 9, 1)


# Line-ups


@pytest.mark.parametrize(
    ("home", "visit", "error", "field", "words"),
    [
        ((1, 99), (12,), UnknownPlayerError, "home_players", r"99 is not in the squad of elp; in it: 1, 2, 9, 21"),
        ((1,), (12, 1), UnknownPlayerError, "visit_players", r"1 is not in the squad of tig"),
        ((1, 2, 1), (12,), InvalidError, "home_players", r"line-up of elp names 1 twice"),
        ((1,), (7, 7), InvalidError, "visit_players", r"line-up of tig names 7 twice"),
    ],
)
def test_an_impossible_line_up_is_refused(
    home: tuple[int, ...], visit: tuple[int, ...], error: type[DomainError], field: str, words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        play(Start(home_players=home, visit_players=visit))
    assert caught.value.field == field


# What each kind does, and what a fan reads of it


def test_start_puts_both_line_ups_on_the_field_in_their_order() -> None:
    match, event = rules.apply(rules.announce(NEW, ELP, TIG), START, AT)
    assert (numbers_of(match.home_players), numbers_of(match.visit_players)) == ([1, 2, 9], [12, 7])
    assert event == Event(1, AT, "start", {"home_players": match.home_players, "visit_players": match.visit_players})
    assert list(event.details) == ["home_players", "visit_players"]


@pytest.mark.parametrize(("team", "score"), [("elp", (1, 0)), ("tig", (0, 1))])
def test_a_goal_counts_for_its_team(team: str, score: tuple[int, int]) -> None:
    player = ELP.players[2] if team == "elp" else TIG.players[1]
    match, event = rules.apply(play(START), Goal(team=team, player=player.number), AT)
    assert (match.home_score, match.visit_score) == score
    assert list(event.details.items()) == [("player", player), ("team", team)]


def test_an_own_goal_names_a_player_of_the_other_team() -> None:
    match, event = rules.apply(play(START), Goal(team="elp", player=7, player_team="tig"), AT)
    assert (match.home_score, match.visit_score) == (1, 0)
    assert list(event.details.items()) == [("player", Player(7, "Luna")), ("team", "elp"), ("player_team", "tig")]


def test_a_yellow_card_changes_nothing() -> None:
    match, event = rules.apply(play(START), Card(team="elp", player=2, card="yellow"), AT)
    assert match == msgspec.structs.replace(play(START), seq=2)
    assert list(event.details.items()) == [("player", Player(2, "Desabato")), ("card", "yellow"), ("team", "elp")]


def test_a_red_card_takes_the_player_off_the_field_for_good() -> None:
    red = Card(team="elp", player=2, card="red")
    match = play(START, red)
    assert numbers_of(match.home_players) == [1, 9]
    assert match.home_gone == (2,)
    with pytest.raises(MayNotReturnError, match="2 of elp left the field") as caught:
        play(START, red, Substitution(team="elp", player_in=2, player_out=9))
    assert caught.value.field == "player_in"
    with pytest.raises(NotOnFieldError, match="number 2 of elp is not on the field; on it: 1, 9"):
        play(START, red, red)


def test_the_last_player_sent_off_leaves_nobody() -> None:
    match = play(START, *(Card(team="tig", player=number, card="red") for number in (12, 7)))
    assert match.visit_players == ()
    with pytest.raises(NotOnFieldError, match="on it: nobody"):
        rules.apply(match, Shot(team="tig", player=7), AT)


def test_a_substitute_takes_the_place_of_who_leaves() -> None:
    swap = Substitution(team="elp", player_in=21, player_out=2)
    match, event = rules.apply(play(START), swap, AT)
    assert numbers_of(match.home_players) == [1, 21, 9]
    silva, out = Player(21, "Silva"), Player(2, "Desabato")
    assert list(event.details.items()) == [("player_out", out), ("team", "elp"), ("player_in", silva)]
    with pytest.raises(MayNotReturnError):
        rules.apply(match, Substitution(team="elp", player_in=2, player_out=21), AT)


def test_the_visiting_team_substitutes_too() -> None:
    match = play(START, Substitution(team="tig", player_in=22, player_out=12))
    assert (numbers_of(match.visit_players), match.visit_gone, match.home_gone) == ([22, 7], (12,), ())


@pytest.mark.parametrize("kind", PLAYS)
def test_what_has_no_effect_is_told_with_and_without_a_player(kind: type[Shot]) -> None:
    assert list(event_of(kind(team="tig")).details.items()) == [("team", "tig")]
    luna = event_of(kind(team="tig", player=7, comment="close"))
    assert list(luna.details.items()) == [("player", Player(7, "Luna")), ("team", "tig"), ("comment", "close")]
    with pytest.raises(NotOnFieldError):
        event_of(kind(team="elp", player=7))


def test_a_comment_is_the_last_detail_of_any_kind() -> None:
    assert event_of(HalftimeStart(comment="17")).details == {"comment": "17"}
    assert event_of(Stop()).details == {}
    assert list(event_of(Goal(team="tig", player=7, comment="17")).details) == ["player", "team", "comment"]


@pytest.mark.parametrize(
    ("post", "error", "field"),
    [
        (Goal(team="boc", player=7), UnknownTeamError, "team"),
        (Goal(team="elp", player=7, player_team="boc"), UnknownTeamError, "player_team"),
        (Goal(team="elp", player=7), NotOnFieldError, "player"),
        (Goal(team="elp", player=9, player_team="tig"), NotOnFieldError, "player"),
        (Card(team="boc", player=7, card="red"), UnknownTeamError, "team"),
        (Card(team="elp", player=21, card="yellow"), NotOnFieldError, "player"),
        (Substitution(team="boc", player_in=1, player_out=2), UnknownTeamError, "team"),
        (Substitution(team="elp", player_in=21, player_out=22), NotOnFieldError, "player_out"),
        (Substitution(team="elp", player_in=22, player_out=2), UnknownPlayerError, "player_in"),
        (Substitution(team="elp", player_in=9, player_out=2), AlreadyOnFieldError, "player_in"),
        (Substitution(team="elp", player_in=2, player_out=2), AlreadyOnFieldError, "player_in"),
        (Shot(team="boc"), UnknownTeamError, "team"),
        (Shot(team="elp", player=21), NotOnFieldError, "player"),
    ],
)
def test_the_impossible_is_refused_by_name_and_field(post: Post, error: type[DomainError], field: str) -> None:
    with pytest.raises(error) as caught:
        event_of(post)
    assert type(caught.value) is error
    assert caught.value.field == field
    assert "\n" not in caught.value.message


def test_a_team_that_does_not_play_is_answered_with_those_that_do() -> None:
    with pytest.raises(UnknownTeamError, match="team boc does not play elp-tig-2011-09-10; say elp or tig"):
        event_of(Shot(team="boc"))


def test_status_tells_how_the_match_stands_in_the_order_a_fan_reads() -> None:
    match = play(START, Goal(team="tig", player=7))
    event = rules.status(match, AT)
    assert (event.seq, event.at, event.kind, event.ends_match) == (2, AT, "status", False)
    assert list(event.details.items()) == [
        ("home", "elp"),
        ("home_players", match.home_players),
        ("home_score", 0),
        ("visit", "tig"),
        ("visit_players", match.visit_players),
        ("visit_score", 1),
        ("period", "first"),
    ]
    assert type(event.details["period"]) is str


def test_every_kind_has_its_post() -> None:
    assert set(KINDS) == {*CONTROLS, "goal", "card", "substitution"} | {kind(team="x").kind for kind in PLAYS}


# Properties


def outcome(match: Match, post: Post) -> tuple[Match, Event] | DomainError:
    try:
        return rules.apply(match, post, AT)
    except DomainError as error:
        return error


@given(st.data())
def test_a_post_is_refused_or_gives_the_next_match_and_never_changes_the_one_it_meets(data: st.DataObject) -> None:
    match = data.draw(played_matches(max_posts=4)).match
    post = data.draw(posts_about(match))
    before = msgspec.json.encode(match)
    result = outcome(match, post)
    assert msgspec.json.encode(match) == before
    if isinstance(result, DomainError):
        note(type(result).__name__)
        assert result.field in {*post.__struct_fields__, "kind"}
        return
    note(f"accepted {post.kind}")
    after, event = result
    assert after.seq == event.seq == match.seq + 1
    assert (event.kind, event.at, after.last_at) == (post.kind, AT, AT)
    assert event.details.get("comment") == post.comment
    assert post.comment is None or list(event.details)[-1] == "comment"
    assert event.ends_match == (after.period is Period.ENDED)


@given(played_matches())
def test_events_are_numbered_without_gaps_and_the_score_is_their_goals(played: Played) -> None:
    match = played.match
    assert [event.seq for event in played.events] == list(range(1, match.seq + 1))
    goals = [event.details["team"] for event in played.events if event.kind == "goal"]
    assert (goals.count(match.home), goals.count(match.visit)) == (match.home_score, match.visit_score)


@given(played_matches())
def test_nobody_is_twice_on_the_field_or_there_after_leaving(played: Played) -> None:
    match = played.match
    for squad, players, gone in (
        (match.home_squad, match.home_players, match.home_gone),
        (match.visit_squad, match.visit_players, match.visit_gone),
    ):
        there = numbers_of(players)
        assert len(there + list(gone)) == len({*there, *gone})
        assert set(players) <= set(squad)


@given(played_matches(), st.data())
def test_an_ended_match_stays_as_it_is(played: Played, data: st.DataObject) -> None:
    ended = msgspec.structs.replace(played.match, period=Period.ENDED)
    with pytest.raises(WrongPeriodError, match="nothing can follow"):
        rules.apply(ended, data.draw(posts_about(ended)), AT)


@given(announced_matches(), st.data())
def test_nothing_but_a_start_begins_a_match(match: Match, data: st.DataObject) -> None:
    post = data.draw(posts_about(match))
    assume(not isinstance(post, Start))
    with pytest.raises(WrongPeriodError, match=r"possible now: start$"):
        rules.apply(match, post, AT)
    assert rules.apply(match, data.draw(starts(match)), AT)[0].is_live


@given(played_matches())
def test_a_match_survives_json(played: Played) -> None:
    assert msgspec.json.decode(msgspec.json.encode(played.match), type=Match) == played.match
    assert msgspec.json.decode(msgspec.json.encode(played.events), type=tuple[Event, ...]) == played.events
