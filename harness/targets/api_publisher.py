"""The API of this project's servers: matches are announced and kicked off there, and events posted."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from common.domain.events import Event
from common.domain.posts import Post
from common.http.client import ApiError, ApiUnreachableError, ReporterClient, fresh_key
from harness.interruption import run_interruptibly
from harness.load.match import MatchPlan
from harness.targets.publisher import AnnounceError


@dataclass(frozen=True, slots=True)
class KeyedPoster:
    """Posts events by `client`, each under a key of its own.

    A post that is answered with "try again" is sent again, once and under its key: so an event that the server has
    stored, and could not say so, is accepted after all, and never stored twice.
    """

    client: ReporterClient

    async def post_event(self, match_id: str, post: Post) -> Event:
        """Post an event. Raise ApiError, ApiUnreachableError."""
        key = fresh_key()
        try:
            return await self.client.post_event(match_id, post, key=key)
        except ApiError as error:
            if not error.may_pass:
                raise
        return await self.client.post_event(match_id, post, key=key)


@dataclass(frozen=True, slots=True)
class ApiPublisher:
    """The API at `url`, and the token that lets a reporter post there.

    `others` are further URLs of the same server, as far as they are known: of its other nodes, or of the same one.
    `trust` says whom to believe at an https:// URL, None: whom this machine trusts.
    """

    url: str
    token: str
    others: tuple[str, ...] = ()
    trust: ssl.SSLContext | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """All URLs of the server."""
        return (self.url, *self.others)

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """An answer that refuses, and none at all."""
        return (ApiError, ApiUnreachableError)

    @property
    def closes_fans(self) -> bool:
        """A match that is over closes its fans."""
        return True

    def client(self) -> ReporterClient:
        """Return a client of the API, to be opened with `async with`."""
        return ReporterClient(self.url, self.token, trust=self.trust)

    @contextlib.contextmanager
    def announced(self, match: MatchPlan) -> Iterator[None]:
        """Have the match announced and kicked off inside, and gone from the server afterwards. Raise AnnounceError."""
        # Nobody else has a match with a random id. That of a script may be another's until it was announced.
        is_ours = match.asked.script is None
        try:
            run_interruptibly(self._announce(match))
            is_ours = True
            run_interruptibly(self._kick_off(match))
            yield
        finally:
            if is_ours:
                with contextlib.suppress(*self.refusals):  # a server that ended has no match any more
                    run_interruptibly(self._cancel(match))

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[KeyedPoster]:
        """Return a poster whose client has spoken with the server once, if it answers."""
        async with self.client() as client:
            with contextlib.suppress(*self.refusals):
                await client.checkin()
            yield KeyedPoster(client)

    async def _announce(self, match: MatchPlan) -> None:
        try:
            async with self.client() as client:
                for team in match.teams:
                    await client.put_team(team)
                await client.create_match(match.match)
        except ApiError as error:
            if error.status == 409:
                raise AnnounceError(
                    f"the match {match.match.id} is there already: wait until it is over, or cancel it with "
                    f"DELETE {self.url}/1/match/{match.match.id}"
                ) from error
            raise AnnounceError(f"the match {match.match.id} cannot be announced: {error}") from error
        except ApiUnreachableError as error:
            raise AnnounceError(str(error)) from error

    async def _kick_off(self, match: MatchPlan) -> None:
        try:
            async with self.client() as client:
                await KeyedPoster(client).post_event(match.match.id, match.kickoff)
        except self.refusals as error:
            raise AnnounceError(f"the match {match.match.id} cannot be started: {error}") from error

    async def _cancel(self, match: MatchPlan) -> None:
        async with self.client() as client:
            await client.cancel_match(match.match.id)
