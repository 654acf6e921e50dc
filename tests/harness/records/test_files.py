import json
from pathlib import Path

import msgspec
import pytest

from harness.records.files import ResultError, encode, load, try_directory, write, write_new

SCHEMA = "matchstream-lab/note/2"


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    text: str


NOTE = Note(SCHEMA, "é")


def test_what_is_written_is_read_back_and_nothing_else_lies_there(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    write(path, Note(SCHEMA, "before"))
    write(path, NOTE)
    assert load(path, Note, SCHEMA) == NOTE
    assert path.read_bytes() == encode(NOTE)
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_indented_json_with_a_newline() -> None:
    assert encode(NOTE).decode().splitlines()[0] == "{"
    assert encode(NOTE).endswith(b"\n}\n")
    assert json.loads(encode(NOTE)) == {"schema": SCHEMA, "text": "é"}


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "note.json"
    write(path, NOTE)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ResultError, match=r"note\.json: cannot be written \(No space left on device\): choose another"):
        write(path, Note(SCHEMA, "new"))
    assert load(path, Note, SCHEMA) == NOTE
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be written"):
        write(tmp_path / "none" / "note.json", NOTE)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (encode(Note("matchstream-lab/note/1", "old")), "has schema matchstream-lab/note/1; this harness reads .*/2: "),
        (encode(Note("matchstream-lab/trial/2", "x")), "has schema 'matchstream-lab/trial/2', which is no note result"),
        (encode(Note("matchstream-lab/notes/2", "x")), "has schema .*which is no note result"),
        (b'{"schema": "matchstream-lab/note/2", "text": 1}', "is no note result: Expected `str`"),
        (b"\xff", "is no note result"),
        (b'{"schema": "\xff"}', "is no note result"),
    ],
)
def test_other_files_are_refused_in_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_bytes(content)
    with pytest.raises(ResultError, match=rf"note\.json: {says}") as caught:
        load(path, Note, SCHEMA)
    assert "\n" not in str(caught.value)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read: No such file"):
        load(tmp_path / "none.json", Note, SCHEMA)


def test_a_new_record_takes_nobodys_name(tmp_path: Path) -> None:
    taken = tmp_path / "127.0.0.1-n5.json"
    placed = [write_new(taken, Note(SCHEMA, str(number))) for number in range(3)]
    assert [path.name for path in placed] == ["127.0.0.1-n5.json", "127.0.0.1-n5-2.json", "127.0.0.1-n5-3.json"]
    assert [load(path, Note, SCHEMA).text for path in placed] == ["0", "1", "2"]
    assert sorted(tmp_path.iterdir()) == sorted(placed)


def test_a_new_record_that_cannot_be_written_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ResultError, match="No space left on device"):
        write_new(tmp_path / "note.json", NOTE)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    try_directory(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ResultError, match=r"/proc: no result can be written there \(.*\): choose another --out"):
        try_directory(Path("/proc"))
