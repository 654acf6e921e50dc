"""A file of settings: every key is found in the line where it was written, and every fault in its own."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config_file import MOST_BYTES, ConfigFileError, Entry, nearest, parse, read_text

if TYPE_CHECKING:
    from pathlib import Path

KEYS = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)
VALUES = st.sampled_from(
    [
        "1",
        "-0.5",
        "true",
        '"a = 1"',
        "'#'",
        "[]",
        '[\n  "b = 2",  # c = 3\n\n  "d",\n]',
        '"""\ne = 4\n[f]\n"""',
        "'''g\n\nh = '''",
        '"""\\\n   i = 5"""',
        "{ j = 6 }",
        "1979-05-27",
    ]
)
BETWEEN = st.sampled_from(["", "# k = 7", "   ", "\t# [l]"])


@given(st.lists(st.tuples(KEYS, VALUES, BETWEEN), unique_by=lambda one: one[0]), st.sampled_from(["\n", "\r\n"]))
def test_every_key_stands_in_the_line_where_it_was_written(settings: list[tuple[str, str, str]], line_end: str) -> None:
    text, expected = "", []
    for key, value, between in settings:
        text += between + line_end
        expected.append((key, text.count("\n") + 1))
        text += f"{key} = {value}  # {key} = 0{line_end}".replace("\n", line_end).replace("\r\r", "\r")
    entries, faults = parse(text)
    assert faults == []
    assert [(one.key, one.line) for one in entries] == expected
    assert {one.key: one.value for one in entries} == tomllib.loads(text)


@given(st.text(st.sampled_from("ab=1.\"'[]{}#\\,\n\r \x00é"), max_size=60))
def test_what_is_no_toml_has_a_fault_in_a_line_of_the_text_and_what_is_flat_has_none(text: str) -> None:
    entries, faults = parse(text)
    lines = range(1, text.count("\n") + 2)
    assert all(one.line in lines for one in (*entries, *faults))
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert faults != []
    else:
        assert faults or {one.key: one.value for one in entries} == found


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a = 1\nb = tru\nc = 1", 2, "no TOML: Invalid value"),
        ("a = 1\nb\nc = 1", 2, "no TOML"),
        ('a = [\n  "b"\nc = 1\n', 3, "no TOML: Unclosed array"),
        ('\na = """b\n\n\n', 2, "up to the end of the file"),
        ("a = 1\nb = 2\na = 3", 3, "a stands in line 1 already"),
        ("a.b = 1\na.c = 2", 2, "a stands in line 1 already"),
        ("a = 1\n  [server]\nb = 2", 2, "no table"),
        ("[[a]]", 1, "no table"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, line: int, says: str) -> None:
    ((at, message),) = parse(text).faults
    assert at == line
    assert says in message


def test_one_fault_hides_no_other() -> None:
    entries, faults = parse("a = 1\na = 2\n[b]\nc = 3\nd = 4 5\ne = 6")
    assert entries == (Entry("a", 1, 1), Entry("c", 3, 4))
    assert [line for line, _ in faults] == [2, 3, 5]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file or directory"),
        (b"a = 1\nb = '\xff'", "no text in UTF-8 (line 2)"),
        (b"#" * (MOST_BYTES + 1), "more than 65,536 bytes"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "match.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigFileError) as refused:
        read_text(file)
    assert says in str(refused.value)


def test_a_file_may_begin_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    file = tmp_path / "match.toml"
    file.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert parse(read_text(file)).entries == (Entry("a", 1, 1), Entry("b", 2, 2))


def test_the_nearest_word_is_named_if_there_is_one() -> None:
    assert nearest("prot", ["host", "port"]) == "; did you mean port?"
    assert nearest("http_port", ["http-port", "port"]) == "; did you mean http-port?"
    assert nearest("colour", ["host", "port"]) == ""
