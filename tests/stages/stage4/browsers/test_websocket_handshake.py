"""Who asks for a WebSocket rightly: the door says what the library does, which it asks for what is not usual only."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request
from websockets.server import ServerProtocol

from common.wire.greeting import Greeting
from stages.stage4.http_front import HttpFront, RequestError
from stages.stage4.websocket import WebSocketDoor

if TYPE_CHECKING:
    from random import Random

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""Both are those of RFC 6455, section 1.3."""
USUAL = (
    ("Host", "h"),
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
)
_BEGIN = "HTTP/1.1 101 Switching Protocols\r\nDate: "
_REST = "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "


def asked(headers: list[tuple[str, str]] | tuple[tuple[str, str], ...], version: str = "1.1") -> str | int:
    """Return the proof with which a request is agreed to, or the status of the refusal."""
    lines = (f"GET /1/match/m/ws HTTP/{version}", *(f"{name}: {value}" for name, value in headers))
    try:
        found = HttpFront([WebSocketDoor()]).reader().feed(("\r\n".join(lines) + "\r\n\r\n").encode())
    except RequestError as error:
        return error.status.value
    assert isinstance(found, Greeting)
    assert found.numbered is not None
    opening = found.numbered.opening.decode()
    assert opening.startswith(_BEGIN)
    assert opening.endswith("\r\n\r\n")
    return opening.partition(_REST)[2].removesuffix("\r\n\r\n")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "foo , UPGRADE,bar"},
        {"Upgrade": "WebSocket"},
        {"Origin": "http://elsewhere"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Sec-WebSocket-Protocol": "a, b"},
    ],
)
def test_it_is_agreed_to_with_the_proof_of_the_rfc(changes: dict[str, str]) -> None:
    assert asked(tuple((dict(USUAL) | changes).items())) == ACCEPT


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Connection": "keep-alive"}, 426),
        ({"Upgrade": "websocket, h2c"}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Protocol": "a b"}, 426),
        ({"Sec-WebSocket-Key": ""}, 400),
        ({"Sec-WebSocket-Key": KEY[:-1]}, 400),
        ({"Sec-WebSocket-Key": f"{KEY}x"}, 400),
        ({"Sec-WebSocket-Key": base64.b64encode(bytes(17)).decode()}, 400),
    ],
)
def test_what_is_wrong_has_its_status(changes: dict[str, str], status: int) -> None:
    assert asked(tuple((dict(USUAL) | changes).items())) == status


def test_http_1_0_knows_no_upgrade() -> None:
    assert asked(USUAL, "1.0") == 426


@pytest.mark.parametrize(("name", "status"), [("Sec-WebSocket-Key", 400), ("Upgrade", 426), ("Origin", 426)])
def test_what_comes_twice_is_refused(name: str, status: int) -> None:
    both = dict(USUAL) | {"Origin": "http://h"}
    assert asked((*both.items(), (name, both[name]))) == status


VALUES = {
    "Connection": ("Upgrade", "upgrade", "keep-alive, Upgrade", "keep-alive", "Upgrade,", ", ,", "Upgrade x", "é", ""),
    "Upgrade": ("websocket", "WebSocket", "websocket/13", "websocket, h2c", "h2c", "é", ""),
    "Sec-WebSocket-Version": ("13", "8", "13, 8", "013", ""),
    "Sec-WebSocket-Key": (KEY, KEY.replace("Q=", "R="), KEY[:-1], KEY + KEY, "bm8=", "é" * 24, "=" * 24, ""),
    "Sec-WebSocket-Protocol": ("a", "a, b", "a b", ""),
    "Sec-WebSocket-Extensions": ("permessage-deflate", "x y", ""),
    "Origin": ("http://h", ""),
}
HEADER = st.sampled_from([(name, value) for name, values in VALUES.items() for value in values])


@given(st.lists(st.sampled_from(USUAL[1:]), unique=True, min_size=3), st.lists(HEADER, max_size=3), st.randoms())
@settings(max_examples=500)
def test_it_is_what_the_library_says(
    usual: list[tuple[str, str]], others: list[tuple[str, str]], order: Random
) -> None:
    headers = [*usual, *others]
    order.shuffle(headers)
    try:
        request = Request("", Headers((name, value.encode().decode("latin-1")) for name, value in headers))
        expected: str | None = ServerProtocol().process_request(request)[0]
    except InvalidHandshake:
        expected = None
    outcome = asked([("Host", "h"), *headers])
    assert outcome == expected if expected is not None else outcome in {400, 426}
