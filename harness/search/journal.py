"""A search that is written down, trial by trial, in a file of its own: what `harness search` keeps."""

from pathlib import Path

from harness.records.files import file_stem, load, write
from harness.records.search import SCHEMA, Dimension, SearchResult


def load_search(path: Path) -> SearchResult:
    """Read a stored search. Raise ResultError for another schema, a broken file, or none at that path."""
    return load(path, SearchResult, SCHEMA)


class Journal:
    """The file of a search: see `harness.search.roles.SearchJournal`.

    What is there already is read unless the search is to begin anew (`fresh`). `latest` is what was to be written last,
    whether it could be or not.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self.path = path
        self._fresh = fresh
        self.latest: SearchResult | None = None

    @classmethod
    def beside(cls, out: Path, target: str, dimension: Dimension, *, fresh: bool = False) -> "Journal":
        """Return the journal that `harness search` keeps in a directory for a target of that name."""
        return cls(out / f"{file_stem(target)}-search-{file_stem(dimension)}.json", fresh=fresh)

    def earlier(self) -> SearchResult | None:
        """Return what was written before; None where nothing was, or it is not to be looked at. Raise ResultError."""
        return None if self._fresh or not self.path.exists() else load_search(self.path)

    def save(self, result: SearchResult) -> None:
        """Write what is known now, in place of what was known before. Raise ResultError."""
        self.latest = result
        write(self.path, result)
