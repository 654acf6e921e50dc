"""A server that runs already, here or elsewhere: this project's, or one that speaks its protocol."""

import os

from common.addresses import HttpUrl
from common.http.client import ApiError, ApiUnreachableError
from common.http.token import TokenError, client_token
from harness.interruption import run_interruptibly
from harness.load.workload import Dialogue, Endpoint
from harness.targets.api_publisher import ApiPublisher
from harness.targets.running import RunningTarget
from harness.targets.target import TargetError, match_stream_dialogue, parse_address, parse_http_url


class AddressTarget(RunningTarget):
    """The server at `HOST:PORT[-PORT]`, and its API at `http_url` if events are to be posted.

    The token is taken from MATCHSTREAM_TOKEN, or from the file that a server of the same user on this machine keeps.
    Raise TargetError if the address or URL is none.
    """

    def __init__(self, address: str, http_url: str | None) -> None:
        super().__init__(address, parse_address(address))
        self._http_url = http_url
        self._http = None if http_url is None else parse_http_url(http_url, "an API")
        self._api: ApiPublisher | None = None

    @property
    def publishes(self) -> bool:
        """Whether the API's URL was given."""
        return self._http_url is not None

    @property
    def publisher(self) -> ApiPublisher | None:
        """The API, if its URL was given."""
        return self._api

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return a fan's part in the stages' protocol."""
        return match_stream_dialogue(match_id)

    def _try(self, first: Endpoint) -> None:
        """Make sure that the API answers, too."""
        if self._http_url is not None and self._http is not None:
            self._api = _reach_api(self._http_url, self._http)


def _reach_api(url: str, parsed: HttpUrl) -> ApiPublisher:
    try:
        api = ApiPublisher(url, client_token(os.environ, parsed.host, parsed.port))
    except TokenError as error:
        raise TargetError(str(error)) from error

    async def ask() -> None:
        async with api.client() as client:
            await client.checkin()

    try:
        run_interruptibly(ask())
    except (ApiError, ApiUnreachableError) as error:
        raise TargetError(str(error)) from error
    return api
