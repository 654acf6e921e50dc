"""What processes tell each other when one ends: exit reasons, the signals of links and monitors, and failed calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from common.otp.process import Process

Reason = str | BaseException
"""Why a process ended: one of the words below, or the exception that it did not handle."""

NORMAL: Final = "normal"
SHUTDOWN: Final = "shutdown"
KILLED: Final = "killed"
NO_PROCESS: Final = "noproc"
KILL: Final = "kill"
"""The reason that skips `terminate`; others see the end of it as `killed`, which is a reason like any other."""


class Stop(Exception):  # noqa: N818  # not an error: the `{stop, Reason, State}` of OTP
    """Raised by a callback to end its own process with `reason`; it is not logged as a crash."""

    def __init__(self, reason: Reason = NORMAL) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class Exit:
    """A linked process ended; delivered to `handle_info` of a process that traps exits."""

    process: Process
    reason: Reason


@dataclass(frozen=True, slots=True, eq=False)
class Monitor:
    """A reference to a monitor, as `erlang:monitor/2` returns; compared by identity."""

    process: Process
    watcher: Process


@dataclass(frozen=True, slots=True)
class Down:
    """A monitored process ended, or was not there when the monitor was set (`noproc`)."""

    monitor: Monitor
    reason: Reason


@dataclass(frozen=True, slots=True)
class Failure:
    """Returned by `handle_call` in place of a reply: the call raises `error`, and the server goes on."""

    error: Exception


class CallError(Exception):
    """The called process ended before it answered, with `reason`; the call may or may not have had its effect."""

    def __init__(self, name: str, reason: Reason) -> None:
        super().__init__(f"{name} ended before it answered: {reason!r}")
        self.reason = reason


class CallTimeoutError(Exception):
    """The called process did not answer in time; its answer, if it comes, is dropped."""


class NoProcessError(LookupError):
    """No process is registered under that name."""


class AlreadyStartedError(Exception):
    """The name belongs to a running process, which `process` is."""

    def __init__(self, name: str, process: Process) -> None:
        super().__init__(f"{name} is registered already")
        self.process = process
