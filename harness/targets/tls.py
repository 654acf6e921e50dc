"""Servers at https:// URLs: who is believed to be the one that was named, and what is said of one that is not."""

import socket
import ssl
from pathlib import Path

from common.addresses import HttpUrl
from common.http.client import TRUST_IT
from harness.targets.target import TargetError, parse_http_url

CONNECT_TIMEOUT_S = 10.0


def trusting(ca: Path | None, *, insecure: bool) -> ssl.SSLContext:
    """Return what trusts those in the bundle `ca`, whom this machine trusts if that is None, or anybody if `insecure`.

    Raise TargetError for a file that is no bundle of certificates in PEM.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise TargetError(f"{ca}: has no certificate ({_words(error)}): give --ca a file of them in PEM") from error
    except OSError as error:
        raise TargetError(f"{ca}: cannot be read ({error.strerror}): give --ca a file in PEM") from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def reach_url(url: str, parsed: HttpUrl, trust: ssl.SSLContext, remedy: str) -> None:
    """Connect to the server of a URL, by TLS where that says so.

    Raise TargetError if nobody is there, or not whom `trust` believes, for which `remedy` says what to do.
    """
    try:
        with socket.create_connection((parsed.host, parsed.port), CONNECT_TIMEOUT_S) as plain:
            if parsed.parts.scheme == "https":
                trust.wrap_socket(plain, server_hostname=parsed.host).close()
    except ssl.SSLCertVerificationError as error:
        raise TargetError(f"{url}: certificate verify failed: {error.verify_message}: {remedy}") from error
    except ssl.SSLError as error:
        raise TargetError(f"{url}: the server there speaks no TLS ({_words(error)}): check the address") from error
    except OSError as error:
        raise TargetError(f"nobody answers at {url} ({error}): check the address, and that the server runs") from error


def refuse_untrusted(url: str) -> None:
    """Raise TargetError if a URL that events are to be posted to is an https:// one whose server is not trusted."""
    parsed = parse_http_url(url, "publish")
    if parsed.parts.scheme == "https":
        reach_url(url, parsed, trusting(None, insecure=False), TRUST_IT)


def _words(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in words: `no certificate or crl found`."""
    return (error.reason or str(error)).replace("_", " ").lower()
