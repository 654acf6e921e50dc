"""Records as files: written whole or not at all, and read back with one clear line where that is not possible.

Each kind of record has a schema, `matchstream-lab/<kind>/<number>`, in its field `schema`. A file is told by that field
alone, before the rest of it is looked at: what another version wrote is refused as such, and not for some field of it.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from harness.errors import HarnessError

_Record = TypeVar("_Record", bound=msgspec.Struct)

ROOM_BYTES: Final = 1 << 20
"""What a place for results must have room for: more than a trial and its chart take."""

_ELSEWHERE: Final = "choose another --out"


class ResultError(HarnessError):
    """A file is no such record, or cannot be read or written; the message names the file and the reason."""


class _Labelled(msgspec.Struct):
    """The one field by which any version of any record is told."""

    schema: str


def file_stem(name: str) -> str:
    """Return a name as part of a file's: `stage-2.5-without-repeaters`."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


def encode(record: msgspec.Struct) -> bytes:
    """Return a record as indented JSON with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def write(path: Path, record: msgspec.Struct) -> None:
    """Put a record at `path`, in place of what is there: a reader, or a crash, sees the old file or the new one.

    Raise ResultError where nothing can be written.
    """
    replace_file(path, encode(record))


def write_new(path: Path, record: msgspec.Struct) -> Path:
    """Put a record where nothing is: at `path`, or if that is taken, beside it as `…-2.json` and so on; return where.

    Raise ResultError where nothing can be written.
    """
    with _written(path, encode(record), _ELSEWHERE) as fresh:
        place = _reserved(path)
        try:
            fresh.replace(place)
        except OSError:
            place.unlink()
            raise
    return place


def replace_file(path: Path, content: bytes, remedy: str = _ELSEWHERE) -> None:
    """Put content at `path` as `write` puts a record there. Raise ResultError, which says what to do: `remedy`."""
    with _written(path, content, remedy) as fresh:
        fresh.replace(path)


def try_directory(directory: Path) -> None:
    """Make sure that results can be written to a directory: there is room, and it is allowed. Raise ResultError."""
    probe = directory / f".room.{os.getpid()}"
    try:
        probe.write_bytes(bytes(ROOM_BYTES))
    except OSError as error:
        raise ResultError(f"{directory}: no result can be written there ({error.strerror}): {_ELSEWHERE}") from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def try_file(path: Path, remedy: str) -> None:
    """Make sure that a file can be put at `path`, where all stays as it is. Raise ResultError, with `remedy`."""
    if path.is_dir():
        raise ResultError(f"{path}: is a directory: {remedy}")
    with _written(path, b"", remedy):
        pass


@contextlib.contextmanager
def _written(path: Path, content: bytes, remedy: str) -> Iterator[Path]:
    """Give a file beside `path` with that content, to be moved inside; else it goes. Raise ResultError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        yield fresh
    except OSError as error:
        raise ResultError(f"{path}: cannot be written ({error.strerror}): {remedy}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()  # it is there if it was not moved


def _reserved(path: Path) -> Path:
    """Return the first of `path`, `…-2`, `…-3` that was free, which is an empty file now, and nobody else's."""
    place, again = path, 1
    while True:
        try:
            place.touch(exist_ok=False)
        except FileExistsError:
            again += 1
            place = path.with_stem(f"{path.stem}-{again}")
        else:
            return place


def load(path: Path, kind: type[_Record], schema: str) -> _Record:
    """Read a record of the type `kind`, whose field `schema` is to be `schema`.

    Raise ResultError for another schema, a broken file, or none at that path.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        fields = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResultError(f"{path}: is no {_noun(schema)}: {error}") from error
    return as_record(fields, kind, schema, path)


def as_record(fields: object, kind: type[_Record], schema: str, path: Path) -> _Record:
    """Return decoded JSON, which came from `path`, as a record; see `load`. Raise ResultError."""
    family = schema.rpartition("/")[0]
    try:
        found = msgspec.convert(fields, type=_Labelled).schema
        if found == schema:
            return msgspec.convert(fields, type=kind)
    except msgspec.ValidationError as error:
        raise ResultError(f"{path}: is no {_noun(schema)}: {error}") from error
    if found.startswith(f"{family}/"):
        raise ResultError(f"{path}: has schema {found}; this harness reads {schema}: measure again, or use its version")
    raise ResultError(f"{path}: has schema {found!r}, which is no {_noun(schema)} ({schema})")


def _noun(schema: str) -> str:
    return f"{schema.split('/')[1]} result"
