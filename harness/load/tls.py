"""TLS, by the standard library: whom fans trust, and their side of it, Sans-I/O (ssl.MemoryBIO)."""

from __future__ import annotations

import ssl
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from harness.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.load.workload import Tls

_RECORD: Final = 16 * 1024  # bytes that a record has at most (RFC 8446, section 5.1)


class TrustError(HarnessError):
    """A file is to say whom to trust, and does not."""


def trusting(ca: Path | None, *, insecure: bool) -> ssl.SSLContext:
    """Return what trusts those in the bundle `ca`, whom this machine trusts if that is None, or anybody if `insecure`.

    Raise TrustError for a file that is no bundle of certificates in PEM.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise TrustError(f"{ca}: has no certificate ({words_of(error)}): give --ca a file of them in PEM") from error
    except OSError as error:
        raise TrustError(f"{ca}: cannot be read ({error.strerror}): give --ca a file in PEM") from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def words_of(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in words: `no certificate or crl found`."""
    return (error.reason or str(error)).replace("_", " ").lower()


class TlsState(Enum):
    """How a connection is, as far as was read."""

    OPEN = auto()
    CLOSED = auto()
    """The server said that it closes."""
    BROKEN = auto()
    """It sent what is no record of this connection."""


class TlsConnections:
    """The fans' sides of their connections, from `begin` to `forget`. What is returned as `to_send` must be sent.

    Memory: OpenSSL takes some tens of kilobytes for each.
    """

    __slots__ = ("_context", "_of", "_server_name")

    def __init__(self, tls: Tls) -> None:
        self._context = trusting(tls.ca, insecure=tls.insecure)
        self._server_name = tls.server_name
        self._of: dict[int, tuple[ssl.MemoryBIO, ssl.MemoryBIO, ssl.SSLObject]] = {}

    def begin(self, fan: int) -> bytes:
        """Return what a fan sends first."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._of[fan] = (
            incoming,
            outgoing,
            self._context.wrap_bio(incoming, outgoing, server_hostname=self._server_name),
        )
        return self.shake(fan, b"")[1]

    def shake(self, fan: int, data: bytes) -> tuple[bool, bytes]:
        """Go on with the handshake; return whether it is over, and to_send. Raise ssl.SSLError if it fails."""
        incoming, outgoing, connection = self._of[fan]
        incoming.write(data)
        try:
            connection.do_handshake()
        except ssl.SSLWantReadError:
            return False, outgoing.read()
        return True, outgoing.read()

    def read(self, fan: int, data: bytes) -> tuple[bytes, TlsState, bytes]:
        """Return what `data` says, how the connection is after that, and to_send."""
        incoming, outgoing, connection = self._of[fan]
        incoming.write(data)
        parts = []
        state = TlsState.OPEN
        try:
            while part := connection.read(_RECORD):
                parts.append(part)
            state = TlsState.CLOSED  # of which an SSLObject tells as a file does of its end
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            state = TlsState.BROKEN
        return b"".join(parts), state, outgoing.read()

    def write(self, fan: int, text: bytes) -> bytes:
        """Return how a fan says that: to_send."""
        _, outgoing, connection = self._of[fan]
        if text:
            connection.write(text)
        return outgoing.read()

    def forget(self, fan: int) -> None:
        """Drop the connection of a fan that is over."""
        self._of.pop(fan, None)
