"""On what terms a write is made: once only, however often it is asked for, and only on what the asker knows.

A reporter whose answer got lost cannot know whether the write was made. Two ways out, both decided in the same step as
the write itself:

* a key: the same write asked for again under the same key is not made again, but answered as it was the first time
  (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/);
* the version expected: a write is refused once the match has moved on (RFC 9110, 13.1.1, If-Match).

And whoever has hung up before the write is on its way to Redis gets none: it would be a surprise.

What was refused was not made, and keeps no key: asked for again it is judged anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to hold for one write.

    `key` names the write, `fingerprint` is of all that it says: another fingerprint under the same key is another
    write. `expected` are the versions of the match of which one must be there, as `version_of` writes them or as a bare
    number of events. Empty: no such term. `is_gone` tells whether the asker has given up.
    """

    key: str = ""
    fingerprint: str = ""
    expected: tuple[str, ...] = ()
    is_gone: Callable[[], bool] = field(default=_never, compare=False)

    @property
    def is_plain(self) -> bool:
        """Whether there is neither a key nor a version: the write is made whenever it is asked for."""
        return not self.key and not self.expected


PLAIN: Final = Terms()


def version_of(seq: int, made: str) -> str:
    """Return the version of a match that has `seq` events and was announced at `made`.

    `made` is by Redis's clock, in microseconds; empty for one that an older version of this program has announced.
    """
    return f"{seq}-{made}" if made else str(seq)
