"""Streams cut into chunks, and what a reader receives from them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.load.protocols.reader import Reader, Settle
    from harness.load.workload import Dialogue

cuts = st.lists(st.integers(0, 10_000), max_size=30)


def cut(text: bytes, at: list[int]) -> list[bytes]:
    """Return the text in pieces, of which none is empty."""
    edges = sorted({0, len(text), *(edge % (len(text) + 1) for edge in at)})
    return [text[begin:end] for begin, end in itertools.pairwise(edges)]


class Hearing:
    """A reader, and what each fan received through it, each number with the time from which it counts."""

    def __init__(self, make: Callable[[Dialogue, Settle], Reader], dialogue: Dialogue) -> None:
        self.receipts: dict[int, list[tuple[int, float]]] = {}
        self.reader = make(dialogue, self._settle)

    def hear(self, fan: int, chunks: Iterable[bytes], at_s: float = 0.0) -> None:
        for chunk in chunks:
            for number in self.reader.sequences(fan, chunk, at_s):
                self._settle(fan, number, at_s)

    def numbers(self, fan: int) -> list[int]:
        return [number for number, _ in self.receipts.get(fan, [])]

    def _settle(self, fan: int, number: int, at_s: float) -> None:
        self.receipts.setdefault(fan, []).append((number, at_s))
