"""The talk's `match_sup`: a `simple_one_for_one` supervisor of live matches."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from common.otp import (
    AlreadyStartedError,
    CallError,
    NoProcessError,
    Restart,
    SimpleOneForOne,
    StartChild,
)
from common.store.errors import StoreUnavailableError, UnknownOutcomeError
from stages.stage0.on_demand import call_on_demand

if TYPE_CHECKING:
    from common.otp import Node, Process
    from stages.stage0.parts import Parts


class MatchSup(SimpleOneForOne):
    """Starts one process for each match that is asked for; one that crashes is started again."""

    NAME = "match_sup"

    def __init__(self, parts: Parts) -> None:
        super().__init__(lambda match_id: parts.live_match(parts, match_id), Restart.TRANSIENT)

    @classmethod
    async def call(cls, node: Node, match_id: str, request: object) -> Any:
        """Call a match, whether its process runs yet or not.

        Raise what the match answers; UnknownOutcomeError as well if its process crashes before it does.
        """
        try:
            _, answer = await call_on_demand(partial(cls.start_match, node, match_id), request)
        except CallError:
            raise UnknownOutcomeError(f"the match {match_id} ended before it answered") from None
        return answer

    @staticmethod
    def name_of(match_id: str) -> str:
        """Return the name under which a match is registered."""
        return f"match-{match_id}"

    # Hooks: what later lessons do otherwise (the table in `stages.stage0` has them all).

    @classmethod
    async def start_match(cls, node: Node, match_id: str) -> Process:
        """Return the process of that match, a new one if there is none.

        Raise UnknownMatchError, StoreUnavailableError.
        """
        try:
            match: Process = await node[cls.NAME].call(StartChild((match_id,), cls.name_of(match_id)))
        except AlreadyStartedError as error:
            return error.process
        except (CallError, NoProcessError) as error:
            raise StoreUnavailableError("the matches are being restarted; try again") from error
        return match
