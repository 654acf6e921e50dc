"""`harness doctor`, as one calls it."""

import signal

import pytest

from harness.cli import main
from tests.harness.targets.news_server import NewsServer
from tests.harness.targets.stream_server import StreamServer


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


def test_a_server_is_examined(capsys: pytest.CaptureFixture[str]) -> None:
    with NewsServer() as server:
        words = ("--hello", r"SUB news {user}\r\n", "--welcome", r"\n", "--answer", r"+OK\r\n")
        status = main(["doctor", "--target", f"tcp://127.0.0.1:{server.lines}", *words, "-N", "4", "-C", "4"])
    said = capsys.readouterr().out
    assert f"tcp://127.0.0.1:{server.lines}: 4 of N=4 served, C=4, ART " in " ".join(said.split())
    assert status in {0, 1}  # 1: others have the machine, which it tells


def test_what_holds_it_back_is_told_with_the_line_to_change(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    full = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with StreamServer(lambda fan: full if fan > 2 else stream, lambda _: []) as server:
        assert main(["doctor", "--target", f"http://127.0.0.1:{server.port}/", "-N", "6", "-C", "6"]) == 1
    said = capsys.readouterr().out
    assert "the server's own limit (sure): it turned 4 clients away itself (status 503)" in said
    assert "uvicorn --limit-concurrency" in said


def test_who_is_started_is_no_patient(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--stage", "0"]) == 2
    assert "the doctor looks at a server that runs already" in capsys.readouterr().err
