"""What a callback can say beside its answer, why a process ended, and how a call fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Reason = str | BaseException
"""Why a process ended: one of the words below, or the exception that it did not handle."""

NORMAL: Final = "normal"
SHUTDOWN: Final = "shutdown"
KILLED: Final = "killed"
NO_PROCESS: Final = "noproc"
KILL: Final = "kill"
"""The reason that skips `terminate`; others see the end of it as `killed`, which is a reason like any other."""


NO_REPLY: Final = object()
"""Returned by `handle_call` when the answer comes later, by `reply` (OTP: `noreply`)."""


class Stop(Exception):  # noqa: N818  # not an error: OTP's `{stop, Reason, State}` and `{stop, Reason, Reply, State}`
    """Raised by a callback to end its own process with `reason`; it is not logged as a crash.

    Raised by `handle_call` it may carry the `reply`, or a `Failure`: the caller has it before `terminate` is called
    (OTP: after), so nobody waits for that. Elsewhere nobody waits for a reply, and it counts for nothing.
    """

    def __init__(self, reason: Reason = NORMAL, *, reply: object = NO_REPLY) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Failure:
    """Returned by `handle_call` in place of a reply: the call raises `error`, and the server goes on."""

    error: Exception


class CallError(Exception):
    """The called process ended before it answered, with `reason`; the call may or may not have had its effect."""

    def __init__(self, name: str, reason: Reason) -> None:
        super().__init__(f"{name} ended before it answered: {reason!r}")
        self.reason = reason


class NoProcessError(LookupError):
    """No process is registered under that name."""
