"""What a client of the API may take: seconds, and connections. The figures are those of common web servers.

Whoever reads or posts needs none of it: a request is some hundred bytes, and its answer comes in milliseconds.
"""

from dataclasses import dataclass
from typing import Final

_FEWEST: Final = 16
_MOST: Final = 4096
_SHARE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many seconds each part of a request may take, and how many connections there may be at a time."""

    head_s: float = 10.0
    """From the connect, or the first byte of a later request, to the end of its head; however the bytes drop in."""
    body_s: float = 10.0
    """For all of the body: 64 KiB at most, over a slow line some seconds."""
    write_s: float = 20.0
    """For the client to take the next 48 KiB of an answer that it is behind with: 2.4 KiB a second."""
    idle_s: float = 75.0
    """Between two requests: longer than nginx in front keeps a connection (`stages.nginx`: 30 s), and browsers most."""
    linger_s: float = 2.0
    """For the rest of a body that nobody wants, and for a last answer to leave: to close at once would reset the
    connection, and the client would not see why (RFC 9112, 9.6)."""
    connections: int = _MOST


def most_connections(files: int) -> int:
    """Return how many connections the API of a process may have that may have `files` open: a quarter of them.

    The rest is for fans. 16 are enough for a reporter and some readers, and more than 4,096 nobody needs.
    """
    return max(_FEWEST, min(_MOST, files // _SHARE))
