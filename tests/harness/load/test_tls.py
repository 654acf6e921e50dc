"""Fans who speak TLS to servers that do not, or do not go on with it."""

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.load.samples import Outcome
from harness.load.tls import TrustError, trusting
from harness.load.workload import Load, Tls
from tests.deploy.certificates import Certificate, needs_openssl
from tests.harness.known_servers import DIALOGUE, PATIENCE_S, STATUS, WELCOME, KnownServer, Peer, never_speaks
from tests.harness.load.generating import measure

N = 3
BY_TLS = replace(DIALOGUE, tls=Tls("127.0.0.1", insecure=True))


def test_a_server_that_speaks_no_tls() -> None:
    def talking(peer: Peer) -> None:
        peer.say(b"hello, this is no TLS\n")
        peer.wait_until_gone()

    with KnownServer(talking) as server:
        samples, _, progress = measure(server.endpoint, Load(N, N), dialogue=BY_TLS)
    assert samples.outcomes() == {Outcome.NO_TLS: N}
    assert (progress.connected, progress.answered, progress.failed) == (N, 0, N)


def test_a_server_that_never_answers_the_handshake() -> None:
    with KnownServer(never_speaks) as server:
        samples, _, _ = measure(server.endpoint, Load(N, N), dialogue=BY_TLS, answer_timeout_s=0.5)
    assert samples.outcomes() == {Outcome.NO_TLS: N}


def answers(peer: Peer, tls: ssl.SSLContext, end: Callable[[ssl.SSLObject], object], more: bytes = b"") -> None:
    """Greet and answer by TLS, then end it, say more, and leave the connection as it is."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = tls.wrap_bio(incoming, outgoing, server_side=True)
    said = False
    while True:
        try:
            if not said:
                connection.do_handshake()
                connection.write(WELCOME)
                said = True
            if connection.read(1000):
                break
        except ssl.SSLWantReadError:
            pass
        peer.say(outgoing.read())
        if not (heard := peer.hear_some()):
            return
        incoming.write(heard)
    connection.write(STATUS)
    end(connection)
    peer.say(outgoing.read() + more)
    peer.wait_until_gone()


def closes(connection: ssl.SSLObject) -> None:
    with contextlib.suppress(ssl.SSLWantReadError):  # the other side's answer, for which nobody waits
        connection.unwrap()


@needs_openssl
@pytest.mark.parametrize(
    ("end", "more", "outcome"),
    [(closes, b"", Outcome.ENDED), (lambda _: None, b"no record", Outcome.MALFORMED)],
    ids=["close_notify", "no record"],
)
def test_a_server_that_ends_its_tls_and_not_the_connection(
    end: Callable[[ssl.SSLObject], object], more: bytes, outcome: Outcome, tmp_path: Path
) -> None:
    certificate = Certificate(tmp_path)
    with KnownServer(lambda peer: answers(peer, certificate.server, end, more)) as server:
        samples, _, progress = measure(server.endpoint, Load(N, N), dialogue=BY_TLS, close_wait_s=PATIENCE_S)
    assert progress.answered == N
    assert samples.outcomes() == {outcome: N}


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), (b"x", "has no certificate")])
def test_whom_to_trust_is_no_file(content: bytes | None, says: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TrustError, match=rf"ca\.pem: {says} \(.*\): give --ca a file"):
        trusting(file, insecure=False)
