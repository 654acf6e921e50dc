"""Servers that speak TLS: who is believed to be the one that was named, and what is said of one that is not."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from common.addresses import HttpUrl
from common.http.client import TRUST_IT
from harness.load.tls import trusting, words_of
from harness.targets.target import TargetError, parse_http_url

CONNECT_TIMEOUT_S = 10.0
TRUST_BY_OPTION = "give --ca FILE to trust who signed it, or --insecure to verify nothing"


def reach_url(url: str, parsed: HttpUrl, trust: ssl.SSLContext, remedy: str) -> None:
    """Connect to the server of a URL, by TLS where that says so.

    Raise TargetError if nobody is there, or not whom `trust` believes, for which `remedy` says what to do.
    """
    try:
        with (
            socket.create_connection((parsed.host, parsed.port), CONNECT_TIMEOUT_S) as plain,
            tls_explained(url, remedy),
        ):
            if parsed.is_secure:
                trust.wrap_socket(plain, server_hostname=parsed.host).close()
    except OSError as error:
        raise TargetError(f"nobody answers at {url} ({error}): check the address, and that the server runs") from error


@contextmanager
def tls_explained(url: str, remedy: str) -> Iterator[None]:
    """Have an error of TLS be a TargetError that says why, and for whom is not believed the `remedy`."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise TargetError(f"{url}: certificate verify failed: {error.verify_message}: {remedy}") from error
    except ssl.SSLError as error:
        raise TargetError(f"{url}: the server there speaks no TLS ({words_of(error)}): check the address") from error


def refuse_untrusted(url: str) -> None:
    """Raise TargetError if a URL that events are to be posted to is an https:// one whose server is not trusted."""
    parsed = parse_http_url(url, "publish")
    if parsed.is_secure:
        reach_url(url, parsed, trusting(None, insecure=False), TRUST_IT)
