"""A server that runs already, here or elsewhere: this project's, or one that speaks its protocol."""

import asyncio
import os

from common.http.client import ApiError, ApiUnreachableError
from common.http.token import TokenError, client_token
from harness.targets.api_publisher import ApiPublisher
from harness.targets.reach import Reached, reach
from harness.targets.target import TargetError, match_stream_dialogue, parse_address
from harness.targets.urls import parse_http_url
from harness.targets.variant import Variant
from harness.workload import Dialogue, Endpoint


class AddressTarget:
    """The server at `HOST:PORT[-PORT]`, and its API at `http_url` if events are to be posted.

    The token is taken from MATCHSTREAM_TOKEN, or from the file that a server of the same user on this machine keeps.
    Raise TargetError if the address or URL is none.
    """

    def __init__(self, address: str, http_url: str | None) -> None:
        self._address = address
        self._named = parse_address(address)
        self._http_url = http_url
        self._http_port = None if http_url is None else parse_http_url(http_url, "an API").port
        self._reached = Reached()
        self._api: ApiPublisher | None = None

    @property
    def name(self) -> str:
        """The address as it was given."""
        return self._address

    @property
    def variant(self) -> Variant | None:
        """None: which stage runs there, if any, is not known."""
        return None

    @property
    def peer(self) -> str | None:
        """None: the harness did not start it."""
        return None

    @property
    def publishes(self) -> bool:
        """Whether the API's URL was given."""
        return self._http_url is not None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The address's ports, on the host's first numeric address."""
        return self._reached.endpoints

    @property
    def publisher(self) -> ApiPublisher | None:
        """The API, if its URL was given."""
        return self._api

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of this machine that listen there."""
        return self._reached.pids

    def start(self) -> None:
        """Make sure that the first port and the API answer, and look for the server's processes. Raise TargetError."""
        self._reached = reach(self._named, self._address)
        if self._http_url is not None and self._http_port is not None:
            self._api = _reach_api(self._http_url, self._http_port)

    def stop(self) -> None:
        """Leave the server as it is."""

    def ended(self) -> str | None:
        """Tell a server that can be watched, and of which no process is left."""
        return self._reached.ended()

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return a fan's part in the stages' protocol."""
        return match_stream_dialogue(match_id)


def _reach_api(url: str, port: int) -> ApiPublisher:
    try:
        api = ApiPublisher(url, client_token(os.environ, port))
    except TokenError as error:
        raise TargetError(str(error)) from error

    async def ask() -> None:
        async with api.client() as client:
            await client.checkin()

    try:
        asyncio.run(ask())
    except (ApiError, ApiUnreachableError) as error:
        raise TargetError(str(error)) from error
    return api
