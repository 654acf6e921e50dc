"""What the store needs of a connection to one Redis, whether an endpoint makes it by its URL or a shard by its slot."""

from collections.abc import Iterable
from typing import Any, Protocol

Argument = str | bytes | int
"""A word of a command."""

ClusterServer = tuple[str, int]
"""Host and port of one Redis of a cluster."""


class RedisConnection(Protocol):
    """What is used of redis-py's connections, which have no type annotations of their own."""

    @property
    def is_connected(self) -> bool:
        """Whether it is made, as far as is known."""
        ...

    async def connect(self) -> None:
        """Make it, log in and choose the database."""
        ...

    async def disconnect(self, nowait: bool = False) -> None:
        """Close it; with `nowait` without waiting until it is closed."""
        ...

    async def can_read(self) -> bool:
        """Return whether there is something to read, an end of the stream included."""
        ...

    def pack_commands(self, commands: Iterable[Iterable[Argument]]) -> list[bytes]:
        """Return commands as they go over the wire."""
        ...

    async def send_packed_command(self, command: Iterable[bytes]) -> None:
        """Write; wait while too much is unsent."""
        ...

    async def read_response(self) -> Any:
        """Return the next answer. Raise RedisError; of those ResponseError, and go on, if that is what was answered."""
        ...
