"""Lesson `delayed-init`: a user is there at once; what it has to find out or to write, it does afterwards.

The talk's server returns a timeout of 0 from `init` and goes on when that arrives, before anything else it is asked.
Here the visit is counted beside the user, since no answer depends on it: the fan need not wait for it either.
"""

from __future__ import annotations

import logging

from common.store.errors import StoreUnavailableError
from stages.stage0.user import User

_log = logging.getLogger(__name__)


class DelayedUser(User):
    """Counts the visit after its start; one that Redis does not take is not counted, and the log says so."""

    def init(self) -> None:
        """Begin at once."""
        self.spawn(self._count_visit())

    async def _count_visit(self) -> None:
        try:
            await super()._count_visit()
        except StoreUnavailableError as error:
            _log.warning("a visit of %s was not counted: %s", self._id, error)
