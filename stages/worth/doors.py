"""What a door for browsers costs: read from the trials of `make lab-peers`.

There as many fans came to stage 4 by each of its doors, as text, to nchan, whose fans are EventSources, and to a bare
loop in C, below which nobody gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from stages.worth import ResultsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_FILE: Final = "trials.jsonl"
_BESIDE: Final = ("nchan", "floor")
"""Peers that a door is shown beside; the stage's fans who come by text are, too."""


class _Target(msgspec.Struct, frozen=True):
    name: str
    stage: str | None
    nodes: int | None
    workers: int | None
    peer: str | None
    door: str | None

    @property
    def whole(self) -> tuple[str | None, int | None, int | None]:
        """What it is, by whichever door fans come."""
        return self.stage, self.nodes, self.workers


class _Load(msgspec.Struct, frozen=True):
    n: int
    c: int
    interval_s: float


class _Asked(msgspec.Struct, frozen=True):
    target: _Target
    load: _Load


class _Times(msgspec.Struct, frozen=True):
    mean_s: float


class _Response(msgspec.Struct, frozen=True):
    art: _Times | None


class _Delivery(msgspec.Struct, frozen=True):
    fanout: _Times | None
    last_mean_s: float | None


class _Seen(msgspec.Struct, frozen=True):
    response: _Response
    delivery: _Delivery | None


class _Server(msgspec.Struct, frozen=True):
    memory_per_connection_bytes: float | None


class _Validity(msgspec.Struct, frozen=True):
    valid: bool


class _Trial(msgspec.Struct, frozen=True):
    schema: Literal["matchstream-lab/trial/2"]
    asked: _Asked
    seen: _Seen
    server: _Server | None
    validity: _Validity


class _Line(msgspec.Struct, frozen=True):
    result: _Trial


@dataclass(frozen=True, slots=True)
class Cost:
    """What came of one way to watch, under a load: each figure as it is shown, its mean over the runs and their range.

    `fanout` is the time until a fan had an event, `last` that until the last fan had it, `memory` the server's, a fan.
    """

    way: str
    load: str
    art: str
    fanout: str
    last: str
    memory: str


def read_costs(door: str, directory: Path) -> tuple[Cost, ...]:
    """Return what fans cost who came by a door, then what others do under the same load; nothing of what is no door.

    It is looked for in `directory` and in directories of it. Trials that say that they are invalid do not count. Raise
    ResultsError: one cannot be read.
    """
    for file in (*sorted(directory.glob(_FILE)), *sorted(directory.glob(f"*/{_FILE}"))):
        trials = [trial for trial in _read(file, door) if trial.validity.valid]
        by_door = [trial for trial in trials if trial.asked.target.door == door]
        if by_door:
            return tuple(_costs(by_door, [trial for trial in trials if trial.asked.load == by_door[0].asked.load]))
    return ()


def _read(file: Path, door: str) -> list[_Trial]:
    """Return the trials in a file, none if no fan came by the door there."""
    try:
        written = file.read_bytes()
        if b'"door":"%s"' % door.encode() not in written:
            return []
        return [msgspec.json.decode(line, type=_Line).result for line in written.splitlines()]
    except (OSError, msgspec.DecodeError) as error:
        raise ResultsError(f"{file} is no file of trials of the harness: {error}") from error


def _costs(by_door: Sequence[_Trial], trials: Sequence[_Trial]) -> Iterator[Cost]:
    target = by_door[0].asked.target
    yield _cost(f"by {target.door}", [one for one in by_door if one.asked.load == by_door[0].asked.load])
    by_text = [one for one in trials if one.asked.target.whole == target.whole and one.asked.target.door is None]
    if by_text:
        yield _cost("as text", by_text)
    for peer in _BESIDE:
        others = [one for one in trials if one.asked.target.peer == peer]
        if others:
            yield _cost(others[0].asked.target.name, others)


def _cost(way: str, trials: Sequence[_Trial]) -> Cost:
    load = trials[0].asked.load
    art = [_mean_of(one.seen.response.art) for one in trials]
    deliveries = [one.seen.delivery for one in trials if one.seen.delivery is not None]
    memory = [one.server.memory_per_connection_bytes for one in trials if one.server is not None]
    return Cost(
        way=way,
        load=f"N={load.n:,}, C={load.c:,} every {load.interval_s * 1000:g} ms",
        art=_shown(art, _ms),
        fanout=_shown([_mean_of(one.fanout) for one in deliveries], _ms),
        last=_shown([one.last_mean_s for one in deliveries], _ms),
        memory=_shown(memory, _bytes),
    )


def _mean_of(times: _Times | None) -> float | None:
    return None if times is None else times.mean_s


def _shown(values: Sequence[float | None], show: Callable[[float], str]) -> str:
    """Return the mean of the values that there are, and from where to where they reach."""
    there = [value for value in values if value is not None]
    if not there:
        return "not measured"
    mean, least, most = show(sum(there) / len(there)), show(min(there)), show(max(there))
    return mean if least == most else f"{mean} ({least.partition(' ')[0]} to {most.partition(' ')[0]})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:#.3g} ms".replace(". ", " ")  # three digits, and no point behind the last


def _bytes(count: float) -> str:
    return f"{count:,.0f} B"
