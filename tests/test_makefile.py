"""What `make` runs, and what it says when it cannot: the Makefile itself, with other programs in place of the real."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from common.domain.script import SAMPLE, load_script
from stages.catalogue import STAGES
from tests.needs import needs

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[1]

pytestmark = needs("make", "make")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a directory with what `make` reads, in which nothing is set up."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.fixture
def make(project: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs `make` there, with these words, and nothing of a `make` that runs the tests."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}

    def make(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["make", *words], cwd=project, env=environ, capture_output=True, text=True, check=False)

    return make


def program(directory: Path, script: str) -> Path:
    """Return a program of the test's own."""
    file = directory / "program"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_every_target_is_listed(make: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    listed = {line.split()[0] for line in make().stdout.splitlines()}
    assert listed >= {"setup", "demo", "test", "test-all", "check", "lab", "stage-2.3"}
    for target in listed - {"stage-2.3"}:
        assert make("--dry-run", target).returncode == 0


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_run_with_the_sample_match(
    make: Callable[..., subprocess.CompletedProcess[str]], project: Path, stage: str
) -> None:
    binaries = project / "bin"
    binaries.mkdir()
    program(binaries, 'echo "$@"').rename(binaries / "matchstream")
    ran = make("--assume-old=.venv/runtime", f"BIN={binaries}", f"stage-{stage}", "run")
    assert (ran.returncode, ran.stderr) == (0, "")
    browsers = ["--browser-port", "7777"] if stage == "4" else []
    assert ran.stdout.split() == ["serve", "--stage", stage, "--play", SAMPLE, "--speed", "60", "--loop", *browsers]
    assert load_script(SAMPLE).steps


def test_half_of_a_command_is_refused(make: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    for words, says in ((("stage-0",), "make stage-0 run"), (("run",), "say which stage: make stage-0 run")):
        refused = make("--assume-old=.venv/runtime", *words)
        assert refused.returncode == 2
        assert says in refused.stderr.splitlines()[0]


@pytest.mark.parametrize(("lacks", "package"), [("version_info", "python3"), ("venv", "python3-venv")])
def test_setup_names_the_package_that_is_missing(
    make: Callable[..., subprocess.CompletedProcess[str]], project: Path, lacks: str, package: str
) -> None:
    python = program(project, f'case "$*" in *{lacks}*) exit 1 ;; esac')
    refused = make(f"PYTHON={python}", "setup")
    assert refused.returncode == 2
    (said, _) = refused.stderr.splitlines()
    assert f"apt-get install {package}" in said
    assert not (project / ".venv").exists()
