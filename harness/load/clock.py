"""When something arrived, as the kernel saw it: its stamps (SO_TIMESTAMPNS), told in seconds after t0.

What arrives while a wave is started, or while other fans are read, is read late; its stamp is not, so the generator
does not book its own queue on the server's account. A stamp is of CLOCK_REALTIME, which somebody may set while it is
used, and everything else here is of CLOCK_MONOTONIC, which nobody can. Both are slewed alike, so they differ by a
constant until the former is set. So `check` looks once a turn whether they still do: if not, what was stamped since the
last look may be by either, and counts as having come when it was read.

A stamp is that of the last segment in what was read, so it is never too early, and at most as late as reading it.
"""

from __future__ import annotations

import socket
import struct
from time import CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime_ns, monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_TIMESPEC: Final = struct.Struct("ll")

STAMP_SPACE: Final = socket.CMSG_SPACE(_TIMESPEC.size)
"""Bytes that recvmsg(2) needs for a stamp."""


_LOOKS: Final = 8
_UNSEEN_NS: Final = 10_000  # a step that changes no figure: no clock of a machine is set by so little

_Ancillary = list[tuple[int, int, bytes]]


class ArrivalClock:
    """Tells moments in seconds after t0, which is in seconds of time.monotonic(). `begin` sets it.

    `read_ns` reads a clock of the kernel in nanoseconds, `monotonic` CLOCK_MONOTONIC in seconds.
    `steps` counts how often CLOCK_REALTIME was found set.
    """

    __slots__ = ("_base_ns", "_monotonic", "_offset_ns", "_read_ns", "_t0_ns", "_trusts", "steps", "t0")

    def __init__(
        self, read_ns: Callable[[int], int] = clock_gettime_ns, monotonic: Callable[[], float] = monotonic
    ) -> None:
        self._read_ns = read_ns
        self._monotonic = monotonic
        self._t0_ns = 0
        self.t0 = 0.0
        self._trusts = False
        self._offset_ns = self._base_ns = 0
        self.steps = 0

    def begin(self, t0: float) -> None:
        """Count from `t0` on."""
        self.t0 = t0
        self._t0_ns = round(t0 * 1e9)
        self._set_offset()
        self._trusts = True

    def now(self) -> float:
        """Return this moment."""
        return self._monotonic() - self.t0

    def check(self) -> None:
        """Find out whether CLOCK_REALTIME was set since the last time. Until the next time, stamps count if not."""
        low, high = self._offset_between()
        self._trusts = low - _UNSEEN_NS <= self._offset_ns <= high + _UNSEEN_NS
        if not self._trusts:
            self._set_offset()
            self.steps += 1

    def arrival(self, ancillary: _Ancillary) -> float:
        """Return when that arrived with which recvmsg(2) returned this; now, if the kernel did not say so."""
        if not (ancillary and self._trusts):
            return self.now()
        stamp: tuple[int, int] = _TIMESPEC.unpack(ancillary[0][2])
        return (stamp[0] * 1_000_000_000 + stamp[1] - self._base_ns) * 1e-9

    def _set_offset(self) -> None:
        """Take the difference of the clocks by the closest of some looks: one may be interrupted halfway."""
        low, high = min((self._offset_between() for _ in range(_LOOKS)), key=lambda found: found[1] - found[0])
        self._offset_ns = (low + high) // 2
        self._base_ns = self._t0_ns + self._offset_ns  # t0, as CLOCK_REALTIME tells it

    def _offset_between(self) -> tuple[int, int]:
        """Return between what the difference of the clocks lies: one was read before and after the other."""
        before = self._read_ns(CLOCK_MONOTONIC)
        real = self._read_ns(CLOCK_REALTIME)
        return real - self._read_ns(CLOCK_MONOTONIC), real - before
