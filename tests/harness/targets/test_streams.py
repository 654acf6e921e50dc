"""Streams over HTTP and of bare text, as servers send them that cut them, refuse them, or end them with a number."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.targets.custom import CustomTarget
from harness.targets.description import check, load_description
from harness.targets.target import TargetError
from tests.harness.targets.stream_server import StreamServer
from tests.harness.targets.trials import FANS, POSTS, assert_everyone_got_everything, small_trial

EVENTS = b"HTTP/1.1 200\r\nContent-Type: text/event-stream\r\n"
CHUNKED = EVENTS + b"Transfer-Encoding: chunked\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FULL = b"limit of 200 streams per client reached"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: %d\r\n\r\n%b" % (len(FULL), FULL)
DESCRIBED = """
address = "{address}"
mark = 'goal #'
{more}
[publish]
url = "{url}/news"
body = "{{mark}}"
"""
LINES = "hello = 'SUB\\n'"


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


def described(server: StreamServer, tmp_path: Path, address: str | None = None, more: str = "") -> CustomTarget:
    url = f"http://127.0.0.1:{server.port}"
    file = tmp_path / "stream.toml"
    file.write_text(DESCRIBED.format(address=address or url, url=url, more=more))
    return CustomTarget("stream", check(load_description(file), str(file)))


def event(number: bytes) -> bytes:
    return b"data: goal #%b\n\n" % number


Pieces = Callable[[bytes], Sequence[bytes]]


@pytest.mark.parametrize(
    ("answer", "pieces"),
    [
        (CHUNKED, lambda number: [chunk(b"data: goal #"), chunk(number), chunk(b"\n\n")]),
        (CHUNKED, lambda number: [chunk(b"data: goal #0"), chunk(b"0%b\n\n" % number)]),
        (CHUNKED, lambda number: [chunk(event(number))[:9], chunk(event(number))[9:]]),
        (CHUNKED, lambda number: [chunk(b": goal #1\r\nid: goal #2\r\ndata:goal #%b\r\n\r\n" % number)]),
        (EVENTS.replace(b"1.1", b"1.0") + b"\r\n", lambda number: [b"data: goal #%b\r" % number, b"\r"]),
        (PLAIN, lambda number: [chunk(b"a goal "), chunk(b"#%b\n" % number)]),
        (PLAIN, lambda number: [chunk(b"goal #%b" % number)]),
    ],
    ids=["chunks", "digits in chunks", "a cut chunk", "other fields", "HTTP/1.0 and CR", "lines", "no line ends"],
)
def test_everyone_hears_every_event_once(answer: bytes, pieces: Pieces, tmp_path: Path) -> None:
    with StreamServer(lambda _: answer, pieces) as server:
        assert_everyone_got_everything(small_trial(described(server, tmp_path)))


@pytest.mark.parametrize("pieces", [lambda number: [b"goal #%b" % number], lambda number: [b"goal #0", number]])
def test_messages_that_end_in_their_numbers(pieces: Pieces, tmp_path: Path) -> None:
    with StreamServer(lambda _: b"", pieces) as server:
        target = described(server, tmp_path, f"tcp://127.0.0.1:{server.port}", LINES)
        assert_everyone_got_everything(small_trial(target))


def test_who_turns_fans_away_is_told_before_the_trial(tmp_path: Path) -> None:
    with StreamServer(lambda _: REFUSED, lambda _: []) as server, pytest.raises(TargetError) as refused:
        described(server, tmp_path).start()
    assert str(refused.value) == f"stream: answers 429 Too Many Requests; it said '{FULL.decode()}'"


def test_who_speaks_no_http_is_told_before_the_trial(tmp_path: Path) -> None:
    with (
        StreamServer(lambda _: b"* 200 hello\r\n\r\n", lambda _: []) as server,
        pytest.raises(TargetError, match=r"^stream: speaks no HTTP: illegal status line"),
    ):
        described(server, tmp_path).start()


@pytest.mark.parametrize(
    ("answer", "failures"), [(REFUSED, {"status_429": FANS - 10}), (b"200 OK\r\n\r\n", {"malformed": FANS - 10})]
)
def test_fans_who_are_turned_away_have_failed(answer: bytes, failures: dict[str, int], tmp_path: Path) -> None:
    def says(fan: int) -> bytes:
        return CHUNKED if fan <= 10 else answer  # the first is the one that tries

    with StreamServer(says, lambda number: [chunk(event(number))]) as server:
        result = small_trial(described(server, tmp_path))
    fans, delivery = result.seen.fans, result.seen.delivery
    assert (fans.answered, fans.served, fans.failures) == (10, 10, failures)
    assert delivery is not None
    assert (delivery.expected, delivery.lost) == (10 * POSTS, 0)
    assert not result.verdict.met


def test_a_body_that_breaks_off_its_coding_fails_its_fan(tmp_path: Path) -> None:
    with StreamServer(lambda _: CHUNKED, lambda number: [b"data: goal #%b\r\n\r\n" % number]) as server:
        fans = small_trial(described(server, tmp_path)).seen.fans
    assert (fans.answered, fans.served, fans.failures) == (FANS, 0, {"malformed": FANS})
