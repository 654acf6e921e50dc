"""Fans who speak TLS to servers that do not, or do not go on with it."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from harness.load.samples import Outcome
from harness.load.tls import TrustError, trusting
from harness.load.workload import Load, Tls
from tests.deploy.certificates import Certificate, needs_openssl
from tests.harness.known_servers import DIALOGUE, STATUS, WELCOME, KnownServer, Peer, never_speaks
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


def broken_after_the_answer(peer: Peer, tls: ssl.SSLContext) -> None:
    """Greet and answer by TLS, then say what is no record."""
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
    peer.say(outgoing.read() + b"no record")
    peer.wait_until_gone()


@needs_openssl
def test_a_server_that_breaks_off_its_tls(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    with KnownServer(lambda peer: broken_after_the_answer(peer, certificate.server)) as server:
        samples, _, progress = measure(server.endpoint, Load(N, N), dialogue=BY_TLS, close_wait_s=20.0)
    assert progress.answered == N
    assert samples.outcomes() == {Outcome.MALFORMED: N}


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), (b"x", "has no certificate")])
def test_whom_to_trust_is_no_file(content: bytes | None, says: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TrustError, match=rf"ca\.pem: {says} \(.*\): give --ca a file"):
        trusting(file, insecure=False)
