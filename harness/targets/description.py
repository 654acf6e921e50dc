r"""A server that speaks something else, described: on the command line, or in a TOML file.

    address = "tcp://127.0.0.1:7000"        # or http://HOST:PORT/PATH, an event stream
    hello = 'SUB news {user}\r\n'           # a fan's one line
    welcome_end = '\n'                      # how the greeting ends; left out: the server does not speak first
    answer_end = '+OK\r\n'                  # how the first answer ends
    mark = 'event #'                        # what stands before an event's number
    error_start = '-ERR'                    # how a refusal begins; left out: it has no such line
    closes_fans = false                     # whether the server closes its fans after the last event

    [publish]                               # left out: only N, C and ART are measured
    url = "http://127.0.0.1:7001/news"      # gets one request an event
    method = "POST"
    headers = { Content-Type = "text/plain" }
    body = "event #{mark}"                  # {mark} becomes the event's number

Over HTTP the answer is the status 200 and the end of the head; any other status is a refusal. `answer_end`, if it is
given, is looked for in the body; until then a line of it may begin with `error_start`. An event's number is looked for
in its data, as a browser would hand them over, so `mark` has no `data: ` before it; where the body is not of the type
text/event-stream, anywhere in it. An event of lines may end right after its number.

In the texts of the dialogue `\r`, `\n`, `\t`, `\0`, `\\` and `\xNN` stand for bytes, as in C; in TOML they are written
in single quotes, which leave them as they are.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlunsplit

import msgspec

from common.addresses import join
from common.domain.posts import Post
from harness.load.workload import Dialogue, Endpoint, InvalidDialogueError, Protocol
from harness.targets.http_publisher import HttpPublisher
from harness.targets.payload import number_of
from harness.targets.target import TargetError, parse_address, parse_http_url

_ESCAPE: Final = re.compile(rb"\\(x[0-9a-fA-F]{2}|.|$)", re.DOTALL)
_NAMED: Final = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\", b"'": b"'", b'"': b'"'}
DEFAULT_MARK: Final = "#"
_MARK: Final = "{mark}"
_Token = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")]  # RFC 9110, section 5.6.2
_OneLine = Annotated[str, msgspec.Meta(pattern=r"^[^\r\n\x00]*\Z")]


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an event is posted: one request each, in whose body `{mark}` becomes its number."""

    url: str
    body: str
    method: _Token = "POST"
    headers: dict[_Token, _OneLine] = {}


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server as it was described, texts as they were written. None is what the kind of its address has by default."""

    address: str
    hello: str | None = None
    welcome_end: str = ""
    answer_end: str | None = None
    mark: str = DEFAULT_MARK
    error_start: str | None = None
    closes_fans: bool = False
    publish: Publish | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """The same, checked: where fans connect, what they say, and who takes the events, if anyone does."""

    named: tuple[Endpoint, ...]
    dialogue: Dialogue
    publisher: HttpPublisher | None


def load_description(path: Path) -> Description:
    """Return the description in a file. Raise TargetError, which names the file and what is wrong in it."""
    try:
        return msgspec.toml.decode(path.read_bytes().removeprefix(BOM_UTF8), type=Description)
    except OSError as error:
        raise TargetError(f"{path}: cannot be read: {error.strerror}; give the path of a description") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TargetError(f"{path}: {error}") from error


def check(description: Description, name: str) -> Described:
    """Return what a description means. Raise TargetError, which begins with `name`, for what makes no sense."""
    address = description.address
    kind = _stream(address) if address.startswith(("http://", "https://")) else _lines(address)
    hello = kind.hello if description.hello is None else description.hello
    if hello is None:
        raise TargetError(f"{name}: what does a fan say there? give --hello, or hello in the file that describes it")
    try:
        dialogue = Dialogue(
            hello=unescape(hello),
            welcome_end=unescape(description.welcome_end),
            answer_end=unescape(kind.answer_end if description.answer_end is None else description.answer_end),
            mark=unescape(description.mark),
            error_start=unescape(description.error_start or ""),
            protocol=kind.protocol,
        )
    except InvalidDialogueError as error:
        raise TargetError(f"{name}: {error}") from error
    return Described(kind.named, dialogue, _publisher(description, name))


def unescape(text: str) -> bytes:
    r"""Return the bytes of a text in UTF-8, in which `\r`, `\xNN` and so on stand for one. Raise TargetError."""

    def byte(found: re.Match[bytes]) -> bytes:
        escape = found[1]
        if len(escape) == 3:
            return bytes.fromhex(escape[1:].decode())
        if escape not in _NAMED:
            raise TargetError(rf"{text!r} has a backslash that means nothing: write \r, \n, \t, \0, \\ or \xNN")
        return _NAMED[escape]

    return _ESCAPE.sub(byte, text.encode())


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the kind of an address says of a server, unless the description says something else."""

    named: tuple[Endpoint, ...]
    hello: str | None
    answer_end: str
    protocol: Protocol


def _lines(address: str) -> _Kind:
    return _Kind(parse_address(address.removeprefix("tcp://")), hello=None, answer_end="\n", protocol=Protocol.LINES)


def _stream(url: str) -> _Kind:
    """Ask for a stream by GET; the answer is the status 200, and the fan of whoever says anything else has failed."""
    asked = parse_http_url(url, "a stream")
    if asked.parts.scheme == "https":
        raise TargetError(f"{url}: fans speak no TLS: give the http:// address behind it")
    target = urlunsplit(("", "", asked.parts.path or "/", asked.parts.query, "")).replace("\\", "%5C")
    hello = rf"GET {target} HTTP/1.1\r\nHost: {join(asked.host, asked.port)}\r\nAccept: text/event-stream\r\n\r\n"
    return _Kind((Endpoint(asked.host, asked.port),), hello, answer_end="", protocol=Protocol.HTTP)


def _publisher(description: Description, name: str) -> HttpPublisher | None:
    publish = description.publish
    if publish is None:
        return None
    parse_http_url(publish.url, "publish")
    if _MARK not in publish.body:
        raise TargetError(f"{name}: publish.body has no {_MARK}: by its number a fan tells an event")
    return HttpPublisher(
        publish.url,
        _body(publish.body),
        method=publish.method,
        headers=publish.headers,
        closes_fans=description.closes_fans,
    )


def _body(template: str) -> Callable[[Post], bytes]:
    return lambda post: template.replace(_MARK, str(number_of(post))).encode()
