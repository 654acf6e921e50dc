from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.decode import decode_new_match, decode_post, decode_team, to_new_match, to_post, to_team
from common.domain.errors import BadJsonError, InvalidError
from common.domain.match import Match, NewMatch, Player, Team
from common.domain.posts import KINDS, Card, Goal, Shot
from tests.common.domain.strategies import announced_matches, posts_about, teams


def test_the_three_inputs_of_the_api_are_decoded() -> None:
    assert decode_post(b'{"kind":"shot","team":"tig","comment":"wide"}') == Shot(team="tig", comment="wide")
    team = b'{"id":"tig","name":"Tigre","players":[{"number":7,"name":"Luna"}]}'
    assert decode_team(team) == Team("tig", "Tigre", (Player(7, "Luna"),))
    assert decode_new_match(b'{"home":"elp","visit":"tig","date":"2011-09-10"}') == NewMatch(
        "elp", "tig", date(2011, 9, 10)
    )


def test_plain_objects_are_decoded_too() -> None:
    assert to_post({"kind": "card", "team": "tig", "player": 7, "card": "red"}) == Card(
        team="tig", player=7, card="red"
    )
    assert to_team({"id": "tig", "name": "Tigre", "players": [{"number": 7, "name": "Luna"}]}).players[0].name == "Luna"
    new = NewMatch("elp", "tig", date(2011, 9, 10))
    assert to_new_match({"home": "elp", "visit": "tig", "date": "2011-09-10"}) == new
    assert to_new_match({"home": "elp", "visit": "tig", "date": date(2011, 9, 10)}) == new


@pytest.mark.parametrize(
    ("data", "field", "message"),
    [
        (b'{"kind":"goal","player":7}', "team", "field team is missing"),
        (b'{"kind":"goal","team":"tig","player":"7"}', "player", "player: expected int, got str"),
        (b'{"kind":"goal","team":"tig","player":true}', "player", "player: expected int, got bool"),
        (b'{"kind":"goal","team":"tig","player":1000}', "player", "player: expected int <= 999"),
        (b'{"kind":"goal","team":"TIG","player":7}', "team", "team: expected 1 to 16 of a-z and 0-9"),
        (b'{"kind":"goal","team":"tig\\n","player":7}', "team", "team: expected 1 to 16 of a-z and 0-9"),
        (b'{"kind":"stop","minute":90}', "minute", "field minute is not known here"),
        (b'{"kind":"stop","comment":""}', "comment", "comment: expected str of length >= 1"),
        (b'{"kind":"start","home_players":[1,"2"]}', "home_players.1", "home_players.1: expected int, got str"),
        (b'{"kind":"start","home_players":[]}', "home_players", "home_players: expected array of length >= 1"),
        (
            b'{"kind":"card","team":"tig","player":7,"card":"blue"}',
            "card",
            "card: invalid enum value 'blue'; say one of yellow, red",
        ),
        (b"[]", None, "expected object, got array"),
        (b"null", None, "expected object, got null"),
    ],
)
def test_what_is_json_but_no_post_is_refused_by_its_field(data: bytes, field: str | None, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        decode_post(data)
    assert (caught.value.field, caught.value.message) == (field, message)


@pytest.mark.parametrize("data", [b"{}", b'{"kind":"gol"}', b'{"kind":7}'])
def test_a_wrong_or_missing_kind_is_answered_with_those_there_are(data: bytes) -> None:
    with pytest.raises(InvalidError) as caught:
        decode_post(data)
    assert caught.value.field == "kind"
    assert caught.value.message.endswith(f"; say one of {', '.join(KINDS)}")


def test_fields_inside_of_fields_have_a_path() -> None:
    with pytest.raises(InvalidError) as caught:
        decode_team(b'{"id":"tig","name":"Tigre","players":[{"number":7,"name":"Luna"},{"number":8}]}')
    assert (caught.value.field, caught.value.message) == ("players.1.name", "field players.1.name is missing")


@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\n", "\t", "\x1b[2J", "\x7f", "\x9b2J", "a\u2028b", "a\u2029", "\u202egnp", "a\u200f", "\u2066b\u2069"],
)
def test_no_name_or_comment_can_break_a_line_or_steer_a_terminal(text: str) -> None:
    for decoded, value in (
        (to_post, {"kind": "stop", "comment": text}),
        (to_team, {"id": "tig", "name": text, "players": [{"number": 7, "name": "Luna"}]}),
        (to_team, {"id": "tig", "name": "Tigre", "players": [{"number": 7, "name": text}]}),
    ):
        with pytest.raises(InvalidError, match="expected one line without control characters") as caught:
            decoded(value)
        assert (caught.value.field or "").endswith(("comment", "name"))


def test_an_unknown_field_cannot_make_the_message_more_than_one_line() -> None:
    with pytest.raises(InvalidError, match=r"^field a b is not known here$"):
        to_post({"kind": "stop", "a\nb": 1})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "this is not JSON: "),
        (b"{", "this is not JSON: "),
        (b'{"kind":"stop"} x', "trailing characters"),
        (b'{"kind":"stop","comment":"\xff"}', "not UTF-8"),
        (b'{"kind":"stop","comment":"\\ud800"}', "this is not JSON: "),
        (b'{"a":' * 30_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_told_apart(data: bytes, words: str) -> None:
    with pytest.raises(BadJsonError, match=words) as caught:
        decode_post(data)
    assert caught.value.field is None


@given(announced_matches(), st.data())
def test_every_post_survives_json(match: Match, data: st.DataObject) -> None:
    post = data.draw(posts_about(match))
    assert decode_post(msgspec.json.encode(post)) == post
    assert to_post(msgspec.to_builtins(post)) == post


@given(teams())
def test_every_team_survives_json(team: Team) -> None:
    assert decode_team(msgspec.json.encode(team)) == team


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(KINDS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["kind", "team", "player", "card", "a`b", " - at `$.x`"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(json_values)
def test_any_object_is_a_post_or_refused_on_one_line(value: object) -> None:
    try:
        post = to_post(value)
    except InvalidError as error:
        assert error.message.splitlines() == [error.message]  # noqa: PT017  # being accepted is as good as an outcome
    else:
        assert isinstance(value, dict)
        assert post.kind == value["kind"]


@given(st.binary() | json_values.map(msgspec.json.encode))
def test_any_bytes_are_a_post_or_refused_by_name(data: bytes) -> None:
    try:
        decode_post(data)
    except (BadJsonError, InvalidError):
        return
    assert isinstance(msgspec.json.decode(data), dict)


def test_a_goal_by_default_is_no_own_goal() -> None:
    assert decode_post(b'{"kind":"goal","team":"tig","player":7}') == Goal(team="tig", player=7, player_team=None)
