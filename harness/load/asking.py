"""Asks a server's API while fans come and events flow, as somebody does who only wants to know the score.

The load is open, as that of the fans: a question has its moment, and counts from there, also where the one before it
took longer than that. They are asked one after the other, so a server that stalls is not asked more and more.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

QUESTIONS_PER_S: Final = 20.0


@dataclass(slots=True)
class Answers:
    """How long each answer took from the moment of its question, in seconds, and how many questions got none."""

    took_s: array[float] = field(default_factory=lambda: array("d"))
    failed: int = 0


async def ask_on(ask: Callable[[], Awaitable[object]], refusals: tuple[type[Exception], ...], answers: Answers) -> None:
    """Ask `QUESTIONS_PER_S` times a second until cancelled; an error of a type in `refusals` is no answer."""
    due_s = time.monotonic()
    while True:
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        try:
            await ask()
        except refusals:
            answers.failed += 1
        else:
            answers.took_s.append(time.monotonic() - due_s)
        due_s += 1 / QUESTIONS_PER_S
