"""Loads of HTTP requests, against servers of known behaviour, and beside ApacheBench."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from harness.commands.exits import exit_status
from harness.load.http import HttpPlan, HttpSamples, load_http
from harness.records.asked import AskedTarget
from harness.records.files import load
from harness.records.http import SCHEMA, HttpResult
from harness.records.machine import describe_machine
from harness.trial.figures.http import HttpHead, asked_http, http_result
from tests.harness.fake import fake_server, started, wait_until
from tests.harness.test_cli import command, run
from tests.needs import needs

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

BODY = b'{"port": 9999}'
TARGET = AskedTarget(name="known", stage=None, fans=(), http="http://known")
STALL_S = 0.5


class Handler(BaseHTTPRequestHandler):
    """Answers as the server of the test says, and counts."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment, or the second waits for the first to be acknowledged (40 ms)
    server: Known

    def do_GET(self) -> None:
        known = self.server
        with known.lock:
            known.requests += 1
            known.open_now += 1
            known.most_open = max(known.most_open, known.open_now)
        try:
            known.answer(self)
        finally:
            with known.lock:
                known.open_now -= 1

    def say(self, status: int = 200, **headers: str) -> None:
        """Answer with a status and the body that is known."""
        self.send_response(status)
        for name, value in (("Content-Length", str(len(BODY))), *headers.items()):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: Any) -> None:  # type: ignore[override]
        """Say nothing."""


class Known(ThreadingHTTPServer):
    """A server whose answers are known."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[Handler], None], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http" if tls is None else "https"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.answer = answer
        self.lock = threading.Lock()
        self.accepted = self.requests = self.open_now = self.most_open = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def get_request(self) -> Any:
        self.accepted += 1
        return super().get_request()


@contextmanager
def known(answer: Callable[[Handler], None] = Handler.say, tls: ssl.SSLContext | None = None) -> Iterator[Known]:
    server = Known(answer, tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def loaded(plan: HttpPlan) -> HttpResult:
    samples = HttpSamples.of(plan)
    load_http(plan, samples)
    return judged(plan, samples)


def judged(plan: HttpPlan, samples: HttpSamples, *, interrupted: bool = False) -> HttpResult:
    now = datetime.now(UTC)
    return http_result(HttpHead(now, asked_http(TARGET, "/", plan), describe_machine(), interrupted), samples)


@pytest.mark.parametrize(("keep_alive", "connections"), [(False, 40), (True, 4)])
def test_every_request_is_answered_over_so_many_connections(*, keep_alive: bool, connections: int) -> None:
    everybody = threading.Barrier(4)

    def answer(handler: Handler) -> None:
        everybody.wait(60)  # so each of the four has a connection of its own
        handler.say()

    with known(answer) as server:
        seen = loaded(HttpPlan("GET", server.url, 40, 4, keep_alive=keep_alive)).seen
    assert (seen.succeeded, seen.failures, seen.answered) == (40, {}, 40)
    assert seen.body_bytes == 40 * len(BODY)
    assert (server.requests, server.most_open, server.accepted) == (40, 4, connections)
    assert seen.response is not None
    assert seen.response.count == 40
    assert seen.service is None


def test_what_is_not_done_is_counted_by_what_happened() -> None:
    def answer(handler: Handler) -> None:
        match server.requests:
            case 1:
                handler.say(404)
            case 2:
                handler.say(302, Location="/elsewhere")
            case 3 | 4:
                handler.close_connection = True  # without a word
            case 5:
                patience.wait(60)
            case _:
                handler.say(201)

    patience = threading.Event()
    with known(answer) as server:
        result = loaded(HttpPlan("GET", server.url, 8, 1, timeout_s=5.0))
        patience.set()
    seen = result.seen
    assert seen.failures == {"302": 1, "404": 1, "broken off": 2, "timed out": 1}
    assert (seen.succeeded, seen.answered) == (3, 5)
    assert seen.body_bytes == 5 * len(BODY)
    assert seen.response is not None
    assert seen.response.count == 3
    assert not result.passed


def test_a_server_that_has_gone_is_counted() -> None:
    with known() as server:
        url = server.url
    assert loaded(HttpPlan("GET", url, 3, 2)).seen.failures == {"not connected": 3}


@pytest.mark.parametrize("rate", [None, 200.0], ids=["closed", "open"])
def test_only_an_open_load_sees_what_a_stall_costs(rate: float | None) -> None:
    stall = threading.Lock()
    held: list[int] = []

    def answer(handler: Handler) -> None:
        with stall:
            if server.requests == 50:
                held.append(server.open_now)
                time.sleep(STALL_S)
        handler.say()

    with known(answer) as server:
        seen = loaded(HttpPlan("GET", server.url, 200, 1, keep_alive=True, rate_per_s=rate)).seen
    assert seen.succeeded == 200
    assert seen.response is not None
    assert seen.response.max_s >= STALL_S
    assert held == [1]  # there is one connection
    waited_s = seen.response.mean_s * 200
    if rate is None:
        assert waited_s <= seen.took_s  # as if nobody else had wanted anything in the stall
    else:
        assert seen.service is not None
        assert seen.service.mean_s * 200 <= seen.took_s
        assert waited_s > 2 * seen.took_s
        assert seen.response.p90_s >= STALL_S / 2  # those that were due meanwhile waited


@given(st.integers(1, 50), st.one_of(st.none(), st.floats(0.001, 10_000)))
def test_requests_are_due_at_their_rate(requests: int, rate: float | None) -> None:
    plan = HttpPlan("GET", "", requests, 1, rate_per_s=rate)
    due_s = HttpSamples.of(plan).due_s
    assert list(due_s) == [0.0 if rate is None else number / rate for number in range(requests)]


def samples_of(plan: HttpPlan, done: int, *, service_s: float = 0.1, lag_s: float = 0.0) -> HttpSamples:
    """Return what a run leaves of which `done` requests were answered, each sent half a second after its moment."""
    samples = HttpSamples.of(plan)
    samples.sent_s[:done] = samples.due_s[:done] + 0.5
    samples.done_s[:done] = samples.sent_s[:done] + service_s
    samples.lag_s[:done] = lag_s
    samples.succeeded[:done] = True
    samples.statuses[200] = done
    samples.took_s, samples.cpu_s = 2.0, 1.0
    return samples


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_every_request_is_in_one_count(done: int, refused: int, failed: int, left: int) -> None:
    requests = max(1, done + refused + failed + left)
    plan = HttpPlan("GET", "", requests, 1)
    samples = samples_of(plan, done)
    samples.statuses[503] = refused
    samples.failures["timed out"] = failed
    seen = judged(plan, samples).seen
    assert seen.succeeded + sum(seen.failures.values()) == requests
    assert seen.answered == done + refused
    assert seen.requests_per_s == (done + refused) / 2.0
    assert (seen.response is None) is (done == 0)


def test_the_time_of_an_open_load_counts_from_the_moment_it_was_due() -> None:
    closed, opened = (HttpPlan("GET", "", 10, 1, rate_per_s=rate) for rate in (None, 5.0))
    seen = judged(opened, samples_of(opened, 10)).seen
    assert seen.response is not None
    assert seen.service is not None
    assert (seen.response.max_s, seen.service.max_s) == (pytest.approx(0.6), pytest.approx(0.1))
    seen = judged(closed, samples_of(closed, 10)).seen
    assert seen.response is not None
    assert (seen.response.max_s, seen.service) == (pytest.approx(0.1), None)


def test_figures_of_a_generator_that_could_not_keep_up_are_invalid() -> None:
    plan = HttpPlan("GET", "", 100, 4, rate_per_s=50.0)
    good = samples_of(plan, 100)
    assert judged(plan, good).passed
    late = judged(plan, samples_of(plan, 100, lag_s=0.2))
    assert not late.passed
    assert "the generator was late" in late.validity.reasons[0]
    good.cpu_s = 1.9
    assert "the generator was saturated: it used 95% of a core" in judged(plan, good).validity.reasons[0]
    good.took_s, good.cpu_s = 0.4, 0.4
    assert judged(plan, good).validity.valid  # too short to judge by CPU time
    broken_off = judged(plan, samples_of(plan, 60), interrupted=True)
    assert broken_off.seen.failures == {"not ended": 40}
    assert "interrupted after 2.0 s" in broken_off.validity.reasons[0]


def test_samples_of_nothing_make_a_result() -> None:
    plan = HttpPlan("GET", "", 3, 1)
    seen = judged(plan, samples_of(plan, 0)).seen
    assert (seen.response, seen.lag_p99_s, seen.lag_max_s) == (None, 0.0, 0.0)
    assert np.isnan(HttpSamples.of(plan).sent_s).all()


def stored(directory: Path) -> HttpResult:
    (file,) = directory.glob("*.json")
    return load(file, HttpResult, SCHEMA)


def test_the_command_writes_a_table_and_a_result(tmp_path: Path) -> None:
    with known() as server:
        done = run("http", "--http", server.url, "-n", "20", "-c", "3", "--path", "/1/matches", "--out", str(tmp_path))
    result = stored(tmp_path)
    assert (done.returncode, done.stderr) == (exit_status(result), "")
    assert "20 of 20 succeeded; failures: none" in done.stdout
    assert "coordinated omission" in " ".join(done.stdout.split())
    assert (result.asked.path, result.asked.method, result.asked.concurrency) == ("/1/matches", "GET", 3)
    assert not result.asked.keep_alive


def test_the_command_says_what_failed_and_prints_json(tmp_path: Path) -> None:
    with known(lambda handler: handler.say(503)) as server:
        asked = ("http", "--http", server.url, "-n", "5", "-k", "--rate", "100", "--out")
        failed = run(*asked, str(tmp_path))
        as_json = run(*asked, str(tmp_path / "json"), "--json")
    assert (failed.returncode, as_json.returncode) == (
        exit_status(stored(tmp_path)),
        exit_status(stored(tmp_path / "json")),
    )
    assert "0 of 5 succeeded; failures: 5 503" in failed.stdout
    assert "no request succeeded" in failed.stdout
    assert "open load" in failed.stdout
    assert as_json.stdout.encode() == next((tmp_path / "json").iterdir()).read_bytes()


def test_a_stage_is_started_and_loaded(tmp_path: Path) -> None:
    done = run("http", "--stage", "0", "-n", "20", "-c", "2", "--out", str(tmp_path))
    result = stored(tmp_path)
    assert (done.returncode, done.stderr) == (exit_status(result), "")  # others may have had the machine
    assert (result.asked.target.stage, result.seen.succeeded) == ("0", 20)


def test_events_are_posted_to_a_match_that_is_gone_afterwards(tmp_path: Path) -> None:
    words = ("-n", "30", "-c", "4", "--method", "POST", "--out", str(tmp_path))
    with fake_server("0") as server:
        url = f"http://127.0.0.1:{server.http}"
        done = run("http", "--http", url, *words, MATCHSTREAM_TOKEN=server.token)
        assert (done.returncode, done.stderr) == (exit_status(stored(tmp_path)), "")
        assert (server.posts(), server.matches()) == (30, 0)
        refused = run("http", "--http", url, *words, MATCHSTREAM_TOKEN="another")  # noqa: S106 -- is to be refused
    assert refused.returncode == 2
    assert "the token is wrong" in refused.stderr
    assert stored(tmp_path).seen.succeeded == 30


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_load_keeps_what_it_saw(tmp_path: Path, number: signal.Signals) -> None:
    with known() as server:
        words = command("http", "--http", server.url, "-n", "100000", "--rate", "50", "--out", str(tmp_path))
        with started(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_until(lambda: server.requests > 5)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr == "harness: interrupted: nothing was left behind\n"
    assert "INVALID" in stdout
    result = stored(tmp_path)
    assert result.interrupted
    assert result.seen.succeeded > 0
    assert result.seen.succeeded + result.seen.failures["not ended"] == 100_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give --stage 2.5, or --http URL"),
        (("--stage", "0", "--http", "http://127.0.0.1:1"), "give --stage 2.5, or --http URL"),
        (("--http", "http://127.0.0.1:1"), "nobody answers at http://127.0.0.1:1"),
        (("--http", "127.0.0.1:1"), "is no URL of an API"),
        (("--http", "http://127.0.0.1:1/1/matches"), "as --path"),
        (("--http", "http://127.0.0.1:1", "--nodes", "2"), "go with --stage"),
        (("--stage", "0", "--path", "matches"), "is no path"),
        (("--stage", "0", "--path", "/1/matches", "--method", "POST"), "--path goes with GET"),
        (("--stage", "none"), "there is no stage 'none'"),
        (("--stage", "0", "--method", "PUT"), "'PUT' is not one of"),
        (("--stage", "0", "-c", "0"), "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so
    assert main(["http", "-n", "3", *words, "--out", str(tmp_path / "out")]) == 2
    refused = capsys.readouterr()
    assert refused.out == ""
    (line,) = refused.err.splitlines()
    assert line.startswith("harness: ")
    assert said in line


def test_without_a_token_no_events_are_posted(tmp_path: Path) -> None:
    with known() as server:
        words = ("-n", "3", "--method", "POST", "--out", str(tmp_path))
        refused = run("http", "--http", server.url, *words, XDG_RUNTIME_DIR=str(tmp_path), MATCHSTREAM_TOKEN="")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "MATCHSTREAM_TOKEN" in line


@needs("ab", "apache2-utils")
def test_apachebench_sees_the_same(tmp_path: Path) -> None:
    n, c, at_least_s = 40, 4, 0.05

    def answer(handler: Handler) -> None:
        time.sleep(at_least_s)  # it is what this server does
        handler.say()

    with known(answer) as server:
        words = ["ab", "-q", "-n", str(n), "-c", str(c), f"{server.url}/1/checkin"]
        ab = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        done = run("http", "--http", server.url, "-n", str(n), "-c", str(c), "--out", str(tmp_path))
    assert done.returncode in {0, 3}, done.stderr  # 3: a machine too busy for valid figures

    def by_ab(label: str) -> float:
        found = re.search(rf"^{label}:\s+([\d.]+)", ab, re.MULTILINE)
        assert found is not None, ab
        return float(found[1])

    seen = stored(tmp_path).seen
    assert (by_ab("Complete requests"), by_ab("Failed requests")) == (seen.succeeded, seen.failures.get("503", 0))
    assert seen.failures == {}
    assert (by_ab("Document Length"), by_ab("HTML transferred")) == (seen.body_bytes / n, seen.body_bytes)
    assert seen.response is not None
    # Each has its own clock; what both say is that four at a time were answered, none of them before its time.
    for mean_s, took_s in (
        (by_ab("Time per request") / 1000, by_ab("Time taken for tests")),
        (seen.response.mean_s, seen.took_s),
    ):
        assert at_least_s <= mean_s <= took_s * c / n * 1.01  # it prints three digits
