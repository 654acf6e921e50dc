"""The URL of a Redis as it is given to `matchstream serve`: itself, or `@FILE` for a file that has it.

It may hold a password. Everyone on a machine can read the command lines of its processes (proc(5), `cmdline`), but an
environment only its owner (`environ`); hence the file, the variable, and the warning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from common.store.errors import RedisUrlError

JOIN_VARIABLE: Final = "MATCHSTREAM_JOIN"
"""By which a parent tells its nodes."""


def read_redis_url(given: str) -> str:
    """Return the URL that is given, or the one line of the file that is. Raise RedisUrlError."""
    if not given.startswith("@"):
        return given
    path = given.removeprefix("@")
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no text"
        raise RedisUrlError(
            f"the URL of Redis cannot be read from {path} ({reason}): give a file that has it"
        ) from None
    if len(lines) != 1:
        raise RedisUrlError(f"{path} is to have the URL of Redis, and nothing else: write it on one line")
    return lines[0]


def shows_password(given: str) -> bool:
    """Whether a URL has a password in it, as far as it can be read."""
    try:
        parts = urlsplit(given)
    except ValueError:
        return False
    return bool(parts.password) or any(name.endswith("password") for name in parse_qs(parts.query))


def without_password(given: str) -> str:
    """Return a URL that Redis's client has understood without the passwords in it; what is no URL as it is."""
    scheme, is_url, rest = given.partition("://")
    if not is_url:
        return given
    before, _, query = rest.partition("?")
    user, at, place = before.rpartition("@")
    if at:
        before = f"{user.partition(':')[0]}:***@{place}" if ":" in user else before
    options = [_without_value(option) for option in query.split("&")]
    return f"{scheme}://{before}" + (f"?{'&'.join(options)}" if query else "")


def _without_value(option: str) -> str:
    name, _, _ = option.partition("=")
    return f"{name}=***" if unquote(name).endswith("password") else option
