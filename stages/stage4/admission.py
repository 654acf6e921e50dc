"""Lesson `admission`: a fan too many is told so, and when to come again, at once.

Without it a server takes whoever comes, as fast as they come, until no file is left; who comes then waits in the accept
queue, unanswered, for as long as it stays so. What must hold:

* A fan too many hears an ERROR line with the seconds to wait, and that no more comes; it is not reset, and never hangs.
  The seconds differ from fan to fan, so that they do not all come back at the same moment.
* So some files are set aside, beside those that are kept for reporters and Redis: for fans who are being turned away.
  There are never more of these than that; the one that has lingered longest makes room for the next.
* Who is in is served as if nobody had come in vain, but for the time that it takes to turn somebody away.

Over a rate fans are refused as well, and not delayed: who waits unanswered tries a second time beside the first. A
node's workers have its limits in equal shares. The kernel gives some of them more fans than others, within some per
cent, so the first fans are refused a little before the node is full.

Exercised by more fans than the limit, or faster ones than the rate (`matchstream serve --max-fans`, `--max-rate`): it
shows in who is refused, and in the response times of those who are not. Below the limits it should move nothing.
"""

from __future__ import annotations

import random
from time import monotonic
from typing import TYPE_CHECKING, Final

from common.tuning.open_files import OpenFiles, kept_files
from stages.stage0.server import Server
from stages.stage4.plane import Plane
from stages.stage4.token_bucket import TokenBucket
from stages.traffic import Drop

if TYPE_CHECKING:
    from stages.options import Options
    from stages.stage0.parts import Parts
    from stages.stage4.door import Door, OwnDoor
    from stages.stage4.plane import Host
    from stages.traffic import Traffic

FULL: Final = "this server is full; try again in {} s"
"""What a fan too many is told."""
AGAIN_S: Final = (5, 30)
"""The least and the most that it is told to wait."""
AT_ONCE_S: Final = 1.0
"""A second's worth of the rate may come at the same moment."""
MOST_ASIDE: Final = 64


def files_aside(limit: int) -> int:
    """Return how many of `limit` files are set aside for fans who are being turned away."""
    return max(1, min(MOST_ASIDE, limit // 16))


class AdmittingPlane(Plane):
    """Turns fans away while there are as many as may be, or while only the files are left that are set aside."""

    def __init__(self, door: OwnDoor, traffic: Traffic) -> None:
        super().__init__(door, traffic)
        self.most: int | None = None
        """Fans that are let in at most; None: as many as there are files."""
        self.bucket: TokenBucket | None = None
        """Has a token for each fan that may be let in now; None: they may come as fast as they like."""
        self._first_aside = self._aside = 0
        self._turned_away: dict[int, None] = {}

    def open(self, host: Host) -> None:
        """Set the files aside, too."""
        super().open(host)
        files = OpenFiles.read().soft
        self._aside = files_aside(files)
        self._first_aside = files - kept_files(files) - self._aside

    def welcome(self, fd: int, door: Door | None = None) -> None:
        """Take over a connection that was accepted, and let it in, or refuse it."""
        # The kernel gives the lowest number that is free (open(2)): from there on, no other is.
        if fd < self._first_aside and self._lets_in():
            super().welcome(fd, door)
            return
        if len(self._turned_away) == self._aside:
            oldest = next(iter(self._turned_away))
            self._read(oldest)  # to close on what was not read would be a reset
            self.cut_off(oldest)
        self._take_over(fd)
        if door is not None:
            self._came_by[fd] = door
        self._turned_away[fd] = None
        self.refuse(fd, FULL.format(random.randint(*AGAIN_S)), Drop.FULL)  # noqa: S311  # nothing secret about a pause

    def _lets_in(self) -> bool:
        if self.most is not None and self.connected - len(self._turned_away) >= self.most:
            return False
        return self.bucket is None or self.bucket.take(monotonic())

    def _forget(self, fd: int) -> None:
        super()._forget(fd)
        self._turned_away.pop(fd, None)


class AdmittingServer(Server):
    """A server that lets in as many fans as it is told to, and as fast."""

    def __init__(self, parts: Parts, options: Options) -> None:
        super().__init__(parts, options)
        plane: AdmittingPlane = self.parts.server_plane
        plane.most = options.max_fans
        if options.max_rate is not None:
            plane.bucket = TokenBucket(options.max_rate, max(1.0, options.max_rate * AT_ONCE_S))
