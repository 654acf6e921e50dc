"""What a server breaks in itself so that one can see how it mends: for the laboratory, off unless it is asked for.

A supervisor is there for the day on which something crashes, and on all others it brings nothing. So a measurement of
supervisors has to have crashes. They come from inside, as exit signals, and for a supervisor, which would trap that, as
the kill that nobody can catch (`exit(Pid, kill)`). There is no door through which a stranger could send one, and who
starts a server with faults is warned by its log.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from common.otp import GenServer, NoProcessError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.stage0.parts import Parts

TICK_S: Final = 0.1
CRASH: Final = "crashed, as it was told to"

_RATE: Final = re.compile(r"(client|user)=([0-9]{1,3}(?:\.[0-9]{1,3})?)%/s")
_MOMENT: Final = re.compile(r"(client|user)-supervisor@([0-9]{1,4}(?:\.[0-9]{1,3})?)s")
_log = logging.getLogger(__name__)


class FaultsError(Exception):
    """Faults cannot be read; the message says how they are written."""


@dataclass(frozen=True, slots=True)
class CrashRate:
    """A share of all processes of a kind crashes in each second, chosen at random."""

    kind: str
    share_per_s: float


@dataclass(frozen=True, slots=True)
class SupervisorCrash:
    """A supervisor of such processes, any if there are several, crashes `at_s` seconds after the first of them came."""

    kind: str
    at_s: float


def parse_faults(text: str) -> tuple[CrashRate | SupervisorCrash, ...]:
    """Return the faults of a text such as `client=1%/s,client-supervisor@2s`; none of an empty one. Raise FaultsError.

    Kinds are `client` and `user`.
    """
    faults: list[CrashRate | SupervisorCrash] = []
    for word in filter(None, text.replace(" ", "").split(",")):
        if rate := _RATE.fullmatch(word):
            faults.append(CrashRate(rate[1], float(rate[2]) / 100))
        elif moment := _MOMENT.fullmatch(word):
            faults.append(SupervisorCrash(moment[1], float(moment[2])))
        else:
            raise FaultsError(f"{word!r} is no fault: write for example client=1%/s,client-supervisor@2s")
    return tuple(faults)


class Faults(GenServer):
    """Crashes what it was told to, for as long as the server runs."""

    NAME = "faults"

    def __init__(self, parts: Parts, faults: Sequence[CrashRate | SupervisorCrash]) -> None:
        self._parts = parts
        self._faults = faults

    def init(self) -> None:
        """Warn, and begin."""
        _log.warning("faults are on: this server crashes parts of itself, and is for measurements only")
        for fault in self._faults:
            self.spawn(self._crash_some(fault) if isinstance(fault, CrashRate) else self._crash_supervisor(fault))

    async def _crash_some(self, fault: CrashRate) -> None:
        due = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            part = self._parts.client if fault.kind == "client" else self._parts.user
            there = [process for process in self.node.processes() if isinstance(process.server, part)]
            due += fault.share_per_s * TICK_S * len(there)
            whole = int(due)
            due -= whole
            for process in random.sample(there, min(whole, len(there))):
                process.exit(CRASH)

    async def _crash_supervisor(self, fault: SupervisorCrash) -> None:
        part = self._parts.client if fault.kind == "client" else self._parts.user
        while not any(isinstance(process.server, part) for process in self.node.processes()):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(TICK_S)
        await asyncio.sleep(fault.at_s)
        supervisors = self._parts.client_sup if fault.kind == "client" else self._parts.user_sup
        try:
            supervisors.supervisor(self.node).kill()
        except NoProcessError:
            _log.warning("the supervisor that was to crash is away already")
