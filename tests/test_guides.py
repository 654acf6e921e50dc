"""The commands of README and of the site's pages: each is one that the programs take, and the cheap ones are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from common.domain.script import SAMPLE
from harness.records.files import write
from harness.show.page_figures import filled
from stages.nginx import LISTEN_FANS
from tests.harness.results import a_result
from tests.needs import needs
from tests.printed_commands import COMMANDS_OF, assert_is_taken, blocks, words_of
from tests.stages.serving import TOKEN, ServerProcess, environment, run

ROOT: Final = Path(__file__).parents[1]
CURL: Final = shutil.which("curl")
PROGRAMS: Final = {"make", "matchstream", "harness", "telnet", "curl", "/usr/sbin/nginx"}
MODULES: Final = {"matchstream": "stages.cli", "harness": "harness.cli"}


GUIDES: Final = (ROOT / "README.md", *sorted((ROOT / "docs" / "pages").rglob("*.md")))
COMMANDS: Final = [
    line for guide in GUIDES for block in blocks(guide) if block[0].split()[0] in PROGRAMS for line in block
]


def commands(program: str) -> list[str]:
    """Return the lines that call a program; there must be some."""
    found = [line for line in COMMANDS if words_of(line)[0] == program]
    assert found, program
    return found


def test_every_line_of_a_block_of_commands_is_one() -> None:
    assert {words_of(line)[0] for line in COMMANDS} == PROGRAMS


@pytest.mark.parametrize("line", [*commands("matchstream"), *commands("harness")])
def test_a_command_is_taken_as_it_is_printed(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "match.toml").write_text('stage = "4"\n')
    monkeypatch.chdir(tmp_path)
    assert_is_taken(words_of(line))


@needs("make", "make")
@pytest.mark.parametrize("line", commands("make"))
def test_make_has_what_is_printed(line: str) -> None:
    subprocess.run([*words_of(line), "--dry-run", "--silent"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_a_fan_comes_in_at_the_door_that_is_served() -> None:
    serve = COMMANDS_OF["matchstream"].commands["serve"]  # type: ignore[attr-defined]
    served = serve.make_context("serve", ["--stage", "0"]).params["port"]
    assert {tuple(words_of(line)) for line in commands("telnet")} == {
        ("telnet", "127.0.0.1", str(port)) for port in (served, LISTEN_FANS)
    }


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which this project's programs are found by their names."""
    directory = tmp_path / "bin"
    directory.mkdir()
    quiet = f"{CURL} --silent --show-error"  # it shows its progress where it does not write to a terminal
    for name, runs in (
        *((name, f'"{sys.executable}" -m {module}') for name, module in MODULES.items()),
        ("curl", quiet),
    ):
        program = directory / name
        program.write_text(f'#!/bin/sh\nexec {runs} "$@"\n')
        program.chmod(0o755)
    path = f"{directory}:{os.environ['PATH']}"
    return environment(tmp_path, PATH=path, PYTHONPATH=str(ROOT), MATCHSTREAM_TOKEN=TOKEN)


def shell(line: str, programs: dict[str, str], directory: Path) -> str:
    """Run a line in a directory, as it is; return what it prints."""
    done = subprocess.run(["sh", "-c", line], cwd=directory, env=programs, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), line
    return done.stdout


def test_nginx_has_a_configuration(programs: dict[str, str], tmp_path: Path) -> None:
    (line,) = [line for line in commands("matchstream") if "nginx.conf" in line]
    assert shell(line, programs, tmp_path) == ""
    assert "server 127.0.0.1:10002" in (tmp_path / "nginx.conf").read_text()


def test_results_are_compared(programs: dict[str, str], tmp_path: Path) -> None:
    (line,) = [line for line in commands("harness") if "compare" in line]
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        for repeat in ("one", "two", "three"):
            write(tmp_path / name / f"{repeat}.json", a_result())
    assert "no change seen" in shell(line, programs, tmp_path)


RESULTS: Final = ROOT / "reports" / "results"
FIGURES: Final = re.compile(r"<!-- figures -->(.*?)<!-- end of figures -->", re.DOTALL)
A_FIGURE: Final = re.compile(r"\d[\d.,]*\s*(?:µs|ms|s\b|%|KiB|B\b|times|fans|connections)|N = \d|C = \d")
"""A number that was measured, as prose has it."""
A_MARKED_ONE: Final = re.compile(r"<!-- [^/ ][^>]* -->(?:(?!<!--).)*<!-- / -->", re.DOTALL)
"""A figure that is filled in from the results: see `harness.show.page_figures`."""


def test_no_figure_in_a_section_of_figures_is_written_by_hand() -> None:
    sections = [section for guide in GUIDES for section in FIGURES.findall(guide.read_text())]
    assert len(sections) > 1
    for section in sections:
        assert A_FIGURE.findall(A_MARKED_ONE.sub("", section)) == []


@pytest.mark.skipif(not any(RESULTS.glob("*/machine.json")), reason="needs results: make lab report")
def test_the_figures_are_those_of_the_results() -> None:
    for page in (guide.read_text() for guide in GUIDES):
        assert filled(page, RESULTS) == page


@needs("curl", "curl")
def test_the_api_answers_what_is_asked_of_it(programs: dict[str, str], tmp_path: Path) -> None:
    posting, *reading = (line for line in commands("curl") if "/stream" not in line)
    with ServerProcess("0", tmp_path) as server:

        def asked(line: str) -> str:
            return shell(line.replace("127.0.0.1:8888", server.url.removeprefix("http://")), programs, tmp_path)

        played = run(programs, "play", SAMPLE, "--url", server.url, "--speed", "60000")
        assert (played.status, played.stderr) == (0, "")
        assert "ended" in json.loads(asked(posting))["error"]  # it was authorized, and understood
        statistics, metrics, ready = map(asked, reading)
    assert json.loads(statistics)["connections"] == 0
    assert "matchstream_connections" in metrics
    assert json.loads(ready) == {"status": "ready"}


@needs("curl", "curl")
def test_a_browser_is_served_by_stage_4_as_make_runs_it(programs: dict[str, str], tmp_path: Path) -> None:
    (watching,) = (line for line in commands("curl") if "/stream" in line)
    with ServerProcess("4", tmp_path, "--workers", "0", "--browser-port", "0") as server:
        played = run(programs, "play", SAMPLE, "--url", server.url, "--speed", "60000")
        assert (played.status, played.stderr) == (0, "")
        assert "127.0.0.1:7777/" in watching
        told = shell(watching.replace(":7777", f":{server.browser_ports[0]}").replace("-N", "-sN"), programs, tmp_path)
    assert '"kind":"status"' in told
    assert '"period":"ended"' in told
