"""What is stored in the end, read from the API like anybody reads it, whole or in pages."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec
from yarl import URL

from common.domain.events import Event
from common.domain.match import Match
from tests.faults.records import FinalScore, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.1


class Archive:
    """Reads at one of `urls` after the other until one answers; fails, with TimeoutError, if none does for long."""

    def __init__(self, session: aiohttp.ClientSession, urls: Sequence[str]) -> None:
        self._session = session
        self._urls = [URL(url) for url in urls]

    async def history(self, match_id: str) -> tuple[Stored, ...]:
        """Return all events of a match. What an answer has under `next` leads to the next page, if it has that."""
        path = URL(f"/1/match/{match_id}/history")
        page = msgspec.json.decode(await self._read(path))
        entries: list[Any] = page["events"]
        while (following := page.get("next")) is not None:
            path = path.join(URL(following)) if isinstance(following, str) else path.update_query(after=following)
            page = msgspec.json.decode(await self._read(path))
            entries += page["events"]
        return stored(match_id, msgspec.convert(entries, list[Event]))

    async def final_score(self, match_id: str) -> FinalScore:
        """Return how the match stands."""
        match = msgspec.json.decode(await self._read(URL(f"/1/match/{match_id}")), type=Match)
        return FinalScore(match.id, match.seq, match.home_score, match.visit_score)

    async def _read(self, path: URL) -> bytes:
        async with asyncio.timeout(_PATIENCE_S):
            for url in itertools.cycle(self._urls):
                with suppress(aiohttp.ClientError, ConnectionError):
                    async with self._session.get(url.join(path)) as answer:
                        body = await answer.read()
                        if answer.status == 200:
                            return body
                await asyncio.sleep(_PAUSE_S)
        raise AssertionError("there is no URL to read from")


def stored(match_id: str, events: Iterable[Event]) -> tuple[Stored, ...]:
    """Return what the checker has to know of the events of a match."""
    home = match_id.partition("-")[0]
    return tuple(
        Stored(
            event.seq,
            str(event.details.get("comment", f"event {event.seq}, without a comment")),
            is_home_goal=event.kind == "goal" and event.details["team"] == home,
            is_visit_goal=event.kind == "goal" and event.details["team"] != home,
        )
        for event in events
    )
