"""What strikes, when and for how long: a schedule that is a pure function of its seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class Kind(StrEnum):
    """What is done to a victim."""

    STOP = "stop"
    """It is frozen (SIGSTOP), and goes on after a while (SIGCONT)."""
    KILL = "kill"
    """It is killed (SIGKILL), and started again after a while."""
    ROLLBACK = "rollback"
    """Redis is saved; after a while it is killed, and comes back with what was saved."""
    CUT = "cut"
    """The line between a host and Redis carries nothing for a while; nobody is told."""


class Victim(StrEnum):
    """Whom a fault strikes."""

    REDIS = "redis"
    SERVER = "server"
    """The process that was started: from stage 3 on the parent of the nodes."""
    NODE = "node"
    WRITER = "writer"
    """Whoever has the writer's lease then."""
    HOST = "host"
    """A node that was started by itself, beyond a line."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One blow: it falls `at_s` seconds after the load began and lasts `lasts_s`; `lot` chooses one of many nodes."""

    at_s: float
    kind: Kind
    victim: Victim
    lasts_s: float
    lot: int = 0

    def __str__(self) -> str:
        """Return it for people, e.g. `stop redis at 1.2 s for 3.0 s`."""
        return f"{self.kind} {self.victim} at {self.at_s:.1f} s for {self.lasts_s:.1f} s"


_ONE_PROCESS: Final = (
    (Kind.STOP, Victim.REDIS),
    (Kind.STOP, Victim.SERVER),
    (Kind.KILL, Victim.REDIS),
    (Kind.KILL, Victim.SERVER),
    (Kind.ROLLBACK, Victim.REDIS),
)
_NODES: Final = (
    *_ONE_PROCESS,
    (Kind.STOP, Victim.NODE),
    (Kind.STOP, Victim.WRITER),
    (Kind.KILL, Victim.NODE),
    (Kind.KILL, Victim.WRITER),
    (Kind.CUT, Victim.HOST),
)
_LASTS_S: Final = {Kind.STOP: (0.2, 4.0), Kind.KILL: (0.0, 1.5), Kind.ROLLBACK: (0.2, 1.5), Kind.CUT: (0.5, 6.0)}
"""Both sides of what callers wait for: a reporter's patience, 2 s for a lease, 5 s for Redis."""
_PAUSE_S: Final = (0.3, 2.5)
_LOTS: Final = 1_000


def draw(seed: int, stage: str, kinds: Collection[Kind], seconds: float) -> tuple[Fault, ...]:
    """Return the faults, of `kinds`, that fall on a server of `stage` within so many seconds, in the order of time.

    All that can happen to the stage happens once before anything does again, if there is time.
    """
    rng = random.Random(f"{seed} {stage}")  # noqa: S311  # nothing secret about it
    return tuple(_faults(rng, possible(stage, kinds), seconds))


def possible(stage: str, kinds: Collection[Kind]) -> list[tuple[Kind, Victim]]:
    """Return what of `kinds` can be done, and to whom, where a server of `stage` runs."""
    return [blow for blow in (_NODES if has_nodes(stage) else _ONE_PROCESS) if blow[0] in kinds]


def has_nodes(stage: str) -> bool:
    """Whether the server of that stage is several processes."""
    return stage >= "3"


def _faults(rng: random.Random, blows: list[tuple[Kind, Victim]], seconds: float) -> Iterator[Fault]:
    at_s = rng.uniform(*_PAUSE_S)
    while blows:
        for kind, victim in rng.sample(blows, len(blows)):
            if at_s > seconds:
                return
            yield Fault(at_s, kind, victim, rng.uniform(*_LASTS_S[kind]), rng.randrange(_LOTS))
            at_s += rng.uniform(*_PAUSE_S)
