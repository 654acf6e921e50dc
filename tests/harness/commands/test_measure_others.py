"""`harness measure` and `harness search` with servers that are none of this project's."""

import signal
from pathlib import Path

import pytest

from harness.cli import main
from harness.commands import pages
from harness.records.kinds import load_record
from harness.records.search import SearchResult
from harness.targets import one_fan
from tests.harness.results import load_result
from tests.harness.targets.news_server import NewsServer
from tests.harness.targets.stream_server import StreamServer

SMALL = ("-N", "6", "-C", "3", "--interval", "0.02")


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


def test_a_server_described_by_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with NewsServer() as server:
        address = f"tcp://127.0.0.1:{server.lines}"
        dialogue = ("--hello", r"SUB news {user}\r\n", "--welcome", r"\n", "--answer", r"+OK\r\n", "--error", "-ERR")
        words = ("--target", address, *dialogue, "--mark", "event #", "--slo", "failures=0", "--out", str(tmp_path))
        assert main(["measure", *SMALL, *words]) in {0, 3}
    (stored,) = tmp_path.glob("tcp-127.0.0.1-*.json")
    result = load_result(stored)
    assert (result.asked.target.name, result.seen.fans.served) == (address, 6)
    assert result.verdict.met
    said = " ".join(capsys.readouterr().out.split())
    assert "6 of 6 served" in said
    assert "say how they are posted (--http, [publish])" in said  # what looks like rich's markup is text


def test_a_page_and_a_report_for_ci(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    with NewsServer() as server:
        url = f"http://127.0.0.1:{server.http}/stream"
        words = ("--target", url, "--slo", "failures<1%", "--out", str(tmp_path / "out"))
        assert main(["measure", *SMALL, *words, "--report", str(page), "--junit", str(junit)]) in {0, 3}
    assert f"<h1>{url}: N = 6, C = 3 every 20.0 ms</h1>" in page.read_text()
    assert 'name="failures&lt;1%"' in junit.read_text()
    assert "6 of 6 served" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--report", "--junit", "--raw"])
def test_a_file_that_cannot_be_written_is_told_before_anybody_comes(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with NewsServer() as server:
        words = ("measure", *SMALL, f"http://127.0.0.1:{server.http}/stream", "--out", str(tmp_path / "out"))
        for path, why in ((tmp_path, "is a directory"), (tmp_path / "no" / "x", "cannot be written (No such file or")):
            assert main([*words, option, str(path)]) == 2
            said = capsys.readouterr()
            assert said.out == ""
            assert said.err.startswith(f"harness: {path}: {why}")
            assert said.err.endswith(f": choose another {option}\n")
        assert server.users == []
    assert list(tmp_path.iterdir()) == []


def test_figures_are_told_where_a_page_cannot_be_written_any_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "try_file", lambda *_: None)  # the disk is full only later
    with NewsServer() as server:
        words = ("--target", f"http://127.0.0.1:{server.http}/stream", "--out", str(tmp_path / "out"))
        assert main(["measure", *SMALL, *words, "--report", str(tmp_path / "none" / "page.html")]) == 2
    said = capsys.readouterr()
    assert "6 of 6 served" in said.out
    assert said.err.endswith("cannot be written (No such file or directory): choose another --report\n")


def test_a_search_of_a_server_described_by_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("LONGEST_LAG_S", "SHORTEST_LAG_S", "LONGEST_STANDSTILL_S", "BUSIEST"):
        monkeypatch.setattr(f"harness.trial.figures.validity.{limit}", 60.0)  # others may have the machine for a while
    with NewsServer() as server:
        address = f"tcp://127.0.0.1:{server.lines}"
        dialogue = ("--hello", r"SUB news {user}\r\n", "--welcome", r"\n", "--answer", r"+OK\r\n", "--mark", "event #")
        levels = ("--floor", "2", "--ceiling", "4", "--repeats", "1", "--slo", "failures=0")
        assert main(["search", "--for", "N", "--target", address, *dialogue, *levels, "--out", str(tmp_path)]) == 0
    (stored,) = tmp_path.glob("*.json")
    found = load_record(stored)
    assert isinstance(found, SearchResult)
    assert (found.asked.target.name, found.last_pass) == (address, 4)


@pytest.mark.parametrize("words", [("measure", *SMALL), ("search", "--for", "N", "--floor", "2", "--ceiling", "4")])
@pytest.mark.parametrize("by", ["options", "file"])
def test_a_greeting_that_was_not_described_is_not_taken_for_the_answer(
    words: tuple[str, ...], by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_fan, "GREETING_WAIT_S", 60.0)  # until it has spoken, whoever has the machine meanwhile
    file = tmp_path / "news.toml"
    with NewsServer() as server:
        address = f"tcp://127.0.0.1:{server.lines}"
        file.write_text(f"address = '{address}'\nhello = 'SUB news {{user}}\\r\\n'\n")
        whom = (str(file),) if by == "file" else (address, "--hello", r"SUB news {user}\r\n")
        assert main([*words, "--target", *whom, "--out", str(tmp_path / "out")]) == 2
        assert server.users == []
    name = "news" if by == "file" else address
    said = r"the server speaks first; it said 'news v1\n': say how its greeting ends, with --welcome"
    assert capsys.readouterr().err == f"harness: {name}: {said} (in a file: welcome_end)\n"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_server_that_refuses_everybody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with NewsServer() as server:
        address = f"tcp://127.0.0.1:{server.lines}"
        dialogue = ("--hello", r"SUB\r\n", "--welcome", r"\n", "--answer", r"+OK\r\n", "--error", "-ERR")
        assert main(["measure", *SMALL, "--target", address, *dialogue, "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"harness: {address}: the answer is a refusal; it said '-ERR what?\\r\\n'\n"


def test_a_server_that_answers_no_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = b"limit of 200 streams per client reached"
    answer = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)
    with StreamServer(lambda _: answer, lambda _: []) as server:
        url = f"http://127.0.0.1:{server.port}/"
        assert main(["measure", *SMALL, "--target", url, "--out", str(tmp_path)]) == 2
    says = f"harness: {url}: answers 429 Too Many Requests; it said '{said.decode()}'\n"
    assert capsys.readouterr().err == says


def test_a_server_that_answers_a_stream_to_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 5\r\n\r\n 200 "
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with StreamServer(lambda fan: full if fan > 2 else stream, lambda _: []) as server:
        words = ("--target", f"http://127.0.0.1:{server.port}/", "--out", str(tmp_path))
        assert main(["measure", *SMALL, *words]) in {1, 3}
    assert "2 of 6 served; failures: 4 status 429" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("measure", *SMALL, "--peer", "rabbit"), "there is no peer 'rabbit': give one of redis, nats,"),
        (("search", "--for", "N", "--peer", "rabbit"), "there is no peer 'rabbit': give one of redis, nats,"),
        (("measure", *SMALL, "--peer", "redis", "--stage", "0"), "give --stage or --peer, not both"),
        (("measure", *SMALL, "--target", "tcp://127.0.0.1:1"), "what does a fan say there?"),
        (("measure", *SMALL, "--target", "/no/such.toml"), "/no/such.toml: cannot be read: No such file or directory"),
        (("measure", *SMALL, "--target", "http://127.0.0.1:1/x"), "nobody answers at http://127.0.0.1:1/x"),
        (("measure", *SMALL, "--target", "http://127.0.0.1:1", "--events", "3"), "nobody takes events there"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    words: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--out", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("harness: ")
    assert captured.err.count("\n") == 1
    assert says in captured.err
