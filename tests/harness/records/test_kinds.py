from pathlib import Path

import jsonschema
import msgspec
import pytest

from harness.records.files import ResultError, write
from harness.records.kinds import Record, json_schema, kinds, load_record
from tests.harness.made_records import a_comparison, a_search, a_staircase, an_ablation, an_http_load
from tests.harness.results import a_result

EVERY = [a_result(), a_search(), a_staircase(), an_ablation(), a_comparison(), an_http_load()]


@pytest.mark.parametrize("record", EVERY)
def test_every_kind_of_record_is_read_back_by_its_schema(record: Record, tmp_path: Path) -> None:
    write(tmp_path / "x.json", record)
    assert load_record(tmp_path / "x.json") == record


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"schema": "matchstream-lab/staircase/7"}', "has schema matchstream-lab/staircase/7; this harness reads"),
        ('{"schema": "matchstream-lab/trial/2", "seen": 3}', "is no trial result"),
        ('{"schema": "other/1"}', "is no result of this harness"),
        ('{"schema": 3}', "is no result of this harness"),
        ("[]", "is no result of this harness"),
        ("[tool]", "is no result of this harness"),
    ],
)
def test_what_is_no_record_is_refused_in_one_line(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ResultError, match=says) as caught:
        load_record(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG\xff")
    with pytest.raises(ResultError, match="is no result of this harness"):
        load_record(tmp_path / "x.png")
    with pytest.raises(ResultError, match="cannot be read: No such file"):
        load_record(tmp_path / "none.json")


def test_an_older_trial_without_a_heat_map_is_still_read(tmp_path: Path) -> None:
    stored = msgspec.to_builtins(a_result())
    del stored["seen"]["timeline"]["responses"], stored["seen"]["timeline"]["deliveries"]
    (tmp_path / "x.json").write_bytes(msgspec.json.encode(stored))
    assert load_record(tmp_path / "x.json") == a_result()


@pytest.mark.parametrize(("kind", "record"), list(zip(kinds(), EVERY, strict=True)))
def test_every_kind_of_record_follows_its_published_schema(kind: str, record: Record) -> None:
    validator = jsonschema.Draft202012Validator(json_schema(kind))
    validator.validate(msgspec.json.decode(msgspec.json.encode(record)))
    assert not validator.is_valid({})


def test_a_kind_that_is_not_known_has_no_schema() -> None:
    with pytest.raises(ResultError, match="give one of trial, search, staircase, ablation, comparison, http"):
        json_schema("walk")
