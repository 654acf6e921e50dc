"""Processes that are started when somebody asks for them, and end when nobody needs them: matches and users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from common.otp import NO_PROCESS, NORMAL, CallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from common.otp import Process

MOST_ENDS: Final = 10
"""So often may such a process end with a call that it has taken in; once is chance, ten times in a row is a fault."""


async def call_on_demand(find: Callable[[], Awaitable[Process]], request: object) -> tuple[Process, Any]:
    """Call the process that `find` finds or starts; return it, and what it answers.

    In a crowd that asks at once the process that one has found ends when it has answered another, just before the call
    comes (`noproc`). Such a call was not taken in, and is made anew, as often as it takes: each time another is served.

    Nor has a process done anything for a call that it takes in and, ending normally, does not answer: it was not the
    match that it should be, or had just been done with.

    Raise CallError if the process crashes, or ends for the MOST_ENDS-th time; and what it answers.
    """
    ends = 0
    while True:
        process = await find()
        try:
            return process, await process.call(request)
        except CallError as error:
            if error.reason == NO_PROCESS:
                continue
            ends += 1
            if error.reason != NORMAL or ends == MOST_ENDS:
                raise
