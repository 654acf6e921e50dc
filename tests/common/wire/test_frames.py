import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import rules
from common.domain.events import Event
from common.domain.posts import KINDS
from common.domain.script import SAMPLE, load_script
from common.wire.frames import WELCOME, encode, epoch_of, error_line, numbered, resumed_line
from tests.common.domain.strategies import events

AT = datetime(2011, 9, 13, 13, 48, 51, 999_999, tzinfo=UTC)
HEAD = b"2011-09-13 13:48:51: "

HOME = (
    b"\thome_players:\n\t\t Albil (25) \n\t\t Mercado (14) \n\t\t Desabato (2) \n\t\t Cellay (3) \n"
    b"\t\t Dominguez (27) \n\t\t Veron (11) \n\t\t Fernandez (10) \n\t\t Sanchez (5) \n\t\t Gonzalez (19) \n"
    b"\t\t Fernandez (18) \n\t\t Boselli (9) \n"
)
VISIT = (
    b"\tvisit_players:\n\t\t Garcia (12) \n\t\t Casteglione (13) \n\t\t Echeverria (21) \n\t\t Blengio (3) \n"
    b"\t\t Diaz (15) \n\t\t Castano (5) \n\t\t Martinez (6) \n\t\t Leone (11) \n\t\t Morales (10) \n"
    b"\t\t Luna (7) \n\t\t Maggiolo (9) \n"
)
EMPTY_STATUS = (
    b"status:\n\thome: elp\n\thome_players:\n\thome_score: 0\n"
    b"\tvisit: tig\n\tvisit_players:\n\tvisit_score: 0\n\tperiod: not_started\n\r\n"
)
FIRST_STATUS = (
    b"status:\n\thome: elp\n" + HOME + b"\thome_score: 0\n"
    b"\tvisit: tig\n" + VISIT + b"\tvisit_score: 0\n\tperiod: first\n\r\n"
)
GOLDEN = {  # of the sample match, by seq
    1: b"start:\n" + HOME + VISIT + b"\r\n",
    2: b"goal:\n\tplayer: Luna (7) \n\tteam: tig\n\r\n",
    3: b"penalty:\n\tplayer: Martinez (6) \n\tteam: tig\n\r\n",
    4: b"card:\n\tplayer: Albil (25) \n\tcard: red\n\tteam: elp\n\r\n",
    5: b"substitution:\n\tplayer_out: Fernandez (18) \n\tteam: elp\n\tplayer_in: Silva (21) \n\r\n",
    6: b"card:\n\tplayer: Veron (11) \n\tcard: yellow\n\tteam: elp\n\r\n",
    20: b"shot:\n\tplayer: Boselli (9) \n\tteam: elp\n\r\n",
    21: b"halftime_start:\n\r\n",
    22: b"halftime_stop:\n\r\n",
    23: b"goal:\n\tplayer: Luna (7) \n\tteam: elp\n\tplayer_team: tig\n\r\n",
    31: b"stop:\n\r\n",
}


def sample_events() -> dict[int, Event]:
    """Return the status before the sample match (0) and in its first minute (100), and its events by seq."""
    script = load_script(SAMPLE)
    match = rules.announce(script.match, *script.teams)
    found = {0: rules.status(match, AT)}
    for step in script.steps:
        match, found[match.seq] = rules.apply(match, step.post, AT)
        if match.seq == 1:
            found[100] = rules.status(match, AT)
    return found


PLAYED = sample_events()


@pytest.mark.parametrize(("seq", "frame"), [(0, EMPTY_STATUS), (100, FIRST_STATUS), *GOLDEN.items()])
def test_frames_are_the_originals_byte_for_byte(seq: int, frame: bytes) -> None:
    assert encode(PLAYED[seq]) == HEAD + frame


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_header_and_its_comment_last(kind: str) -> None:
    event = Event(7, AT, kind, {"team": "tig", "comment": "17: Ñ"})
    assert encode(event) == HEAD + kind.encode() + ":\n\tteam: tig\n\tcomment: 17: Ñ\n\r\n".encode()


def test_time_is_printed_in_utc_and_in_four_digits_of_a_year() -> None:
    there = timezone(timedelta(hours=-3))
    assert encode(Event(1, datetime(2011, 9, 13, 10, 48, 51, tzinfo=there), "stop", {})) == HEAD + b"stop:\n\r\n"
    assert encode(Event(1, datetime(9, 1, 2, 3, 4, 5, tzinfo=UTC), "stop", {})) == b"0009-01-02 03:04:05: stop:\n\r\n"


def test_the_welcome_is_two_lines_the_second_of_which_tells_how_to_watch() -> None:
    first, second, rest = WELCOME.split(b"\r\n")
    assert first.startswith(b"Welcome to Match Stream.")
    assert second.startswith(b"To watch the current game use: V:2:<your-name>")
    assert rest == b""


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("no such match", b"ERROR: no such match\r\n"),
        ("a\r\nb\tc\x1b[2J\x9b\u2028d", b"ERROR: a b c [2J d\r\n"),
        ("Ñ \udcff", "ERROR: Ñ ?\r\n".encode()),
        ("", b"ERROR: \r\n"),
    ],
)
def test_an_error_is_one_harmless_line(message: str, line: bytes) -> None:
    assert error_line(message) == line


@given(st.text())
def test_any_error_is_one_line(message: str) -> None:
    line = error_line(message).decode()
    assert line.splitlines() == [line.removesuffix("\r\n")]
    assert line.startswith("ERROR: ")


@given(events())
def test_a_frame_has_one_empty_line_and_that_at_its_end(event: Event) -> None:
    frame = encode(event)
    assert frame.endswith(b"\n\r\n")
    assert frame.count(b"\r") == 1
    assert b"\n\n" not in frame
    assert all(line.startswith(b"\t") for line in frame.split(b"\n")[1:-2])


def test_the_time_is_utc_wherever_the_server_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Argentina/Buenos_Aires")
    time.tzset()
    try:
        assert encode(Event(1, AT, "stop", {})) == HEAD + b"stop:\n\r\n"
        there = AT.astimezone(timezone(timedelta(hours=-3)))
        assert encode(Event(1, there, "stop", {})) == HEAD + b"stop:\n\r\n"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_numbered_frame_has_two_details_more_and_what_was_missed() -> None:
    plain = HEAD + b"stop:\n\r\n"
    assert numbered(plain, 12, 34) == HEAD + b"stop:\n\tnumber: 12\n\tepoch: 34\n\r\n"
    told = HEAD + b"status:\n\tnumber: 12\n\tepoch: 0\n\tmissed: events 3 to 12\n\thome: elp\n\r\n"
    assert numbered(HEAD + b"status:\n\thome: elp\n\r\n", 12, 0, "events 3 to 12") == told


def test_an_epoch_is_the_microsecond_of_the_acceptance() -> None:
    assert epoch_of(AT) == 1_315_921_731_999_999
    assert epoch_of(AT.astimezone(timezone(timedelta(hours=-3)))) == epoch_of(AT)
    assert epoch_of(datetime.max.replace(tzinfo=UTC)) < 10**18
    assert epoch_of(None) == 0


def test_who_resumes_is_told_how_much_follows() -> None:
    assert resumed_line(3, 12) == b"RESUMED: 3 events after 12\r\n"


@given(events(), st.integers(0), st.integers(0))
def test_without_its_numbers_a_frame_is_the_plain_one(event: Event, number: int, epoch: int) -> None:
    header, *more, rest = numbered(encode(event), number, epoch).split(b"\n", 3)
    assert more == [b"\tnumber: %d" % number, b"\tepoch: %d" % epoch]
    assert header + b"\n" + rest == encode(event)
