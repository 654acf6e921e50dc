"""The directory of a campaign: what is in it was measured, and is not measured again."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from harness.records.files import ResultError, write
from harness.records.search import AskedSearch, SearchResult
from harness.records.trial import Asked, TrialResult, load_result
from harness.search.journal import load_search


class Journal:
    """Reads and writes the results of a campaign in `directory`, which is made. Raise ResultError where it cannot be.

    A result is told by its file and by what was asked: one that was asked something else is not the campaign's, and is
    replaced when its turn comes.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultError(
                f"{directory}: cannot be made a directory for results ({error.strerror}): choose another --out"
            ) from error

    def path(self, file: str) -> Path:
        """Return where a file of the campaign is, or would be."""
        return self._directory / file

    def forget(self, files: Iterable[str]) -> None:
        """Remove those of the files that are there."""
        for file in files:
            self.path(file).unlink(missing_ok=True)

    def keep(self, file: str, record: msgspec.Struct) -> None:
        """Write a record."""
        write(self.path(file), record)

    def trial(self, file: str, asked: Asked) -> TrialResult | None:
        """Return the stored result of a trial that was asked the same, whatever its server's addresses were."""
        if not self.path(file).exists():
            return None
        found = load_result(self.path(file))
        return found if _anywhere(found.asked) == _anywhere(asked) else None

    def search(self, file: str, asked: AskedSearch) -> SearchResult | None:
        """Return the stored result of a search that was asked the same, and came to its end or to that of its budget.

        A search that was interrupted goes on by itself.
        """
        if not self.path(file).exists():
            return None
        found = load_search(self.path(file))
        same = _searched_anywhere(found.asked) == _searched_anywhere(asked)
        return found if same and found.state != "interrupted" else None


def _anywhere(asked: Asked) -> Asked:
    """Return it without what is known only once a trial is made: ports, and the kernel settings of its namespace."""
    return msgspec.structs.replace(
        asked,
        target=msgspec.structs.replace(asked.target, fans=(), http=None),
        placement=msgspec.structs.replace(asked.placement, sysctls={}),
    )


def _searched_anywhere(asked: AskedSearch) -> AskedSearch:
    return msgspec.structs.replace(asked, target=msgspec.structs.replace(asked.target, fans=(), http=None))
