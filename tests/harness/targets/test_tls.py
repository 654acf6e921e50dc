"""Servers that speak TLS to their fans: lines, an HTTP stream, and WebSockets."""

from pathlib import Path

import pytest

from harness.targets.custom import CustomTarget
from harness.targets.description import Description, Publish, check
from harness.targets.target import TargetError
from tests.deploy.certificates import Certificate, needs_openssl
from tests.harness.targets.stream_server import StreamServer
from tests.harness.targets.trials import FANS, assert_everyone_got_everything, small_trial
from tests.harness.targets.websocket_server import WebSocketServer

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
LONG = b"x" * 40_000  # more than a record, and a read, has room for


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


def posting(http: int, **how: object) -> Description:
    """Return a description with events that are posted without TLS."""
    return Description(publish=Publish(f"http://127.0.0.1:{http}/news", "goal #{mark}"), mark="goal #", **how)


def trusted(description: Description) -> CustomTarget:
    return CustomTarget("secured", check(description, "secured"))


@needs_openssl
def test_lines(certificate: Certificate) -> None:
    with StreamServer(lambda _: b"", lambda news: [LONG, news, b"\n"], certificate.server) as server:
        address = f"tls://127.0.0.1:{server.tls_port}"
        described = posting(server.port, address=address, hello=r"SUB\n", ca=str(certificate.chain))
        assert_everyone_got_everything(small_trial(trusted(described)))


@needs_openssl
def test_a_stream(certificate: Certificate) -> None:
    with StreamServer(lambda _: STREAM, lambda news: [b"data: %b\n\n" % news], certificate.server) as server:
        address = f"https://127.0.0.1:{server.tls_port}/"
        described = posting(server.port, address=address, ca=str(certificate.chain))
        assert_everyone_got_everything(small_trial(trusted(described)))


@needs_openssl
def test_websockets(certificate: Certificate) -> None:
    with WebSocketServer(tls=certificate.server) as server:
        described = posting(
            server.http,
            address=f"wss://127.0.0.1:{server.port}/",
            hello="hi",
            answer_end="ready",
            headers={"Authorization": "x"},
            insecure=True,
        )
        result = small_trial(trusted(described))
        assert_everyone_got_everything(result)
    art, response = result.seen.response.art, result.seen.response.intended
    assert art is not None
    assert response is not None
    assert art.count == response.asked == FANS


@needs_openssl
@pytest.mark.parametrize("scheme", ["tls", "https", "wss"])
def test_a_certificate_that_nobody_signed_is_told(scheme: str, certificate: Certificate) -> None:
    with (
        StreamServer(lambda _: STREAM, lambda _: [], certificate.server) as server,
        pytest.raises(TargetError) as refused,
    ):
        trusted(Description(f"{scheme}://127.0.0.1:{server.tls_port}", hello="SUB")).start()
    assert str(refused.value).startswith("secured: certificate verify failed: self")
    assert str(refused.value).endswith(": give --ca FILE to trust who signed it, or --insecure to verify nothing")


def test_a_server_that_speaks_no_tls_is_told() -> None:
    with StreamServer(lambda _: STREAM, lambda _: []) as server, pytest.raises(TargetError) as refused:
        trusted(Description(f"tls://127.0.0.1:{server.port}", hello="SUB", insecure=True)).start()
    assert str(refused.value).startswith("secured: ")
