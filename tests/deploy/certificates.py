"""A certificate that only these tests trust, and who trusts it."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING, Final

from tests.needs import needs

if TYPE_CHECKING:
    from pathlib import Path

needs_openssl: Final = needs("openssl", "openssl")


class Certificate:
    """One for 127.0.0.1 with its key, signed by itself: in two files, and in one that has both.

    `trust` is for a client: it believes this one, and those that were there before it was renewed.
    """

    def __init__(self, directory: Path) -> None:
        self.chain = directory / "fullchain.pem"
        self.key = directory / "privkey.pem"
        self.both = directory / "both.pem"
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.renew()

    def renew(self) -> None:
        """Put another in its place, as whoever issues them does before it expires."""
        what = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1")
        whose = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        where = ("-keyout", str(self.key), "-out", str(self.chain))
        subprocess.run(["openssl", "req", *what, *whose, *where], check=True, capture_output=True)
        self.both.write_text(self.chain.read_text() + self.key.read_text())
        self.trust.load_verify_locations(self.chain)

    @property
    def server(self) -> ssl.SSLContext:
        """What a server that has it speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    @property
    def shown(self) -> bytes:
        """What a client is shown, in DER."""
        return ssl.PEM_cert_to_DER_cert(self.chain.read_text())
