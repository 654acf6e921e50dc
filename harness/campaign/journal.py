"""What a campaign keeps, in a results directory of its own: what is in it was measured, and is not measured again."""

import msgspec

from harness.records.asked import Asked
from harness.records.directory import ResultsDirectory
from harness.records.files import write
from harness.records.search import AskedSearch, SearchResult
from harness.records.trial import TrialResult


class Journal:
    """Reads and writes the results of a campaign, and its summary beside them.

    A result is told by its name and by what was asked: one that was asked something else is not the campaign's, and is
    replaced when its turn comes.
    """

    def __init__(self, directory: ResultsDirectory) -> None:
        self.directory = directory

    def keep(self, name: str, result: TrialResult | SearchResult) -> None:
        """Keep a result. Raise ResultError."""
        self.directory.keep(name, result)

    def keep_summary(self, file: str, record: msgspec.Struct) -> None:
        """Write the summary. Raise ResultError."""
        write(self.directory.path / file, record)

    def trial(self, name: str, asked: Asked) -> TrialResult | None:
        """Return the stored result of a trial that was asked the same, whatever its server's addresses were."""
        found = self.directory.trial(name)
        return found if found is not None and _anywhere(found.asked) == _anywhere(asked) else None

    def search(self, name: str, asked: AskedSearch) -> SearchResult | None:
        """Return the stored result of a search that was asked the same, and came to its end or to that of its budget.

        A search that was interrupted goes on by itself.
        """
        found = self.directory.search(name)
        if found is None or found.state == "interrupted":
            return None
        return found if _searched_anywhere(found.asked) == _searched_anywhere(asked) else None

    def of_search(self, name: str) -> "LineOfSearch":
        """Return where a search is written down, trial by trial."""
        return LineOfSearch(self.directory, name)


class LineOfSearch:
    """The line of a search in a results directory: see `harness.search.roles.SearchJournal`."""

    def __init__(self, directory: ResultsDirectory, name: str) -> None:
        self.path = directory.path / name
        self.directory = directory

    def earlier(self) -> SearchResult | None:
        """Return what was written before, or None. Raise ResultError."""
        return self.directory.search(self.path.name)

    def save(self, result: SearchResult) -> None:
        """Write what is known now, in place of what was known before. Raise ResultError."""
        self.directory.keep(self.path.name, result)


def _anywhere(asked: Asked) -> Asked:
    """Return it without what is known only once a trial is made: ports, and the kernel settings of its namespace."""
    return msgspec.structs.replace(
        asked,
        target=msgspec.structs.replace(asked.target, fans=(), http=None),
        placement=msgspec.structs.replace(asked.placement, sysctls={}),
    )


def _searched_anywhere(asked: AskedSearch) -> AskedSearch:
    return msgspec.structs.replace(asked, target=msgspec.structs.replace(asked.target, fans=(), http=None))
