"""Copies of what Redis keeps: to go back to one of them, and to read later what was lost by that.

An append-only file is copied while it grows. What was answered before the copy began is in it, since it is synced
before every answer; the last command may be cut off, and Redis leaves that one out when it loads (aof-load-truncated).
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from common.store.redis_store import RedisStore
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.domain.events import Event

_NO_DATA: Final = ("*.sock", "*.log")


class Save:
    """What is in the `directory` of a Redis now; the copy is made in a new directory in `kept`."""

    def __init__(self, directory: Path, kept: Path) -> None:
        self._copy = Path(tempfile.mkdtemp(prefix="save-", dir=kept))
        self._copy_into(directory, self._copy)

    def put_back(self, directory: Path) -> None:
        """Make this all that a Redis, which does not run now, has in its directory."""
        for path in directory.iterdir():
            if not any(path.match(pattern) for pattern in _NO_DATA):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._copy_into(self._copy, directory)

    async def histories(self, match_ids: Sequence[str]) -> list[Sequence[Event]]:
        """Return the history of each match, as a Redis of its own reads it."""
        redis = RedisServer()
        await asyncio.to_thread(self.put_back, redis.directory)
        async with redis:
            store = RedisStore(redis.url)
            try:
                return [await store.history(match_id) for match_id in match_ids]
            finally:
                await store.close()

    def _copy_into(self, source: Path, target: Path) -> None:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_NO_DATA), dirs_exist_ok=True)
