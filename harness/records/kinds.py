"""Every kind of record that this harness stores, told apart by the schema that a file names."""

from pathlib import Path
from typing import Any

import msgspec

from harness.records.campaign import ABLATION, COMPARISON, STAIRCASE, Ablation, Comparison, Staircase
from harness.records.directory import MACHINE_FILE, is_results, read_results
from harness.records.files import ResultError, load
from harness.records.http import SCHEMA as HTTP
from harness.records.http import HttpResult
from harness.records.search import SCHEMA as SEARCH
from harness.records.search import SearchResult
from harness.records.trial import SCHEMA as TRIAL
from harness.records.trial import TrialResult

Record = TrialResult | SearchResult | Staircase | Ablation | Comparison | HttpResult

_KINDS: tuple[tuple[str, type[Record]], ...] = (
    (TRIAL, TrialResult),
    (SEARCH, SearchResult),
    (STAIRCASE, Staircase),
    (ABLATION, Ablation),
    (COMPARISON, Comparison),
    (HTTP, HttpResult),
)


class _Labelled(msgspec.Struct):
    schema: str


def load_record(path: Path) -> Record:
    """Read a stored record of any kind.

    Raise ResultError for a schema of another version, one that is not known, a broken file, or none at that path.
    """
    found = _family(_schema(path))
    for schema, kind in _KINDS:
        if _family(schema) == found:
            return load(path, kind, schema)
    raise ResultError(f"{path}: is no result of this harness: it reads the kinds {', '.join(kinds())}")


def load_records(path: Path) -> list[tuple[str, Record]]:
    """Read what a file holds, or a directory, each record with its name.

    A directory of results has its trials and searches in lines, and summaries beside them; another one has records in
    files. Raise ResultError as `load_record` does, and for a directory without any.
    """
    if not path.is_dir() and not is_results(path):
        return [(path.stem, load_record(path))]
    found: list[tuple[str, Record]] = list(read_results(path)) if is_results(path) else []
    if path.is_dir():
        files = (file for file in sorted(path.glob("*.json")) if file.name != MACHINE_FILE)
        found += [(file.stem, load_record(file)) for file in files]
    if not found:
        raise ResultError(f"{path}: has no results: give a directory that results were written to")
    return found


def kinds() -> tuple[str, ...]:
    """Return what the kinds of record are called: `trial`, `search` and so on."""
    return tuple(_family(schema).rpartition("/")[2] for schema, _ in _KINDS)


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a stored record of that kind. Raise ResultError for an unknown one."""
    for (schema, record), name in zip(_KINDS, kinds(), strict=True):
        if name == kind:
            head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": schema}
            return {**head, "title": f"Match Stream Lab: the result of a {kind}", **msgspec.json.schema(record)}
    raise ResultError(f"there is no kind of result called {kind!r}: give one of {', '.join(kinds())}")


def _schema(path: Path) -> str:
    """Return the schema that a file names; an empty one where it is no record at all."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Labelled).schema
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _family(schema: str) -> str:
    return schema.rpartition("/")[0]
