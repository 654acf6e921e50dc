import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.terminal import harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ñandú (7) 球 [bold]", "Ñandú (7) 球 [bold]"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x7f\x9b31m", r"\x7f\x9b31m"),
        ("\u202egnp\u202c\u2066\u2069\u200e\u200f\u061c", r"\u202egnp\u202c\u2066\u2069\u200e\u200f\u061c"),
        ("\u2028\u2029\u200b\u2060\ufeff\xad", r"\u2028\u2029\u200b\u2060\ufeff\xad"),
        ("\U000e0041", r"\U000e0041"),
        ("\udc9b", r"\udc9b"),
        ("👩\u200d👧 می\u200cروم", "👩\u200d👧 می\u200cروم"),
    ],
)
def test_what_a_terminal_would_not_just_show_is_an_escape(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(st.text())
def test_what_is_printable_stays_and_the_rest_is_printable_then(text: str) -> None:
    shown = harmless(text)
    assert all(char.isprintable() or char.isspace() or char in text for char in shown)
    assert not any(char < " " or "\x7f" <= char <= "\x9f" for char in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode()
    if text.isprintable():
        assert shown == text
