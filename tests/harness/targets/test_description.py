from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.posts import Shot
from harness.load.workload import Dialogue, Endpoint, Heartbeat, Protocol, Tls, Turn
from harness.targets.description import Description, HeartbeatTexts, Publish, Then, check, load_description, unescape
from harness.targets.target import TargetError

PUBLISH = Publish("http://h/news", "event {mark}, again {mark}")


@given(st.binary(max_size=40))
def test_every_byte_can_be_written(wanted: bytes) -> None:
    assert unescape("".join(f"\\x{byte:02x}" for byte in wanted)) == wanted


@given(st.text(st.characters(exclude_characters="\\", codec="utf-8"), max_size=40))
def test_what_has_no_backslash_is_as_it_is(text: str) -> None:
    assert unescape(text) == text.encode()


def test_escapes_are_those_of_c() -> None:
    assert unescape(r"\r\n\t\0\\n\x00\xfFé\'\"") == b"\r\n\t\0\\n\x00\xff\xc3\xa9'\""


@pytest.mark.parametrize("text", ["\\", r"\x1", r"\xgg", r"\q", "\\\n", "a\\é"])
def test_a_backslash_that_means_nothing(text: str) -> None:
    with pytest.raises(TargetError, match="has a backslash that means nothing: write"):
        unescape(text)


def test_a_server_of_lines() -> None:
    found = check(Description("tcp://h:1-2", hello=r"hi {user}\n"), "h")
    assert found.named == (Endpoint("h", 1), Endpoint("h", 2))
    assert found.dialogue == Dialogue(b"hi {user}\n", b"", b"\n", b"#", b"")
    assert found.publisher is None
    assert check(Description("h:1-2", hello=r"hi {user}\n"), "h") == found


@pytest.mark.parametrize(
    ("url", "endpoint", "hello"),
    [
        ("http://h", Endpoint("h", 80), b"GET / HTTP/1.1\r\nHost: h:80\r\n"),
        ("http://h:8/a/b?c={user}#d", Endpoint("h", 8), b"GET /a/b?c={user} HTTP/1.1\r\nHost: h:8\r\n"),
        (
            "http://me:se%3Acret@[::1]:8/a\\n",
            Endpoint("::1", 8),
            b"GET /a%5Cn HTTP/1.1\r\nHost: [::1]:8\r\nAuthorization: Basic bWU6c2U6Y3JldA==\r\n",
        ),
    ],
)
def test_a_stream(url: str, endpoint: Endpoint, hello: bytes) -> None:
    found = check(Description(url), url)
    assert found.named == (endpoint,)
    assert found.dialogue.hello == hello + b"Accept: text/event-stream\r\n\r\n"
    assert (found.dialogue.welcome_end, found.dialogue.answer_end, found.dialogue.error_start) == (b"", b"", b"")
    assert found.dialogue.protocol is Protocol.HTTP


@pytest.mark.parametrize(
    ("said", "turns"),
    [
        ({}, ()),
        ({"hello": "hi"}, (Turn(b"hi", b""),)),
        ({"hello": "hi", "answer_end": ""}, (Turn(b"hi", None),)),
        ({"answer_end": "ok"}, (Turn(b"", b"ok"),)),
        ({"hello": "hi", "welcome_end": "w", "answer_end": "ok"}, (Turn(b"", b"w"), Turn(b"hi", b"ok"))),
        (
            {"then": (Then("a"), Then("b", ""), Then(r"\x63", "d"))},
            (Turn(b"a", b""), Turn(b"b", None), Turn(b"c", b"d")),
        ),
    ],
)
def test_a_websocket(said: dict[str, Any], turns: tuple[Turn, ...]) -> None:
    found = check(Description("wss://h/live?as={user}", headers={"Origin": "x\\y"}, insecure=True, **said), "h")
    assert found.named == (Endpoint("h", 443),)
    dialogue = found.dialogue
    head, *lines = dialogue.hello.decode().split("\r\n")
    assert (head, lines[0], lines[-3:]) == ("GET /live?as={user} HTTP/1.1", "Host: h:443", ["Origin: x\\y", "", ""])
    assert {"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"} < set(lines)
    assert (dialogue.welcome_end, dialogue.answer_end, dialogue.turns) == (b"", b"", turns)
    assert (dialogue.protocol, dialogue.tls) == (Protocol.WEBSOCKET, Tls("h", None, insecure=True))


def test_lines_by_tls_with_all_that_there_is() -> None:
    described = Description(
        "tls://h:1-2",
        hello="a",
        then=(Then("b"), Then("c", r"ok\n"), Then("d", "")),
        heartbeat=HeartbeatTexts(r"ping\n", r"pong\n"),
        ca="ca.pem",
    )
    dialogue = check(described, "h").dialogue
    assert dialogue.turns == (Turn(b"b", b"\n"), Turn(b"c", b"ok\n"), Turn(b"d", None))
    assert dialogue.heartbeat == Heartbeat(b"ping\n", b"pong\n")
    assert dialogue.tls == Tls("h", Path("ca.pem"))


def test_what_is_said_goes_before_what_a_url_implies() -> None:
    described = Description("http://h", hello="x", answer_end="a", mark="m", error_start="e")
    assert check(described, "h").dialogue == Dialogue(b"x", b"", b"a", b"m", b"e", Protocol.HTTP)


@pytest.mark.parametrize("closes_fans", [False, True])
def test_publishing(*, closes_fans: bool) -> None:
    publisher = check(Description("h:1", hello="x", closes_fans=closes_fans, publish=PUBLISH), "h").publisher
    assert publisher is not None
    assert (publisher.url, publisher.method, publisher.headers) == ("http://h/news", "POST", {})
    assert publisher.closes_fans is closes_fans
    assert publisher.body(Shot(team="elp", comment="#12 a remark")) == b"event 12, again 12"


@pytest.mark.parametrize(
    ("description", "says"),
    [
        (Description("h:1"), "f.toml: what does a fan say there?"),
        (Description("h:1", hello=""), "f.toml: hello is empty"),
        (Description("h:1", hello="x", mark=""), "f.toml: mark is empty"),
        (
            Description("ftp://h:1", hello="x"),
            "f.toml: ftp:// is no kind of server that is known: give tcp://, tls://,",
        ),
        (Description("tls://h", hello="x"), "'h' is no address"),
        (Description("ws://"), "'ws://' is no URL of a WebSocket: write for example ws://"),
        (Description("h:1", hello="x", headers={"A": "b"}), "f.toml: headers go with http://, https://, ws:// and"),
        (Description("ws://h", ca="c"), "f.toml: ca goes with tls://, https:// and wss://: leave it out"),
        (Description("h:1", hello="x", insecure=True), "f.toml: insecure goes with tls://, https:// and wss://"),
        (Description("wss://h", ca="c", insecure=True), "f.toml: give ca or insecure, not both"),
        (Description("h:1", hello="x", then=(Then("y", ""), Then("z", r"\q"))), r"'\\q' has a backslash that means"),
        (Description("h:1", hello="x", heartbeat=HeartbeatTexts("", "y")), "f.toml: a heartbeat needs both"),
        (Description("ws://h", heartbeat=HeartbeatTexts("x", "y")), "f.toml: a heartbeat is given, but only lines"),
        (Description("http://h", then=(Then("y"),)), "f.toml: a fan says more than its request"),
        (Description("http://h:x"), "'http://h:x' is no URL of a stream"),
        (Description("http://h", welcome_end="w"), "f.toml: welcome_end is given, but over HTTP the fan speaks first"),
        (Description("http://h", error_start="e"), "f.toml: error_start is given without answer_end; over HTTP"),
        (Description("http://h", mark=""), "f.toml: mark is empty"),
        (Description("h:1", hello="x", publish=Publish("h", "{mark}")), "'h' is no URL of publish"),
        (Description("h:1", hello="x", publish=Publish("http://h", "mark")), "f.toml: publish.body has no {mark}"),
        (Description("h:1", hello="x", publish=Publish()), "f.toml: publish needs a url or a command, one of them"),
        (
            Description("h:1", hello="x", publish=Publish("http://h", command=("x",))),
            "f.toml: publish needs",
        ),
        (Description("h:1", hello="x", publish=Publish(command=("x",))), "f.toml: publish.command has no {mark}"),
        (Description("h:1", hello="x", publish=Publish("ws://", "{mark}")), "'ws://' is no URL of a WebSocket"),
        (
            Description("h:1", hello="x", publish=Publish("http://h", "{mark}", ack="x")),
            "f.toml: publish.hello",
        ),
    ],
)
def test_what_makes_no_sense(description: Description, says: str) -> None:
    with pytest.raises(TargetError) as refused:
        check(description, "f.toml")
    assert str(refused.value).startswith(says)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"hello = 'x'", "missing required field `address`"),
        (b"address = 'h:1'\nanswers = 'x'", "unknown field `answers`"),
        (b"address = 'h:1'\nhello = 3", "Expected `str | null`, got `int` - at `$.hello`"),
        (b"address = 'h:1'\n[publish]\nurl = 'x'\nbody = 'x'\nmethod = 'a b'", "at `$.publish.method`"),
        (
            b"address = 'h:1'\n[publish]\nurl = 'x'\nbody = 'x'\nheaders = { a = \"x\\n\" }",
            "at `$.publish.headers[...]`",
        ),
        (b"address", "Expected '='"),
        (b"address = '\xff'", "utf-8"),
    ],
)
def test_a_file_that_is_no_description(text: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_bytes(text)
    with pytest.raises(TargetError) as refused:
        load_description(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"none\.toml: cannot be read: No such file or directory; give the path"):
        load_description(tmp_path / "none.toml")


def test_a_description_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "windows.toml"
    file.write_text("address = 'h:1'\nhello = 'hi'\n", encoding="utf-8-sig")
    assert load_description(file) == Description("h:1", hello="hi")
