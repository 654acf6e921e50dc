"""Records that this version cannot read: each is named to whoever asks for it, and told to the log once.

Who asks is told which record it is and what can be done; what is wrong with it is the operator's affair, and in the
log. A match that thousands of fans ask for is one line there, not thousands.
"""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from common.store.errors import UnreadableRecordError

_Record = TypeVar("_Record")

_LOG = logging.getLogger(__name__)

_REMEMBERED: Final = 1000
"""How many records that were told of are remembered; when there are more, they are told of again."""


class Decoding:
    """Decodes what one Redis holds, and remembers what could not be decoded."""

    def __init__(self) -> None:
        self._told: set[tuple[str, int]] = set()

    def read(self, decode: Callable[[bytes], _Record], stored: bytes, what: str, advice: str) -> _Record:
        """Return the record. Raise UnreadableRecordError, which says `what` it is and gives `advice`."""
        try:
            return decode(stored)
        except UnreadableRecordError as error:
            raise self.refusal(stored, what, advice, error) from None

    def refusal(self, stored: bytes, what: str, advice: str, error: object) -> UnreadableRecordError:
        """Return what is to be raised of a record, and tell the log why, unless it was told the same before."""
        record = what, hash(stored)
        if record not in self._told:
            if len(self._told) == _REMEMBERED:
                self._told.clear()
            self._told.add(record)
            _LOG.error("%s cannot be read: %s", what, error)
        return UnreadableRecordError(f"{what} cannot be read, another version may have written it: {advice}")
