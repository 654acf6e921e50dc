import json

import pytest
from hypothesis import given

from common.domain.events import Event
from common.domain.match import Match, Team
from common.store import codec
from common.store.errors import UnreadableRecordError
from tests.common.store import records


@given(match=records.matches)
def test_a_match_comes_back_as_it_was(match: Match) -> None:
    assert codec.decode_match(codec.encode(match)) == match


@given(event=records.events)
def test_an_event_comes_back_as_it_was_and_its_details_in_order(event: Event) -> None:
    decoded = codec.decode_event(codec.encode(event))
    assert decoded == event
    assert list(decoded.details) == list(event.details)


@given(event=records.events)
def test_the_place_of_an_event_is_told_as_it_is_stored(event: Event) -> None:
    stored = json.loads(codec.encode(event))
    assert codec.place(event.seq, event.at) == f"{stored['seq']} {stored['at']}"


@given(team=records.teams)
def test_a_team_comes_back_as_it_was(team: Team) -> None:
    assert codec.decode_team(codec.encode(team)) == team


@given(match=records.matches)
def test_what_is_stored_is_json(match: Match) -> None:
    assert json.loads(codec.encode(match))["id"] == match.id


@pytest.mark.parametrize("stored", [b"", b"{", b"\xff", b"[]", b'{"id": 1}', b'{"id": "\xff"}'])
def test_anything_else_is_refused_in_one_line(stored: bytes) -> None:
    with pytest.raises(UnreadableRecordError, match="holds a match that this version cannot read") as caught:
        codec.decode_match(stored)
    assert "\n" not in str(caught.value)
