"""The terms of a write, read from a request's headers: `Idempotency-Key` and `If-Match`.

* `Idempotency-Key: "8e03978e-40d5"`, once: a string of RFC 8941 (3.3.3), as
  https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ has it. Many clients send the bare word,
  so that is taken, too. The request's fingerprint is of its method, its path, and what its body says, not how.
* `If-Match: "7-1315681200000000"`: entity tags (RFC 9110, 8.8.3, 13.1.1), of which one must be the match's, as GET
  answers it. A tag that is a bare number, `"7"`, is that of any match with so many events: a reporter knows it from the
  answer to its last post. `*` asks only that there be a match. Weak tags never match.

The precondition is checked before the rules, although RFC 9110 (13.2.1) would have a request that is refused anyway
refused for that: the rules would judge a match that the reporter does not know.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec
from aiohttp import web

from common.domain.errors import DomainError
from common.store.terms import Terms

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
IF_MATCH: Final = "If-Match"
MAX_KEY: Final = 128
"""Characters of a key."""

_STRING: Final = r'"((?:[ !#-\[\]-~]|\\["\\])+)"'
_WORD: Final = r"[!#-+\--:<-\[\]-~]+"  # visible ASCII without quote, backslash, comma and semicolon
_TAG: Final = r'(?:W/)?"[!#-~]*"'
_TAGS: Final = rf"{_TAG}(?:[ \t]*,[ \t]*{_TAG})*"

KEY_PATTERN: Final = f"^(?:{_STRING}|{_WORD})$"
EXPECTED_PATTERN: Final = rf"^(?:\*|{_TAGS})$"
"""What the headers look like, for their description."""


class TermsError(DomainError):
    """A header cannot be read; the message says how it is written, `field` is its name."""


class KeyInUseError(DomainError):
    """A request under the same key is being worked on."""


def read_terms(request: web.Request, body: object = None) -> Terms:
    """Return the terms of a request whose body says `body`. Raise TermsError."""
    key = parse_key(request.headers.getall(IDEMPOTENCY_KEY, ()))
    expected = parse_expected(request.headers.getall(IF_MATCH, ()))
    fingerprint = _fingerprint(request.method, request.path, body) if key else ""
    return Terms(key, fingerprint, expected, lambda: request.transport is None or request.transport.is_closing())


def parse_key(given: Sequence[str]) -> str:
    """Return the key in the values of `Idempotency-Key`, empty if there are none. Raise TermsError."""
    if not given:
        return ""
    key = _unquoted(given[0].strip(" \t")) if len(given) == 1 else ""
    if not 0 < len(key) <= MAX_KEY:
        message = f"write one key, a string of 1 to {MAX_KEY} ASCII characters"
        raise TermsError(f'{message}: {IDEMPOTENCY_KEY}: "8e03978e-40d5"', IDEMPOTENCY_KEY)
    return key


def parse_expected(given: Sequence[str]) -> tuple[str, ...]:
    """Return the entity tags in the values of `If-Match`, without their quotes, none for `*`. Raise TermsError."""
    listed = ", ".join(given).strip(" \t")
    if not given or listed == "*":
        return ()
    if not re.fullmatch(_TAGS, listed):
        raise TermsError('If-Match is the ETag of the match, or how many events it has: If-Match: "7"', IF_MATCH)
    return tuple(tag.replace('"', "") for tag in re.findall(_TAG, listed))


def _unquoted(value: str) -> str:
    """Return what a string or a bare word stands for, empty if it is neither."""
    if quoted := re.fullmatch(_STRING, value):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    return value if re.fullmatch(_WORD, value) else ""


def _fingerprint(method: str, path: str, body: object) -> str:
    said = msgspec.json.encode((method, path, body))
    return hashlib.blake2b(said, digest_size=16).hexdigest()
