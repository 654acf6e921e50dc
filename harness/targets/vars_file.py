"""What differs from fan to fan, in a file: comma-separated values, whose first row names the columns (RFC 4180)."""

import csv
from pathlib import Path

from harness.load.workload import Vars
from harness.targets.target import TargetError


def load_vars(path: Path) -> Vars:
    """Return what a file has for each fan. Raise TargetError, which names the file and what is wrong in it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names, *rows = [tuple(row) for row in csv.reader(file, strict=True) if row] or [()]
    except OSError as error:
        raise TargetError(
            f"{path}: cannot be read: {error.strerror}; give --vars a file of comma-separated values"
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise TargetError(f"{path}: has no comma-separated values: {error}") from error
    if not rows:
        raise TargetError(f"{path}: has no fan: write the names of the columns, and below a row for each fan")
    for at, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise TargetError(f"{path}: row {at} has {len(row)} values for {len(names)} columns")
    return Vars(_encoded(names), tuple(map(_encoded, rows)))


def _encoded(row: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in row)
