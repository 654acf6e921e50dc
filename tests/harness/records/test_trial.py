import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import msgspec
import pytest

from harness.records.files import ResultError
from harness.records.kinds import json_schema
from harness.records.trial import SCHEMA, TrialResult, encode_result
from tests.harness.results import a_loop_lag, a_result, load_result, seen_by, some_fans

PLAIN = a_result()
TOLD = a_result(loop_lag=a_loop_lag(at_20=0.5))
BARE = a_result(server=None, seen=seen_by(some_fans(0, refused=3)))


@pytest.mark.parametrize("result", [PLAIN, TOLD, BARE])
def test_what_is_written_is_read_back(result: TrialResult, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(encode_result(result))
    assert load_result(path) == result


@pytest.mark.parametrize("result", [PLAIN, TOLD, BARE])
def test_a_stored_result_keeps_to_the_published_schema(result: TrialResult) -> None:
    published = json_schema("trial")
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.Draft202012Validator(published).validate(json.loads(encode_result(result)))


def test_the_schema_refuses_what_is_no_result() -> None:
    stored = json.loads(encode_result(PLAIN))
    validator = jsonschema.Draft202012Validator(json_schema("trial"))
    for broken in (
        {**stored, "schema": "matchstream-lab/trial/1"},
        {**stored, "more": 1},
        {name: value for name, value in stored.items() if name != "schema"},
    ):
        assert not validator.is_valid(broken)


def test_a_result_of_another_version_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_bytes(encode_result(PLAIN).replace(SCHEMA.encode(), b"matchstream-lab/trial/0"))
    with pytest.raises(
        ResultError, match=r"old\.json: has schema matchstream-lab/trial/0; this harness reads"
    ) as caught:
        load_result(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no trial result"),
        (b"[]", "is no trial result"),
        (b'{"schema": 1}', "is no trial result"),
        (b'{"schema": "something/else"}', "is no trial result"),
        (msgspec.json.encode({"schema": SCHEMA}), "is no trial result: .*missing"),
    ],
)
def test_a_file_that_is_no_result_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ResultError, match=says):
        load_result(path)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read: No such file"):
        load_result(tmp_path / "none.json")


def test_a_file_from_before_there_were_lessons_nodes_and_loop_lag_is_read() -> None:
    stored = json.loads(encode_result(PLAIN))
    for name in ("with_lessons", "without_lessons", "nodes", "topology", "workers", "door"):
        del stored["asked"]["target"][name]
    del stored["server"]["ended_processes"]
    del stored["loop_lag"]
    assert msgspec.convert(stored, TrialResult) == PLAIN


def test_a_trial_passes_if_it_is_valid_and_its_slo_was_met() -> None:
    assert PLAIN.passed
    assert not a_result(verdict=msgspec.structs.replace(PLAIN.verdict, met=False)).passed
    assert not a_result(validity=msgspec.structs.replace(PLAIN.validity, valid=False)).passed
