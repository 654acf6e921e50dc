"""How much memory a process takes, as an estimate: what it holds and hardly anybody else does.

`sys.getsizeof` of the process, its server, what the server's attributes hold down to a small depth, the mailbox, the
ties, and the task with its frame if there is one. What many refer to (classes, settings, other processes) belongs to
none of them. Of a large container a few elements are looked at and the rest is taken to be like them. The kernel's
part of a connection and what lies inside C libraries are not seen.

It takes its time (`reports/design-notes.md`), so it is made only of those that somebody asks for. An object's
attributes are read through the garbage collector: `vars()` would give every object that is looked at a dict of its own,
for good.
"""

from __future__ import annotations

import gc
import sys
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Final

from common.otp.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DEPTH: Final = 5
_SAMPLE: Final = 32
"""Elements of a container that are looked at; a process itself holds fewer, so all that it holds is."""
_FEW: Final = 9
"""References to what one process owns: some of its own, and five of the code that looks at it."""
_SHARED: Final = (type, ModuleType, CodeType, FunctionType, BuiltinFunctionType, Process)


def footprint(process: Process) -> int:
    """Return about how many bytes a process takes."""
    seen = {id(process), id(process.node)}
    total = sys.getsizeof(process)
    level: list[tuple[object, int]] = [(process, 1)]
    for _ in range(_DEPTH):  # what is near first, so that it counts as held from there
        level = [found for owner, times in level for found in _held_by(owner, times, seen)]
        total += sum(sys.getsizeof(one) * times for one, times in level)
    return total


def _held_by(owner: object, times: int, seen: set[int]) -> Iterator[tuple[object, int]]:
    """Go through what an owner alone holds and was not seen yet, each with how many of its kind it stands for."""
    held: Sequence[object] = gc.get_referents(owner)
    step = -(-len(held) // _SAMPLE) or 1
    for one in held[::step]:
        if not isinstance(one, _SHARED) and id(one) not in seen and sys.getrefcount(one) <= _FEW:
            seen.add(id(one))
            yield one, times * step
