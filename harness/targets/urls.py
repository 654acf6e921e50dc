"""URLs that a user gave, split and checked once."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from harness.targets.target import TargetError


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """A URL of HTTP or HTTPS with a host; `port` is the scheme's own where the URL names none."""

    parts: SplitResult
    host: str
    port: int


def parse_http_url(text: str, of: str) -> HttpUrl:
    """Return what a URL says. Raise TargetError, which says that it is none of `of`, such as `an API`."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise TargetError(f"{text!r} is no URL of {of}: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise TargetError(f"{text!r} is no URL of {of}: write for example http://127.0.0.1:8888")
    return HttpUrl(parts, parts.hostname, port or (443 if parts.scheme == "https" else 80))
