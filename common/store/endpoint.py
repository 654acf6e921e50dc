"""Where a Redis is: its URL read, connections to it made, and what to say of one that does not answer as it should."""

import socket
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import ConnectionPool
from redis.exceptions import AuthenticationError, MovedError, NoPermissionError, RedisError, ResponseError

from common.store.connection import ClusterServer, RedisConnection
from common.store.errors import RedisUrlError
from common.store.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLUSTER_SUFFIX = "+cluster"
"""What is added to the scheme of a URL whose server belongs to a cluster (`common.store.cluster` finds out)."""

_URL_FORMS = (
    "write redis://[USER:PASSWORD@]HOST:PORT/DB, rediss://… for TLS, or unix:///PATH; "
    "in a password write % as %25, # as %23, / as %2F, ? as %3F and @ as %40"
)


class RedisEndpoint:
    """The Redis at `url`; making a connection takes at most `connect_timeout` seconds. Raise RedisUrlError.

    What is sent and not acknowledged by Redis's host within that time is given up with the connection. Else the kernel
    goes on sending it when this program has closed the connection long since, and what its caller was told could not be
    done is done after all, when a line that was cut is whole again.
    """

    def __init__(self, url: str, connect_timeout: float) -> None:
        scheme, colon, rest = url.partition(":")
        factory = _factory(scheme.removesuffix(CLUSTER_SUFFIX) + colon + rest, connect_timeout)
        self._make_connection: Callable[[], RedisConnection] = factory.make_connection
        self._connection_class: Callable[..., RedisConnection] = factory.connection_class
        self._options: Mapping[str, Any] = factory.connection_kwargs
        self._shard: Shard | None = None
        self.tag = ""
        """What all keys and channels begin with (`common.store.keys`); empty but in a cluster."""
        if scheme.endswith(CLUSTER_SUFFIX):
            self.tag = f"{{{self._options.get('db', 0)}}}"
            self._shard = Shard(self._connection_to, self.server, self.tag)

    @property
    def address(self) -> str:
        """Where Redis is: `HOST:PORT` or the path of its socket, never with a password."""
        if "path" in self._options:
            return str(self._options["path"])
        host, port = self.server
        return f"{host}:{port}"

    @property
    def server(self) -> ClusterServer:
        """The host and port of the URL, if it has none of a socket."""
        return self._options.get("host", "localhost"), self._options.get("port", 6379)

    def connection(self) -> RedisConnection:
        """Return a new connection, which is not made yet; in a cluster it will be to the system's shard."""
        return self._make_connection() if self._shard is None else self._shard.connection()

    def first_connection(self) -> RedisConnection:
        """Return a new connection to the server of the URL itself, and to no database of it."""
        return self._connection_to(self.server)

    def _connection_to(self, server: ClusterServer) -> RedisConnection:
        host, port = server
        return self._connection_class(**{**self._options, "host": host, "port": port, "db": 0})

    def explain(self, error: Exception) -> str:
        """Return one line that says what went wrong and what to do, without the password."""
        # The error itself is not chained to what is raised: a traceback would show what is left out here.
        text = " ".join(str(error).split())
        if password := self._options.get("password"):  # Redis repeats the arguments of a command that it does not know
            text = text.replace(password, "***")
        if isinstance(error, (AuthenticationError, NoPermissionError)):
            return f"Redis at {self.address} refuses this user ({text}): put the right name and password into its URL"
        if isinstance(error, MovedError):
            return f"the cluster of Redis at {self.address} has moved slot {error.slot_id}: try again"
        if isinstance(error, ResponseError):
            return f"Redis at {self.address} refused a command ({text}): look at that server, then try again"
        return f"Redis at {self.address} cannot be reached ({text}): check its address and that it runs"


def _factory(url: str, connect_timeout: float) -> ConnectionPool:
    """Return what makes connections (redis-py's pool is used for nothing else). Raise RedisUrlError.

    redis-py passes over what it does not understand, and would then talk to a Redis that nobody named; hence the
    checks. Messages repeat nothing of the URL: where it is wrong it may hold the password in any place. That is also
    why a `#`, which begins a part that a URL of Redis does not have, is refused: in `redis://:12#3@HOST` the host is
    empty and 12 the port, and what cannot be reached would be named so. (RFC 3986, 3.2.1: in a password it is encoded.)
    """
    try:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            understood = parts.path not in {"", "/"} and not parts.hostname
        else:
            understood = parts.port != 0 and (parts.path.removeprefix("/") or "0").isdecimal()
        options = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        if not understood or "#" in url or not all(_is_url_option(name) for name in options):
            raise RedisUrlError(f"the URL of Redis cannot be understood: {_URL_FORMS}")
        factory = ConnectionPool.from_url(
            url,
            protocol=2,  # nothing is pushed between the answers, and a connection needs no greeting
            socket_timeout=None,
            socket_connect_timeout=connect_timeout,
            **({} if parts.scheme == "unix" else _gives_up_after(connect_timeout)),
        )
        make: Callable[[], object] = factory.make_connection
        make()  # connects nothing yet, but looks at the options
    except (ValueError, TypeError, RedisError):
        raise RedisUrlError(f"the URL of Redis cannot be understood: {_URL_FORMS}") from None
    return factory


def _gives_up_after(seconds: float) -> dict[str, Any]:
    """Return what has redis-py set TCP_USER_TIMEOUT (tcp(7), Linux) on its sockets."""
    if sys.platform != "linux":
        return {}
    return {"socket_keepalive": True, "socket_keepalive_options": {socket.TCP_USER_TIMEOUT: round(seconds * 1000)}}


def _is_url_option(name: str) -> bool:
    # Any other would change how this module talks to Redis, for example have it decode what it reads.
    return name in {"db", "username", "password"} or name.startswith("ssl_")
