"""CPUs: reading `--pin`, and keeping processes on some of them.

A process is pinned by pinning the thread that starts it, for as long as that takes: children inherit it
(sched_setaffinity(2)), and so does whatever they start. Nothing has to run between fork and exec.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.store.process import REDIS_PROGRAMS
from harness.targets.process_tree import all_processes, descended
from harness.trial.placement.errors import PlacementError

PARTS: Final = ("server", "generator", "redis")
"""What can be pinned."""

_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Pins:
    """CPUs by what is to run on them, sorted; None for what may run anywhere."""

    server: tuple[int, ...] | None = None
    generator: tuple[int, ...] | None = None
    redis: tuple[int, ...] | None = None


def parse_pins(text: str, allowed: frozenset[int]) -> Pins:
    """Return the pins of a text such as `server=0,generator=1-3,redis=0`; `allowed` are the CPUs there are.

    A list may have commas of its own, as in taskset(1): `server=0,2,generator=1`. Raise PlacementError.
    """
    lists: dict[str, list[str]] = {}
    part = ""
    for word in text.replace(" ", "").split(","):
        name, equals, first = word.rpartition("=")
        if equals:
            if name not in PARTS or name in lists:
                raise _refusal(text, f"{name!r} is given twice" if name in lists else f"{name!r} cannot be pinned")
            part = name
            lists[part] = []
        if not part:
            raise _refusal(text, f"{word!r} says not what to pin")
        lists[part].append(first)
    return Pins(**{name: _cpus(text, words, allowed) for name, words in lists.items()})


def allowed_cpus() -> frozenset[int]:
    """Return the CPUs that this process may run on."""
    return frozenset(os.sched_getaffinity(0))


@contextmanager
def pinned(cpus: tuple[int, ...] | None) -> Iterator[None]:
    """Keep this thread, and all that is started inside the block, on some CPUs; None changes nothing."""
    if cpus is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin_redis(roots: tuple[int, ...], cpus: tuple[int, ...]) -> None:
    """Keep every Redis among `roots` and their descendants on some CPUs, with all its threads.

    Raise PlacementError if there is none.
    """
    servers = [stat.pid for stat in descended(roots, all_processes()) if stat.name.startswith(REDIS_PROGRAMS)]
    if not servers:
        raise PlacementError("--pin redis: this server has no Redis of its own here; leave redis out")
    for pid in servers:
        with suppress(OSError):  # one that has ended meanwhile is the trial's to report
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), cpus)


def _cpus(text: str, words: list[str], allowed: frozenset[int]) -> tuple[int, ...]:
    cpus: set[int] = set()
    for word in words:
        found = _RANGE.fullmatch(word)
        if found is None:
            raise _refusal(text, f"{word!r} is no CPU and no range of them")
        cpus.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    if not cpus:
        raise _refusal(text, f"{','.join(words)} names no CPU")
    if strangers := sorted(cpus - allowed):
        there = ", ".join(map(str, sorted(allowed)))
        raise _refusal(text, f"CPU {strangers[0]} is not one of those here ({there})")
    return tuple(sorted(cpus))


def _refusal(text: str, reason: str) -> PlacementError:
    return PlacementError(f"--pin {text}: {reason}; write for example server=0,generator=1,redis=0")
