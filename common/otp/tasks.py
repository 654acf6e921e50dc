"""What processes do with asyncio's tasks."""

from __future__ import annotations

import asyncio
from types import CoroutineType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable


def task_of(awaitable: Awaitable[Any], name: str) -> asyncio.Task[Any]:
    """Return a task of that name that awaits. The task is the coroutine's own, if it is one.

    So a coroutine whose task is cancelled before its first step does not count as one that was never awaited.
    """
    coroutine = awaitable if isinstance(awaitable, CoroutineType) else _awaiting(awaitable)
    return asyncio.create_task(coroutine, name=name)


def failure_of(task: asyncio.Task[Any]) -> BaseException | None:
    """Return what a task that is done has raised, a CancelledError too; None if it has returned."""
    try:
        return task.exception()
    except asyncio.CancelledError as error:
        return error


def was_cancelled(task: asyncio.Task[Any]) -> bool:
    """Return whether a task has ended because somebody cancelled it, and not what it waited for."""
    return task.cancelled() and task.cancelling() > 0


async def _awaiting(awaitable: Awaitable[Any]) -> Any:  # whatever that returns
    return await awaitable
