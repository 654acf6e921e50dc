"""A fan who comes again whenever the connection ends, until the match has ended; some leave by themselves at times."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from common.wire.reader import ErrorLine, Frame, FrameError, FrameReader
from tests.faults.records import End, Segment, Stream

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from common.wire.reader import Line

_CONNECT_S: Final = 5.0
"""How long a connection may take to be made; then another is tried."""
_PAUSE_S: Final = (0.02, 0.4)
_STAYS: Final = 80.0
"""After how many events a restless fan leaves, on average."""
_RESTLESS: Final = 0.4
"""The share of the fans who are restless."""


class Fan:
    """Watches a match at one of `addresses` after the other; `stream` is what it heard."""

    def __init__(self, name: str, match_id: str, addresses: Sequence[tuple[str, int]], rng: random.Random) -> None:
        self.stream = Stream(name, match_id)
        self._rng = rng
        self._addresses = itertools.cycle(rng.sample(addresses, len(addresses)))
        self._is_restless = rng.random() < _RESTLESS

    async def watch(self) -> None:
        """Watch, and come again, until the match has ended."""
        while not self.stream.is_over:
            with suppress(OSError):  # nobody is there now, or no more; a timeout is an OSError, too
                await self._visit(next(self._addresses))
            end_segment(self.stream, End.CLOSED)
            await asyncio.sleep(self._rng.uniform(*_PAUSE_S))

    async def _visit(self, address: tuple[str, int]) -> None:
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection(*address)
        frames = FrameReader()
        leaves_after = self._rng.expovariate(1 / _STAYS) if self._is_restless else float("inf")
        try:
            writer.write(f"VERSION:1:CONNECT:{self.stream.fan}:MATCH:{self.stream.match}\n".encode())
            heard = 0
            while data := await reader.read(65536):
                for element in frames.feed(data):
                    self._take(element)
                    heard += isinstance(element, Frame)
                if self.stream.is_over:
                    return
                if heard > leaves_after:
                    end_segment(self.stream, End.LEFT)
                    return
        except FrameError as error:
            self.stream.garbled.append(str(error))
        finally:
            writer.close()

    def _take(self, element: Line | ErrorLine | Frame) -> None:
        if isinstance(element, ErrorLine):
            self.stream.errors.append(element.message)
        elif isinstance(element, Frame):
            take_frame(self.stream, element)


def take_frame(stream: Stream, frame: Frame) -> None:
    """Put a frame where it belongs: a status begins a segment, all else goes on with the last one."""
    if frame.kind == "status":
        end_segment(stream, End.ANEW)
        home, visit = (int(str(frame.details[key])) for key in ("home_score", "visit_score"))
        is_over = frame.details["period"] == "ended"
        stream.segments.append(Segment(stream.fan, stream.match, home, visit, is_over))
    elif not stream.segments or stream.segments[-1].end is not End.OPEN:
        stream.garbled.append(f"{frame.kind} where a status should be: {frame.details}")
    else:
        stream.segments[-1].heard.append(str(frame.details.get("comment", f"a {frame.kind} without comment")))
    if frame.kind == "stop" or (frame.kind == "status" and stream.segments[-1].is_over):
        end_segment(stream, End.OVER)


def end_segment(stream: Stream, end: End) -> None:
    """Say how the last segment ended, if it has not ended already."""
    if stream.segments and stream.segments[-1].end is End.OPEN:
        stream.segments[-1].end = end
