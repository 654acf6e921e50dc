"""The last events of a match as bytes that are ready to be sent: what a fan who resumes may have missed.

A window begins behind an event of which only the place is known, its base, and goes on without a gap to the last event
that the fans were told. A fan who stands anywhere in it is sent the frames from there on. Places are compared with
their epochs (`common.wire.frames`): an event of the same number in another course of the match is another event.

Most fans who come back together stand at the same event or two, so what they are sent is put together once for all
of them: until the next event, and for READY places at most.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from common.wire.frames import resumed_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST: Final = 256
"""Events in a window."""
MOST_BYTES: Final = 256 * 1024
"""Bytes of their frames; one frame has about 6,000 at the most, and mostly 120."""
READY: Final = 8


class Stand(NamedTuple):
    """A place as it goes over the wire: the number of an event, and its epoch, 0 if that is not known."""

    number: int
    epoch: int

    def may_be(self, other: Stand) -> bool:
        """Whether both may be the same event."""
        return self.number == other.number and (self.epoch == other.epoch or not self.epoch or not other.epoch)


class Window:
    """What is kept of one match; empty to begin with, behind the event at `base`.

    `resumed` makes what is said before so many events that follow a number.
    """

    __slots__ = ("_frames", "_ready", "_resumed", "_size", "_stands", "reaches_back")

    def __init__(self, base: Stand, resumed: Callable[[int, int], bytes] = resumed_line) -> None:
        self._resumed = resumed
        self._ready: dict[int, tuple[int, bytes]] = {}
        self._begin(base)

    def _begin(self, base: Stand) -> None:
        self._stands = deque((base,))
        self._frames: deque[bytes] = deque()
        self._size = 0
        self.reaches_back = not base.number
        """Whether it begins where it has to: there is nothing before, or that was put there, or there is no room."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def base(self) -> Stand:
        """The place behind which it begins."""
        return self._stands[0]

    @property
    def last(self) -> Stand:
        """The place of the last event."""
        return self._stands[-1]

    def add(self, at: Stand, frame: bytes) -> None:
        """Take in the next event; forget the first ones if there is no room. It begins anew behind one that is not."""
        self._ready.clear()
        if at.number != self.last.number + 1:
            self._begin(at)
            return
        self._stands.append(at)
        self._frames.append(frame)
        self._size += len(frame)
        while len(self._frames) > MOST or self._size > MOST_BYTES:
            self._stands.popleft()
            self._size -= len(self._frames.popleft())
            self.reaches_back = True

    def put_before(self, events: Sequence[tuple[Stand, bytes]]) -> None:
        """Take in what was before, as far as there is room: events without a gap, the last of which is at `base`.

        It reaches back as far as it may then. If the last is another one, none of them is of this course.
        """
        self.reaches_back = True
        if not events or not events[-1][0].may_be(self.base):
            return
        stands = [stand for stand, _ in events]
        before = [Stand(0, 0), *stands[:-1]] if stands[0].number == 1 else stands[:-1]
        frames = [frame for _, frame in events][-len(before) :] if before else []
        for stand, frame in zip(reversed(before), reversed(frames), strict=True):
            if len(self._frames) == MOST or self._size + len(frame) > MOST_BYTES:
                break
            self._stands.appendleft(stand)
            self._frames.appendleft(frame)
            self._size += len(frame)

    def has(self, stand: Stand) -> bool:
        """Whether a fan at that place can be sent all that followed."""
        index = stand.number - self.base.number
        return 0 <= index <= len(self._frames) and stand.may_be(self._stands[index])

    def beyond(self, number: int) -> tuple[int, bytes]:
        """Return how many events follow that number, which it has, and what to send whose fan stands there."""
        ready = self._ready.get(number)
        if ready is None:
            missed = self.last.number - number
            frames = islice(self._frames, len(self._frames) - missed, None)
            if len(self._ready) >= READY:
                self._ready.clear()
            ready = self._ready[number] = missed, self._resumed(missed, number) + b"".join(frames)
        return ready
