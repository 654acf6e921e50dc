"""Servers at https:// URLs: whom the harness believes, and what it says of one that it does not."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from shutil import copy
from typing import TYPE_CHECKING

import pytest

from harness.cli import main
from tests.deploy.certificates import Certificate, needs_openssl
from tests.harness.fake import fake_server
from tests.harness.known_servers import KnownServer, never_speaks
from tests.harness.load.test_http import Handler, known, stored
from tests.harness.targets.loop_server import LoopServer
from tests.harness.targets.news_server import NewsServer
from tests.harness.test_cli import SMALL, run

if TYPE_CHECKING:
    import ssl
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Sequence
    from pathlib import Path

    from tests.harness.known_servers import Peer


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    directory = tmp_path / "certificate"
    directory.mkdir()
    return Certificate(directory)


class Front(LoopServer):
    """Speaks TLS before a server of this machine."""

    def __init__(self, behind: int, tls: ssl.SSLContext) -> None:
        super().__init__()
        self.port = 0
        self._behind = behind
        self._tls = tls

    async def _run(self) -> None:
        listener, self.port = self._listen()
        server = await asyncio.start_server(self._serve, sock=listener, ssl=self._tls)
        await self._is_over()
        server.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        await asyncio.gather(carry(reader, behind_writer), carry(behind_reader, writer))


async def carry(reader: StreamReader, writer: StreamWriter) -> None:
    """Hand on what is read, until the end."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


@needs_openssl
def test_a_certificate_that_nobody_signed_is_told(
    certificate: Certificate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with known(tls=certificate.server) as server:
        assert main(["http", "--http", server.url, "-n", "3", "--out", str(tmp_path / "out")]) == 2
        assert server.requests == 0
    said = one_line(capsys)
    assert said.startswith(f"harness: {server.url}: certificate verify failed: self")
    assert said.endswith("signed certificate: give --ca FILE to trust who signed it, or --insecure to verify nothing")


@needs_openssl
@pytest.mark.parametrize("trust", ["--ca", "--insecure", "SSL_CERT_FILE"])
def test_whom_one_says_to_trust_is_loaded(trust: str, certificate: Certificate, tmp_path: Path) -> None:
    chain = str(certificate.chain)
    words = {"--ca": ("--ca", chain), "--insecure": ("--insecure",)}.get(trust, ())
    environ = {trust: chain} if trust == "SSL_CERT_FILE" else {}
    with known(tls=certificate.server) as server:
        done = run("http", "--http", server.url, "-n", "6", "-c", "2", *words, "--out", str(tmp_path), **environ)
    assert done.stderr == ""
    assert stored(tmp_path).seen.succeeded == 6


@needs_openssl
def test_events_are_posted_to_whom_one_says_to_trust(certificate: Certificate, tmp_path: Path) -> None:
    with fake_server("0") as server, Front(server.http, certificate.server) as front:
        words = ("-n", "6", "-c", "2", "--method", "POST", "--ca", str(certificate.chain), "--out", str(tmp_path))
        done = run("http", "--http", f"https://127.0.0.1:{front.port}", *words, MATCHSTREAM_TOKEN=server.token)
        assert done.stderr == ""
        assert (server.posts(), server.matches()) == (6, 0)
    assert stored(tmp_path).seen.succeeded == 6


@needs_openssl
def test_a_certificate_of_another_host_is_told_though_its_signer_is_trusted(
    certificate: Certificate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with known(tls=certificate.server) as server:
        words = ("--http", server.url.replace("127.0.0.1", "localhost"), "--ca", str(certificate.chain))
        assert main(["http", *words, "-n", "3", "--out", str(tmp_path / "out")]) == 2
    assert "certificate verify failed: Hostname mismatch" in one_line(capsys)


@needs_openssl
def test_a_certificate_that_changes_while_it_is_loaded_is_told(certificate: Certificate, tmp_path: Path) -> None:
    ca = copy(certificate.chain, tmp_path / "ca.pem")
    context = certificate.server

    def renew(handler: Handler) -> None:
        certificate.renew()
        context.load_cert_chain(certificate.chain, certificate.key)
        handler.say()

    with known(renew, context) as server:
        done = run("http", "--http", server.url, "-n", "3", "--ca", str(ca), "--out", str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    seen = stored(tmp_path).seen
    assert seen.succeeded == 1
    ((why, count),) = seen.failures.items()
    assert count == 2
    assert why.startswith("certificate verify failed: ")
    assert f"2 {why}" in " ".join(done.stdout.split())


def says_hello(peer: Peer) -> None:
    peer.say(b"hello\n")
    peer.wait_until_gone()


def test_a_server_that_speaks_no_tls_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with KnownServer(says_hello) as server:
        url = f"https://127.0.0.1:{server.endpoint.port}"
        assert main(["http", "--http", url, "-n", "3", "--out", str(tmp_path)]) == 2
    assert one_line(capsys).startswith(f"harness: {url}: the server there speaks no TLS (")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--http", "https://127.0.0.1:1", "--ca", "FILE", "--insecure"), "give --ca or --insecure, not both"),
        (("--http", "https://127.0.0.1:1", "--ca", "/no/such.pem"), "/no/such.pem: cannot be read (No such file"),
        (("--http", "https://127.0.0.1:1", "--ca", "FILE"), "no-bundle.pem: has no certificate (no certificate"),
        (("--http", "http://127.0.0.1:1", "--ca", "FILE"), "--ca goes with --http and an https:// URL"),
        (("--stage", "0", "--insecure"), "--insecure goes with --http and an https:// URL"),
    ],
)
def test_whom_to_trust_makes_sense_or_is_refused(
    words: Sequence[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "no-bundle.pem"
    file.write_text("nobody\n")
    given = [str(file) if word == "FILE" else word for word in words]
    assert main(["http", "-n", "3", *given, "--out", str(tmp_path / "out")]) == 2
    assert says in one_line(capsys)


@needs_openssl
def test_events_are_not_posted_to_whom_nobody_vouches_for(
    certificate: Certificate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "news.toml"
    with NewsServer() as fans, known(tls=certificate.server) as server:
        lines = [f"address = 'tcp://127.0.0.1:{fans.lines}'", r"hello = 'SUB news {user}\r\n'", r"welcome_end = '\n'"]
        publish = ["[publish]", f"url = '{server.url}/news'", "body = '#{mark}'"]
        file.write_text("\n".join([*lines, *publish]))
        assert main(["measure", *SMALL, "--target", str(file), "--out", str(tmp_path / "out")]) == 2
    said = one_line(capsys)
    assert said.startswith(f"harness: {server.url}/news: certificate verify failed: self")
    assert "SSL_CERT_FILE" in said


@needs_openssl
def test_nor_to_an_api_that_nobody_vouches_for(
    certificate: Certificate, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHSTREAM_TOKEN", "a-token-of-this-test")
    with KnownServer(never_speaks) as fans, known(tls=certificate.server) as server:
        whom = ("--target", f"127.0.0.1:{fans.endpoint.port}", "--http", server.url)
        assert main(["measure", *SMALL, *whom, "--out", str(tmp_path / "out")]) == 2
    said = one_line(capsys)
    assert said.startswith(f"harness: {server.url}: certificate verify failed: self")
    assert "SSL_CERT_FILE" in said
