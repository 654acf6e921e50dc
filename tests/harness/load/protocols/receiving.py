"""Streams cut into chunks, and what a reader receives from them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from harness.load.protocols.reader import Callbacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.load.protocols.reader import Reader
    from harness.load.workload import Dialogue

cuts = st.lists(st.integers(0, 10_000), max_size=30)


def cut(text: bytes, at: list[int]) -> list[bytes]:
    """Return the text in pieces, of which none is empty."""
    edges = sorted({0, len(text), *(edge % (len(text) + 1) for edge in at)})
    return [text[begin:end] for begin, end in itertools.pairwise(edges)]


class Hearing:
    """A reader, what each fan received through it, each number with the time from which it counts, and what it said."""

    def __init__(self, make: Callable[[Dialogue, Callbacks], Reader], dialogue: Dialogue) -> None:
        self.receipts: dict[int, list[tuple[int, float]]] = {}
        self.said: dict[int, list[bytes]] = {}
        self.reader = make(dialogue, Callbacks(self._settle, self._say, self._fill))

    def hear(self, fan: int, chunks: Iterable[bytes], at_s: float = 0.0) -> None:
        for chunk in chunks:
            for number in self.reader.sequences(fan, chunk, at_s):
                self._settle(fan, number, at_s)

    def numbers(self, fan: int) -> list[int]:
        return [number for number, _ in self.receipts.get(fan, [])]

    def _settle(self, fan: int, number: int, at_s: float) -> None:
        self.receipts.setdefault(fan, []).append((number, at_s))

    def _say(self, fan: int, text: bytes) -> None:
        self.said.setdefault(fan, []).append(text)

    def _fill(self, fan: int, text: bytes) -> bytes:
        return text.replace(b"{user}", b"fan-%d" % fan)
