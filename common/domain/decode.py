"""From JSON, or from plain objects such as TOML gives, to the domain's records; every refusal names its field.

msgspec checks types, ranges and unknown fields while it decodes; here its findings become the domain's errors, in
words that a reporter can act upon.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from common.domain.errors import BadJsonError, InvalidError
from common.domain.match import ONE_LINE, SHORT_NAME, NewMatch, Team
from common.domain.posts import KINDS, Post

_T = TypeVar("_T")

_POSTS: Final[msgspec.json.Decoder[Post]] = msgspec.json.Decoder(Post)
_TEAMS: Final = msgspec.json.Decoder(Team)
_NEW_MATCHES: Final = msgspec.json.Decoder(NewMatch)

# The shapes of msgspec's messages: "<what> - at `$.players[1].number`"; "Object missing required field `id`".
_WHERE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_NAMED: Final = re.compile(r"^Object (?P<fault>missing required|contains unknown) field `(?P<name>.*)`$", re.DOTALL)
_PATTERNS: Final = {
    f"`str` matching regex {SHORT_NAME!r}": "1 to 16 of a-z and 0-9",
    f"`str` matching regex {ONE_LINE!r}": "one line without control characters and direction marks",
}
_CHOICES: Final = {"kind": ", ".join(KINDS), "card": "yellow, red"}


def decode_post(data: bytes) -> Post:
    """Return the post that `data` (JSON) holds. Raise BadJsonError, InvalidError with `field`."""
    return _decode(_POSTS, data)


def decode_team(data: bytes) -> Team:
    """Return the team that `data` (JSON) holds. Raise BadJsonError, InvalidError with `field`."""
    return _decode(_TEAMS, data)


def decode_new_match(data: bytes) -> NewMatch:
    """Return the announcement that `data` (JSON) holds. Raise BadJsonError, InvalidError with `field`."""
    return _decode(_NEW_MATCHES, data)


def to_post(value: object) -> Post:
    """Return the post that `value` (dicts, lists, numbers, strings) describes. Raise InvalidError with `field`."""
    post: Post = _convert(value, Post)
    return post


def to_team(value: object) -> Team:
    """Return the team that `value` (dicts, lists, numbers, strings) describes. Raise InvalidError with `field`."""
    team: Team = _convert(value, Team)
    return team


def to_new_match(value: object) -> NewMatch:
    """Return the announcement that `value` (a dict; the date as text or date) describes. Raise InvalidError."""
    new: NewMatch = _convert(value, NewMatch)
    return new


def to_query(parameters: Mapping[str, str], into: type[_T]) -> _T:
    """Return the record that the parameters of a URL describe; all are text. Raise InvalidError with `field`."""
    query: _T = _convert(parameters, into, strict=False)
    return query


def _convert(value: object, into: Any, *, strict: bool = True) -> Any:
    try:
        return msgspec.convert(value, into, strict=strict)
    except msgspec.ValidationError as error:
        _refuse(error)


def _decode(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        _refuse(error)
    except msgspec.DecodeError as error:
        raise BadJsonError(f"this is not JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise BadJsonError("this is not JSON: its text is not UTF-8") from error
    except RecursionError as error:
        raise BadJsonError("this is not JSON that is wanted here: it is nested too deeply") from error


def _refuse(error: msgspec.ValidationError) -> NoReturn:
    """Raise `error` again as an InvalidError that knows its field and speaks to a reporter."""
    found = _WHERE.match(str(error))
    what, path = (found["what"], found["path"] or "") if found else (str(error), "")
    named = _NAMED.match(what)
    steps = [step for step in re.split(r"[.\[\]]", path) if step] + ([named["name"]] if named else [])
    field = ".".join(steps) or None
    if named:
        message = f"field {field} is {'missing' if named['fault'].startswith('missing') else 'not known here'}"
    else:
        message = f"{field}: {_in_words(what)}" if field else _in_words(what)
    if field in _CHOICES:
        message += f"; say one of {_CHOICES[field]}"
    raise InvalidError(" ".join(message.split()), field) from error


def _in_words(what: str) -> str:
    for pattern, words in _PATTERNS.items():
        what = what.replace(pattern, words)
    return what[:1].lower() + what[1:].replace("`", "")
