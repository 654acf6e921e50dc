"""Publishing by HTTP: one request an event."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from common.domain.posts import Post
from harness.load.match import MatchPlan

ANSWER_TIMEOUT_S = 10.0
_GREETING_S = 1.0  # a server that says nothing to OPTIONS shall not hold a trial up
_EXCERPT_CHARACTERS = 200


class HttpRefusedError(Exception):
    """The server answered with a status that is none of success; the message has it and the answer's beginning."""


@dataclass(frozen=True, slots=True)
class HttpPublisher:
    """Sends `body(post)` to `url`; a status of 2xx accepts the event."""

    url: str
    body: Callable[[Post], bytes]
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    closes_fans: bool = False

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """A status that refuses, and no answer."""
        return (HttpRefusedError, aiohttp.ClientError, OSError)

    def announced(self, match: MatchPlan) -> contextlib.AbstractContextManager[None]:
        """There is nothing to announce."""
        return contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator["_HttpPoster"]:
        """Return a poster that has a connection, if the server keeps it after OPTIONS."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        async with aiohttp.ClientSession(headers=self.headers, timeout=timeout) as session:
            with contextlib.suppress(*self.refusals):
                async with session.options(self.url, timeout=aiohttp.ClientTimeout(total=_GREETING_S)):
                    pass
            yield _HttpPoster(self, session)


class _HttpPoster:
    def __init__(self, publisher: HttpPublisher, session: aiohttp.ClientSession) -> None:
        self._publisher = publisher
        self._session = session

    async def post_event(self, match_id: str, post: Post) -> None:
        asked = self._publisher
        async with self._session.request(asked.method, asked.url, data=asked.body(post)) as answer:
            said = await answer.text(errors="replace")
            if not 200 <= answer.status < 300:
                raise HttpRefusedError(f"{' '.join(said.split())[:_EXCERPT_CHARACTERS]} (HTTP {answer.status})".strip())
