"""The fans of one match as numbers in an array, so that an event can be sent to them a piece at a time.

While an event is on its way the array has three parts, each in one piece:

    sent          due           new
    [ 7, 3, 12 ]  [ 5, 9, 4 ]   [ 21, 8 ]

Who is due gets the event next; who came after it set out is new, since the status of a newcomer tells that event
already. A fan that leaves is replaced by the last one of its part, which is replaced by the last of the next part: so
that costs three assignments at most, whatever the size of the crowd, and disturbs no piece that is still to be sent.

Where a fan stands is kept by whoever has the numbers, in an array that all crowds share: 8 bytes a fan in all.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.stage4.door import NumberingDoor


class Crowd:
    """File descriptors of fans, in no order. `position` is shared by all crowds, and long enough for each number.

    All of a crowd came by the same `door`; None is that of the plane which has them.
    """

    __slots__ = ("_due", "_fds", "_position", "_sent", "door")

    def __init__(self, position: array[int], door: NumberingDoor | None = None) -> None:
        self.door = door
        self._fds = array("i")
        self._position = position
        self._sent = 0
        self._due = 0

    def __len__(self) -> int:
        return len(self._fds)

    def add(self, fd: int) -> None:
        """Take in one more, as new."""
        self._position[fd] = len(self._fds)
        self._fds.append(fd)

    def remove(self, fd: int) -> None:
        """Let one go that is in the crowd."""
        hole = self._position[fd]
        if hole < self._sent:
            self._sent -= 1
            hole = self._fill(hole, self._sent)
        if hole < self._due:
            self._due -= 1
            hole = self._fill(hole, self._due)
        self._fill(hole, len(self._fds) - 1)
        self._fds.pop()

    def begin(self) -> None:
        """Begin an event: all who are here now are due."""
        self._sent, self._due = 0, len(self._fds)

    def take(self, most: int) -> array[int]:
        """Return up to `most` of those who are due, and count them as sent; none when no one is due."""
        begin = self._sent
        self._sent = min(begin + most, self._due)
        return self._fds[begin : self._sent]

    def all(self) -> array[int]:
        """Return a copy of all numbers."""
        return self._fds[:]

    def _fill(self, hole: int, last: int) -> int:
        """Put who stands last in a part into the hole, and return where the hole is then."""
        if hole != last:
            moved = self._fds[last]
            self._fds[hole] = moved
            self._position[moved] = hole
        return last
