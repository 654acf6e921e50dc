r"""A server that speaks something else, described: on the command line, or in a TOML file.

    address = "tcp://127.0.0.1:7000"        # or tls://HOST:PORT, http(s)://HOST:PORT/PATH, ws(s)://HOST:PORT/PATH
    hello = 'SUB news {user}\r\n'           # what a fan says first; of a WebSocket, its first message, if it says any
    welcome_end = '\n'                      # how the greeting ends; left out: the server does not speak first
    answer_end = '+OK\r\n'                  # how the first answer ends; of a WebSocket: what is in that message
    mark = 'event #'                        # what stands before an event's number
    error_start = '-ERR'                    # how a refusal begins; left out: it has no such line
    closes_fans = false                     # whether the server closes its fans after the last event
    headers = { Authorization = "Bearer x" } # of the request, over HTTP and for a WebSocket
    vars = "tokens.csv"                     # a row for each fan, its columns named in the first: {token} is its value
    ca = "ca.pem"                           # who signed the server's certificate, if this machine does not trust them
    insecure = false                        # true: trust anybody

    [[then]]                                # what a fan says when it was answered; as often as it takes
    says = 'JOIN {user}\r\n'
    answer_end = '+joined\r\n'              # as above; '' if nothing answers that

    [heartbeat]                             # of lines: what the server says now and then, and what a fan says to that
    ping = 'PING\r\n'
    pong = 'PONG\r\n'

    [publish]                               # left out: only N, C and ART are measured
    url = "http://127.0.0.1:7001/news"      # gets one request an event; ws(s)://HOST:PORT/PATH: one message
    method = "POST"
    headers = { Content-Type = "text/plain" }
    body = "event #{mark}"                  # {mark} becomes the event's number
    hello = 'I am the reporter'             # over a WebSocket: the first message, if it says any
    ack = 'posted'                          # over a WebSocket: what is in the answer to an event, if there is one
    command = ["./post", "{mark}"]          # in the place of a url: one run an event; the exit status 0 accepts it

Over HTTP the answer is the status 200 and the end of the head; any other status is a refusal. `answer_end`, if it is
given, is looked for in the body; until then a line of it may begin with `error_start`. An event's number is looked for
in its data, as a browser would hand them over, so `mark` has no `data: ` before it; where the body is not of the type
text/event-stream, anywhere in it. An event of lines may end right after its number.

Of a WebSocket the answer is the status 101; where a fan says `hello`, the next message, or the next with `answer_end`
in it; if that is '', nothing answers a hello. Pings are answered. Marks are in messages, text or not.

In the texts of the dialogue `\r`, `\n`, `\t`, `\0`, `\\` and `\xNN` stand for bytes, as in C; in TOML they are written
in single quotes, which leave them as they are. In what a fan says, and in its headers and path, `{user}` is its name.
"""

import re
from base64 import b64encode
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import unquote, urlunsplit

import msgspec

from common.addresses import HttpUrl, join
from common.domain.posts import Post
from harness.load.protocols.websocket_upgrade import upgrade_headers
from harness.load.workload import Dialogue, Endpoint, Heartbeat, InvalidDialogueError, Protocol, Tls, Turn
from harness.targets.command_publisher import MARK, CommandPublisher
from harness.targets.http_publisher import HttpPublisher
from harness.targets.payload import number_of
from harness.targets.publisher import Publisher
from harness.targets.target import TargetError, parse_address, parse_http_url, parse_websocket_url
from harness.targets.vars_file import load_vars
from harness.targets.websocket_publisher import WebSocketPublisher

_ESCAPE: Final = re.compile(rb"\\(x[0-9a-fA-F]{2}|.|$)", re.DOTALL)
_NAMED: Final = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\", b"'": b"'", b'"': b'"'}
DEFAULT_MARK: Final = "#"
HEADER_NAME: Final = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")  # RFC 9110, section 5.6.2
_Token = Annotated[str, msgspec.Meta(pattern=HEADER_NAME.pattern)]
_OneLine = Annotated[str, msgspec.Meta(pattern=r"^[^\r\n\x00]*\Z")]


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an event is posted: a request or a message each, in whose body `{mark}` becomes its number, or a command."""

    url: str = ""
    body: str = ""
    method: _Token = "POST"
    headers: dict[_Token, _OneLine] = {}
    hello: str = ""
    ack: str = ""
    command: tuple[str, ...] = ()


class Then(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a fan says next; `answer_end` is None for what ends an answer by default, empty if nothing answers."""

    says: str
    answer_end: str | None = None


class HeartbeatTexts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the server says now and then, and what a fan says to that."""

    ping: str
    pong: str


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server as it was described, texts as they were written. None is what the kind of its address has by default."""

    address: str
    hello: str | None = None
    welcome_end: str = ""
    answer_end: str | None = None
    mark: str = DEFAULT_MARK
    error_start: str | None = None
    closes_fans: bool = False
    headers: dict[_Token, _OneLine] = {}
    vars: str | None = None
    ca: str | None = None
    insecure: bool = False
    then: tuple[Then, ...] = ()
    heartbeat: HeartbeatTexts | None = None
    publish: Publish | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """The same, checked: where fans connect, what they say, and who takes the events, if anyone does."""

    named: tuple[Endpoint, ...]
    dialogue: Dialogue
    publisher: Publisher | None


def beginnings() -> dict[str, str]:
    """Return for each kind of server the text of a description that somebody can begin with."""
    files = resources.files("harness.targets").joinpath("descriptions").iterdir()
    return {file.name.removesuffix(".toml"): file.read_text() for file in sorted(files, key=lambda file: file.name)}


def load_description(path: Path) -> Description:
    """Return the description in a file. Raise TargetError, which names the file and what is wrong in it."""
    try:
        return msgspec.toml.decode(path.read_bytes().removeprefix(BOM_UTF8), type=Description)
    except OSError as error:
        raise TargetError(f"{path}: cannot be read: {error.strerror}; give the path of a description") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TargetError(f"{path}: {error}") from error


def description_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of such a file."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A server, described for the harness"}
    return {**head, **msgspec.json.schema(Description)}


def check(description: Description, name: str) -> Described:
    """Return what a description means. Raise TargetError, which begins with `name`, for what makes no sense."""
    kind = _kind_of(description, name)
    hello = kind.hello if description.hello is None or kind.protocol is Protocol.WEBSOCKET else description.hello
    if hello is None:
        raise TargetError(f"{name}: what does a fan say there? give --hello, or hello in the file that describes it")
    is_socket = kind.protocol is Protocol.WEBSOCKET
    try:
        dialogue = Dialogue(
            hello=unescape(hello),
            welcome_end=b"" if is_socket else unescape(description.welcome_end),
            answer_end=b"" if is_socket else _end(description.answer_end, kind.answer_end) or b"",
            mark=unescape(description.mark),
            error_start=unescape(description.error_start or ""),
            protocol=kind.protocol,
            turns=(*(_first_messages(description) if is_socket else ()), *_further(description, kind.answer_end)),
            heartbeat=_heartbeat(description.heartbeat),
            tls=_tls(description, kind, name),
            vars=None if description.vars is None else load_vars(Path(description.vars)),
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
    """What the kind of an address says of a server, unless the description says something else.

    `server_name` is whom the server must prove to be by TLS; None: it does not speak that.
    """

    named: tuple[Endpoint, ...]
    hello: str | None
    answer_end: str
    protocol: Protocol
    server_name: str | None


def _kind_of(description: Description, name: str) -> _Kind:
    """Return what the address says. Raise TargetError for what is none, or what does not go with it."""
    scheme, separator, rest = description.address.partition("://")
    if not separator or scheme in {"tcp", "tls"}:
        if description.headers:
            raise TargetError(f"{name}: headers go with http://, https://, ws:// and wss://: leave them out")
        named = parse_address(rest or scheme)
        return _Kind(named, None, "\n", Protocol.LINES, named[0].host if scheme == "tls" else None)
    if scheme in {"ws", "wss"}:
        return _asked_by_http(
            parse_websocket_url(description.address), {**upgrade_headers(), **description.headers}, Protocol.WEBSOCKET
        )
    if scheme in {"http", "https"}:
        return _asked_by_http(
            parse_http_url(description.address, "a stream"),
            {"Accept": "text/event-stream", **description.headers},
            Protocol.HTTP,
        )
    raise TargetError(
        f"{name}: {scheme}:// is no kind of server that is known: give tcp://, tls://, http://, https://, ws:// or wss://"
    )


def _asked_by_http(url: HttpUrl, headers: Mapping[str, str], protocol: Protocol) -> _Kind:
    """Ask by GET; the fan of whoever says anything but the status 200, or 101 for a WebSocket, has failed."""
    target = urlunsplit(("", "", url.parts.path or "/", url.parts.query, "")).replace("\\", "%5C")
    login = url.parts.netloc.rpartition("@")[0]
    if login:  # RFC 7617
        headers = {"Authorization": f"Basic {b64encode(unquote(login).encode()).decode()}", **headers}
    lines = [f"GET {target} HTTP/1.1", f"Host: {join(url.host, url.port)}", *map(": ".join, headers.items())]
    hello = "".join(line.replace("\\", "\\\\") + "\r\n" for line in (*lines, ""))
    return _Kind((Endpoint(url.host, url.port),), hello, "", protocol, url.host if url.is_secure else None)


def _end(text: str | None, default: str) -> bytes | None:
    """Return what ends an answer; None if nothing answers."""
    return default.encode() if text is None else unescape(text) or None


def _first_messages(description: Description) -> Iterator[Turn]:
    """Return the greeting of a WebSocket, and a fan's first message, as far as there are such."""
    if description.welcome_end:
        yield Turn(b"", unescape(description.welcome_end))
    if description.hello or description.answer_end:
        yield Turn(unescape(description.hello or ""), _end(description.answer_end, ""))


def _further(description: Description, default: str) -> Iterator[Turn]:
    for then in description.then:
        yield Turn(unescape(then.says), _end(then.answer_end, default))


def _heartbeat(texts: HeartbeatTexts | None) -> Heartbeat | None:
    return None if texts is None else Heartbeat(unescape(texts.ping), unescape(texts.pong))


def _tls(description: Description, kind: _Kind, name: str) -> Tls | None:
    if kind.server_name is None:
        if description.ca is not None or description.insecure:
            option = "insecure" if description.insecure else "ca"
            raise TargetError(f"{name}: {option} goes with tls://, https:// and wss://: leave it out")
        return None
    if description.ca is not None and description.insecure:
        raise TargetError(f"{name}: give ca or insecure, not both: with the second nothing is verified")
    return Tls(kind.server_name, None if description.ca is None else Path(description.ca), description.insecure)


def _publisher(description: Description, name: str) -> Publisher | None:
    publish, closes = description.publish, description.closes_fans
    if publish is None:
        return None
    if bool(publish.url) == bool(publish.command):
        raise TargetError(f"{name}: publish needs a url or a command, one of them")
    if publish.command:
        if not any(MARK in word for word in publish.command):
            raise TargetError(f"{name}: publish.command has no {MARK}: by its number a fan tells an event")
        return CommandPublisher(publish.command, closes)
    if MARK not in publish.body:
        raise TargetError(f"{name}: publish.body has no {MARK}: by its number a fan tells an event")
    if publish.url.startswith(("ws://", "wss://")):
        parse_websocket_url(publish.url)
        return WebSocketPublisher(
            publish.url,
            lambda post: publish.body.replace(MARK, str(number_of(post))),
            hello=publish.hello,
            ack=publish.ack,
            headers=publish.headers,
            closes_fans=closes,
        )
    parse_http_url(publish.url, "publish")
    if publish.hello or publish.ack:
        raise TargetError(f"{name}: publish.hello and publish.ack go with ws:// and wss://: leave them out")
    return HttpPublisher(
        publish.url, _body(publish.body), method=publish.method, headers=publish.headers, closes_fans=closes
    )


def _body(template: str) -> Callable[[Post], bytes]:
    return lambda post: template.replace(MARK, str(number_of(post))).encode()
