"""Time, and the way to let it pass: of the machine, or in a test of the test's own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Clock:
    """Time in seconds from anywhere, and how to wait for some."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


REAL_CLOCK: Final = Clock()
