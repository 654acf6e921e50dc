"""The stages' frames with numbers (`V:3`), by which a fan who comes back goes on where it was.

Such a frame has, behind its first line, its number and its epoch, a line each; lines end with LF, and the frame with
CR LF. A fan who comes back says those of the last frame that it had whole, behind its hello. Its answer is then a line
that begins with `RESUMED:`, behind which is what it missed, or a status, as a fan's who begins. Either ends with CR LF.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harness.load.protocols.lines import LineReader
from harness.load.protocols.reader import MAX_PENDING, Completeness

if TYPE_CHECKING:
    from harness.load.protocols.reader import Callbacks, Place
    from harness.load.workload import Dialogue

END: Final = b"\r\n"
"""What ends a frame, and so the answer of a fan that comes, and the answer of one that comes back."""

_PLACE: Final = re.compile(rb"\n\tnumber: ([0-9]+)\n\tepoch: ([0-9]+)\n")


def resuming(hello: bytes, place: bytes) -> bytes:
    """Return the hello of a fan who comes back behind the frame in that place; nothing: it had none."""
    return b"%b:%b\n" % (hello.rstrip(b"\n"), place) if place else hello


class NumberedFrameReader(LineReader):
    """A LineReader that tells where each fan is: of the last frame that it had whole `number:epoch`."""

    __slots__ = ("_last", "_last_left", "_last_place", "_left", "_numbers_in", "_place")

    def __init__(self, dialogue: Dialogue, callbacks: Callbacks, place: Place) -> None:
        super().__init__(dialogue, callbacks)
        self._numbers_in = self.sequences
        self.sequences = self._sequences_and_place
        self._place = place
        self._left: dict[int, bytes] = {}
        self._last = self._last_left = b""
        self._last_place: bytes | None = None

    def answer(self, fan: int, data: bytes) -> tuple[Completeness, bytes]:
        """Read more of the fan's answer; return with it what follows the answer in `data`."""
        heard, rest = super().answer(fan, data)
        self._note(fan, data[: len(data) - len(rest)])
        return heard, rest

    def _sequences_and_place(self, fan: int, data: bytes, at_s: float) -> tuple[int, ...]:
        self._note(fan, data)
        return self._numbers_in(fan, data, at_s)

    def _note(self, fan: int, data: bytes) -> None:
        """Note where the fan is. Most are told the same in one piece: what the one before was told is remembered."""
        if self._left:
            data = self._left.pop(fan, b"") + data
        if data != self._last:
            whole, end, left = data.rpartition(END)
            found = _PLACE.findall(whole + end)
            self._last, self._last_left = data, left[-MAX_PENDING:]
            self._last_place = b":".join(found[-1]) if found else None
        if self._last_place is not None:
            self._place(fan, self._last_place)
        if self._last_left:
            self._left[fan] = self._last_left

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more; a number with which its data ended is told to Settle."""
        super().forget(fan)
        self._left.pop(fan, None)

    @property
    def kept(self) -> int:
        """How many bytes are kept of all fans together."""
        return super().kept + sum(map(len, self._left.values()))
