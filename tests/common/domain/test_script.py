from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import rules
from common.domain.events import Event
from common.domain.match import Match, NewMatch, Period, Player, Team
from common.domain.posts import KINDS, Goal, Stop
from common.domain.script import SAMPLE, Script, ScriptError, Step, load_script, parse_script

HEAD = """\
[teams.elp]
name = "Estudiantes"
players = { 1 = "Albil", 9 = "Boselli" }

[teams.tig]
name = "Tigre"
players = { 7 = "Luna" }

[match]
home = "elp"
visit = "tig"
date = 2011-09-10
"""
START = '{ minute = 0, kind = "start", home_players = [1, 9], visit_players = [7] }'
FIRST_EVENT_LINE = 15


def script_of(*events: str, head: str = HEAD) -> str:
    return head + "events = [\n" + "".join(f"    {event},\n" for event in (START, *events)) + "]\n"


def refusal(text: str) -> str:
    with pytest.raises(ScriptError) as caught:
        parse_script(text)
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def play(script: Script) -> tuple[Match, list[Event]]:
    teams = {team.id: team for team in script.teams}
    match = rules.announce(script.match, teams[script.match.home], teams[script.match.visit])
    events = []
    for step in script.steps:
        match, event = rules.apply(match, step.post, datetime(2011, 9, 10, tzinfo=UTC))
        events.append(event)
    return match, events


# The form


def test_a_script_is_teams_a_match_and_steps() -> None:
    script = parse_script(script_of('{ minute = 5.5, kind = "goal", team = "tig", player = 7 }'))
    assert script.teams == (
        Team("elp", "Estudiantes", (Player(1, "Albil"), Player(9, "Boselli"))),
        Team("tig", "Tigre", (Player(7, "Luna"),)),
    )
    assert script.match == NewMatch("elp", "tig", date(2011, 9, 10))
    assert script.steps[1] == Step(5.5, Goal(team="tig", player=7))
    assert type(script.steps[0].minute) is float


def test_a_script_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "windows.toml"
    file.write_text(script_of('{ minute = 9, kind = "stop" }'), encoding="utf-8-sig")
    assert load_script(file) == parse_script(file.read_text("utf-8-sig"))


def test_the_long_form_of_toml_is_the_same_script() -> None:
    short = script_of('{ minute = 9, kind = "stop" }')
    long = (
        HEAD
        + """
[[match.events]]
minute = 0
kind = "start"
home_players = [1, 9]
visit_players = [7]

[[match.events]]
minute = 9
kind = "stop"
"""
    )
    assert parse_script(long) == parse_script(short)
    assert "event 2 (line 21), minute 9: " in refusal(long.replace('"stop"', '"penalties"'))


# What is refused, and where


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ('{ minute = 3, kind = "goal", team = "boc", player = 7 }', "minute 3: team: team boc does not play"),
        ('{ minute = 3.5, kind = "card", card = "red", team = "elp", player = 7 }', "minute 3.5: player: number 7"),
        ('{ minute = 3, kind = "penalties" }', "minute 3: kind: penalties is impossible"),
        ('{ minute = 3, kind = "gol" }', "minute 3: kind: invalid value 'gol'; say one of start, "),
        ('{ minute = 3, kind = "goal", team = "tig" }', "minute 3: field player is missing"),
        ('{ minute = 3, kind = "goal", team = "tig", player = 1%s }' % ("0" * 400), "minute 3: player: "),
        ('{ minute = -1, kind = "stop" }', ": minute is missing or wrong; write a number from 0 up"),
        ('{ minute = "3", kind = "stop" }', ": minute is missing or wrong"),
        ('{ minute = true, kind = "stop" }', ": minute is missing or wrong"),
        ('{ minute = nan, kind = "stop" }', ": minute is missing or wrong"),
        ('{ minute = inf, kind = "stop" }', ": minute is missing or wrong"),
        ('{ minute = 1%s, kind = "stop" }' % ("0" * 400), ": minute is missing or wrong"),
    ],
)
def test_a_wrong_event_is_named_by_number_line_and_minute(event: str, message: str) -> None:
    found = refusal(script_of('{ minute = 2, kind = "corner", team = "tig" }', event))
    place = f"event 3 (line {FIRST_EVENT_LINE + 1})"
    assert found.startswith(place)
    assert found.removeprefix(place).lstrip(", ").startswith(message)


def test_events_out_of_order_are_refused() -> None:
    events = ['{ minute = 7, kind = "corner", team = "tig" }', '{ minute = 6, kind = "stop" }']
    assert refusal(script_of(*events)) == (
        f"event 3 (line {FIRST_EVENT_LINE + 1}): minute 6 is before 7; put events in their order"
    )


def test_a_match_that_does_not_begin_with_its_start_is_refused() -> None:
    text = HEAD + 'events = [{ minute = 1, kind = "stop" }]'
    assert refusal(text).startswith("event 1 (line 13), minute 1: kind: stop is impossible while elp-tig-2011-09-10")


def test_lines_are_right_with_events_commented_out_and_left_out_where_they_are_not_sure() -> None:
    wrong = '{ minute = 3, kind = "penalties" }'
    commented = script_of('# { minute = 1, kind = "stop" }', wrong)
    assert refusal(commented).startswith(f"event 2 (line {FIRST_EVENT_LINE + 1}), minute 3: ")
    two_in_a_line = script_of('{ minute = 1, kind = "corner", team = "tig" }, ' + wrong)
    assert refusal(two_in_a_line).startswith("event 3, minute 3: ")
    without_minute = script_of('{ kind = "stop" }')
    assert refusal(without_minute).startswith("event 2: minute is missing")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[match]", "[match", "this is not TOML: "),
        ("date = 2011-09-10", "date = 1" + "0" * 5000, "this is not TOML: "),
        ("date = 2011-09-10", "date = " + "[" * 5000, "this is not TOML: "),
        ("[match]", "[game]", "the script: 'game' is not known here; known are match, teams"),
        (HEAD[HEAD.index("[match]") :], "", "match: is missing or no table; see the script elp-tig"),
        ("date = 2011-09-10", "", "match: field date is missing"),
        ("date = 2011-09-10", "date = 2011-09-10T20:00:00", "match: date: expected date, got datetime"),
        ('visit = "tig"', 'visit = "tig"\nplace = "La Plata"', "match: field place is not known here"),
        ('visit = "tig"', 'visit = "boc"', "match.visit: there is no team boc; add a table [teams.boc]"),
        ('home = "elp"', 'home = "riv"', "match.home: there is no team riv; add a table [teams.riv]"),
        ('visit = "tig"', 'visit = "elp"', "match.visit: team elp cannot play itself"),
        ('name = "Tigre"', "", "teams.tig: field name is missing"),
        ('name = "Tigre"', 'nombre = "Tigre"', "teams.tig: 'nombre' is not known here; known are name, players"),
        ("[teams.tig]", "[teams.TIG]", "teams.TIG: id: expected 1 to 16 of a-z and 0-9"),
        ("[teams.tig]", '[teams."t\\ng"]', "teams.t g: id: expected 1 to 16 of a-z and 0-9"),
        ('{ 7 = "Luna" }', '{ x = "Luna" }', "teams.tig.players: 'x' is no shirt number; write it as 7 = \"Luna\""),
        ('{ 7 = "Luna" }', '{ 7 = "Luna", 07 = "Pio" }', "teams.tig: team tig has shirt number 7 twice"),
        ('{ 7 = "Luna" }', "{ 7 = 7 }", "teams.tig: players.0.name: expected str, got int"),
        ('{ 7 = "Luna" }', "[7]", "teams.tig.players: is missing or no table"),
        ('{ 7 = "Luna" }', "{}", "teams.tig: players: expected array of length >= 1"),
    ],
)
def test_a_wrong_head_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    head = HEAD.replace(old, new)
    assert head != HEAD
    text = script_of(head=head) if "[match]" in head else head
    assert refusal(text).startswith(message)


def test_events_are_needed_and_are_tables() -> None:
    assert refusal(HEAD).startswith("match.events: is missing or empty; list the events")
    assert refusal(HEAD + "events = []").startswith("match.events: is missing or empty")
    assert refusal(HEAD + "events = 7").startswith("match.events: is missing or empty")
    assert refusal(HEAD + "events = [7]").startswith("event 1: is missing or no table")


@given(st.lists(st.sampled_from([*HEAD.split("\n"), *script_of().split("\n"), "[[match.events]]", 'kind = "stop"'])))
def test_any_text_is_a_script_or_refused_on_one_line(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        script = parse_script(text)
    except ScriptError as error:
        assert str(error).splitlines() == [str(error)]  # noqa: PT017  # being accepted is as good as an outcome
    else:
        play(script)


# Files


def test_a_file_is_read_and_named_in_what_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(script_of('{ minute = 9, kind = "stop" }'))
    assert load_script(path).steps[-1] == Step(9.0, Stop())
    path.write_text("[")
    with pytest.raises(ScriptError, match=r"my\.toml: this is not TOML"):
        load_script(str(path))
    path.write_bytes(b"\xff")
    with pytest.raises(ScriptError, match=r"my\.toml: is not a text in UTF-8"):
        load_script(path)
    with pytest.raises(ScriptError, match=r"cannot be read: Is a directory; give the path of a match script"):
        load_script(tmp_path)
    with pytest.raises(ScriptError, match=rf"none\.toml: no such file; give .* or one of: {SAMPLE}\.toml$"):
        load_script(tmp_path / "none.toml")


def test_a_file_comes_before_a_bundled_script_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_script(f"{SAMPLE}.toml") == load_script(SAMPLE) == load_script(SAMPLE)
    Path(f"{SAMPLE}.toml").write_text(script_of())
    assert len(load_script(f"{SAMPLE}.toml").steps) == 1
    assert load_script(SAMPLE) == load_script(SAMPLE)


# The match of 2011-09-10


def test_the_sample_is_the_match_of_2011() -> None:
    script = load_script(SAMPLE)
    assert script.match.id == SAMPLE
    assert [(team.id, team.name, len(team.players)) for team in script.teams] == [
        ("elp", "Estudiantes de La Plata", 14),
        ("tig", "Tigre", 14),
    ]
    kinds = [step.post.kind for step in script.steps]
    assert {kind: kinds.count(kind) for kind in KINDS if kind in kinds} == {
        "start": 1,
        "halftime_start": 1,
        "halftime_stop": 1,
        "stop": 1,
        "goal": 4,
        "card": 5,
        "substitution": 6,
        "shot": 11,
        "penalty": 1,
    }
    assert [step.minute for step in script.steps] == [
        *(0, 5, 17, 18, 19, 21, 21, 22, 25),
        *[35] * 10,
        *(36, 45, 60, 75, 79, 82, 83, 84, 88, 93, 94, 110),
    ]


def test_the_sample_plays_to_its_end_one_to_three() -> None:
    match, events = play(load_script(SAMPLE))
    assert (match.home_score, match.visit_score, match.period) == (1, 3, Period.ENDED)
    assert match.seq == len(events) == 31
    assert " ".join(player.name for player in match.home_players) == (
        "Mercado Desabato Cellay Dominguez Benitez Fernandez Sanchez Galvan Silva Boselli"
    )
    assert " ".join(player.name for player in match.visit_players) == (
        "Garcia Casteglione Echeverria Blengio Rodales Castano Pio Leone Morales Luna Carrasco"
    )
    scorers = [(event.details["player"], event.details["team"]) for event in events if event.kind == "goal"]
    luna, morales, martinez = Player(7, "Luna"), Player(10, "Morales"), Player(6, "Martinez")
    assert scorers == [(luna, "tig"), (morales, "tig"), (martinez, "tig"), (luna, "elp")]
