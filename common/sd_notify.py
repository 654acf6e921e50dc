"""What a service tells systemd of itself: sd_notify(3), a datagram to the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_log = logging.getLogger(__name__)

_VARIABLE: Final = "NOTIFY_SOCKET"
_PATIENCE_S: Final = 5.0
"""How long a manager may be that does not read, before it is not told."""


class ServiceManager:
    """Who started this process as a service and waits for its word; without one nobody is told anything."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self:
        """Return the one that the environment names, and have children not know of it: it waits for this process."""
        return cls(environ.pop(_VARIABLE, None) or None)

    def tell_ready(self, status: str) -> None:
        """Say that this service serves, and in one line what `systemctl status` is to show of it."""
        self._tell(f"READY=1\nSTATUS={status}")

    def tell_stopping(self) -> None:
        """Say that it has begun to end."""
        self._tell("STOPPING=1")

    def _tell(self, what: str) -> None:
        """Send it. A manager that cannot be told is a line in the log, and told no more: whoever serves goes on."""
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(_PATIENCE_S)
                sock.sendto(what.encode(), _unix_address(self._address))
        except OSError as error:
            told = what.partition("\n")[0]
            _log.warning("systemd cannot be told %s at %s=%s: %s", told, _VARIABLE, self._address, error)
            self._address = None


def _unix_address(address: str) -> str:
    """Return it as socket(2) has it: one in the abstract namespace begins with a zero byte (unix(7)), written as @."""
    if not address.startswith(("/", "@")):
        raise OSError("it is neither an absolute path nor begins with @")
    return f"\0{address[1:]}" if address.startswith("@") else address
