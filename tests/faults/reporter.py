"""A reporter who retries as a good client would: the same key with every attempt at an event, until it is answered.

The header is that of the IETF's draft "The Idempotency-Key HTTP Header Field": a string, in quotes (RFC 8941, 3.3.3).
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from common.domain.events import Event
from common.domain.posts import Goal
from tests.faults.records import Posted
from tests.stages.serving import TOKEN

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from common.domain.match import NewMatch
    from common.domain.posts import Post

_AGAIN: Final = {409, 429, 502, 503, 504}
"""What does not say that the event was refused: another attempt is under way, or somebody cannot be had now."""
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_BETWEEN_EVENTS_S: Final = 0.05
_ATTEMPT_S: Final = (0.5, 1.0, 3.0, 8.0)
_PATIENCE_S: Final = (2.0, 20.0, 20.0)
"""How long a reporter tries to get an event answered, then it goes on to the next; some give up early."""


class Reporter:
    """Posts the events of a match to one of `urls` after the other: the next whenever one did not answer.

    How long it waits for an answer, and how long it tries, is drawn from `rng`. `posted` is all that it has to tell.
    """

    def __init__(
        self, name: str, new: NewMatch, urls: Sequence[str], session: aiohttp.ClientSession, rng: random.Random
    ) -> None:
        self._name = name
        self._new = new
        self._session = session
        self._rng = rng
        self._urls = itertools.cycle(rng.sample(urls, len(urls)))
        self._url = next(self._urls)
        self._attempt = aiohttp.ClientTimeout(total=rng.choice(_ATTEMPT_S))
        self._patience_s = rng.choice(_PATIENCE_S)
        self.posted: list[Posted] = []

    async def report(self, over: asyncio.Event) -> None:
        """Post goals until `over` is set."""
        for number in itertools.count(1):
            if over.is_set():
                return
            team, player = self._rng.choice(((self._new.home, 7), (self._new.visit, 10)))
            await self.post(Goal(team=team, player=player, comment=f"{self._name}-{number}"), self._patience_s)
            await asyncio.sleep(self._rng.uniform(0.0, 2 * _BETWEEN_EVENTS_S))

    async def post(self, post: Post, patience_s: float) -> Posted:
        """Post an event as often as it takes within so many seconds, once at least; keep and return the record."""
        clock = asyncio.get_running_loop().time
        deadline_s, pause_s, attempts = clock() + patience_s, _FIRST_PAUSE_S, 0
        while True:
            attempts += 1
            sent_s = clock()
            seq, refusal = await self._try(post)
            if seq is not None or refusal is not None or clock() > deadline_s:
                break
            self._url = next(self._urls)
            await asyncio.sleep(self._rng.uniform(pause_s / 2, pause_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self.posted.append(Posted(self._new.id, str(post.comment), seq, attempts, sent_s, clock(), refusal))
        return self.posted[-1]

    async def _try(self, post: Post) -> tuple[int | None, str | None]:
        """Return the number of the accepted event, or what it was refused with; neither, if it is to be tried again."""
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
            "Idempotency-Key": f'"{self._new.id}-{post.comment}"',
        }
        url = f"{self._url}/1/match/{self._new.id}/events"
        with suppress(aiohttp.ClientError, OSError):  # a timeout is an OSError, too
            async with self._session.post(
                url, data=msgspec.json.encode(post), headers=headers, timeout=self._attempt
            ) as answer:
                body = await answer.read()
                if answer.status == 201:
                    return msgspec.json.decode(body, type=Event).seq, None
                if answer.status not in _AGAIN:
                    return None, f"{answer.status} {body.decode(errors='replace')}"
        return None, None
