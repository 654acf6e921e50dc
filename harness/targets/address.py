"""A server that runs already, here or elsewhere: this project's, or one that speaks its protocol."""

import asyncio
import os
import socket
from urllib.parse import urlsplit

import psutil

from common.http.client import ApiError, ApiUnreachableError
from common.http.token import TokenError, client_token
from harness.targets.api_publisher import ApiPublisher
from harness.targets.target import TargetError, match_stream_dialogue, parse_address
from harness.targets.variant import Variant
from harness.workload import Dialogue, Endpoint

REACH_TIMEOUT_S = 5.0


class AddressTarget:
    """The server at `HOST:PORT[-PORT]`, and its API at `http_url` if events are to be posted.

    The token is taken from MATCHSTREAM_TOKEN, or from the file that a server of the same user on this machine keeps.
    Raise TargetError if the address or URL is none.
    """

    def __init__(self, address: str, http_url: str | None) -> None:
        self._address = address
        self._named = parse_address(address)
        self._http_url = http_url
        self._http_port = None if http_url is None else _port(http_url)
        self._endpoints: tuple[Endpoint, ...] = ()
        self._api: ApiPublisher | None = None
        self._pids: tuple[int, ...] = ()

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
        return self._endpoints

    @property
    def publisher(self) -> ApiPublisher | None:
        """The API, if its URL was given."""
        return self._api

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of this machine that listen there."""
        return self._pids

    def start(self) -> None:
        """Make sure that the first port and the API answer, and look for the server's processes. Raise TargetError."""
        first = self._named[0]
        try:
            with socket.create_connection((first.host, first.port), timeout=REACH_TIMEOUT_S) as reached:
                host = reached.getpeername()[0]
                is_here = host == reached.getsockname()[0] or Endpoint(host, first.port).is_loopback
        except OSError as error:
            reason = error.strerror or error
            raise TargetError(f"nobody answers at {self._address} ({reason}): is the server running there?") from error
        self._endpoints = tuple(Endpoint(host, at.port) for at in self._named)
        self._pids = _listening(frozenset(at.port for at in self._endpoints)) if is_here else ()
        if self._http_url is not None and self._http_port is not None:
            self._api = _reach_api(self._http_url, self._http_port)

    def stop(self) -> None:
        """Leave the server as it is."""

    def ended(self) -> str | None:
        """Tell a server that can be watched, and of which no process is left."""
        if self._pids and not any(psutil.pid_exists(pid) for pid in self._pids):
            return "the server's processes ended"
        return None

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return a fan's part in the stages' protocol."""
        return match_stream_dialogue(match_id)


def _port(url: str) -> int:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TargetError(f"{url!r} is no URL of an API: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise TargetError(f"{url!r} is no URL of an API: write for example http://127.0.0.1:8888")
    return port or (443 if parts.scheme == "https" else 80)


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


def _listening(ports: frozenset[int]) -> tuple[int, ...]:
    try:
        sockets = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ()
    pids = {at.pid for at in sockets if at.status == psutil.CONN_LISTEN and at.laddr and at.laddr.port in ports}
    return tuple(sorted(pid for pid in pids if pid is not None))
