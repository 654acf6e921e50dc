"""A wheel in an environment that has nothing else of ours: it serves and plays alone, and measures with its extra.

Nothing is fetched. What the wheel needs is what this environment has: each of those packages is linked into another
one, and no others, so what is not declared is not there.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest
from packaging.utils import canonicalize_name

from common.domain.script import SAMPLE
from common.tuning.children import command_that_dies_with_parent
from tests.harness.results import load_result
from tests.stages.fan import Fan
from tests.stages.serving import TOKEN, ServerProcess, environment
from tests.stages.waiting import DEADLINE_S
from tests.test_packaging import ROOT, needed

PYTHON: Final = ".".join(map(str, sys.version_info[:2]))
PAGES: Final = ("common/http/site", "stages/stage4/pages")
WEB: Final = frozenset({".html", ".css", ".js"})
SOURCES: Final = ("common", "stages", "harness", "pyproject.toml", "README.md", "LICENSE")


class Installed(ServerProcess):
    """A server that is started by the command which a wheel has brought."""

    def __init__(self, program: Path, stage: str, directory: Path, environ: dict[str, str]) -> None:
        super().__init__(stage, directory, environ=environ)
        words = (str(program), "serve", "--stage", stage, "--port", "0", "--http-port", "0")
        self._command = command_that_dies_with_parent(words)


def run(*words: object, directory: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)), cwd=directory, env=environ, capture_output=True, text=True, check=False
    )


def built(directory: Path) -> Path:
    """Return a wheel of this checkout, built where what an earlier one left cannot get into it."""
    source = directory / "source"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--disable-pip-version-check")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", directory, source], check=True, cwd=directory
    )
    (wheel,) = directory.glob("*.whl")
    return wheel


def installed(wheel: Path, directory: Path) -> tuple[Path, Path]:
    """Return where a new environment has its programs and its packages: a wheel, and what that needs by itself."""
    venv.create(directory)
    at = {"base": str(directory), "platbase": str(directory)}
    scripts, packages = (Path(sysconfig.get_path(name, "venv", at)) for name in ("scripts", "purelib"))
    link("matchstream-lab", packages)
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    pip = (sys.executable, "-m", "pip", "--python", str(scripts / "python"), "install", *options)
    subprocess.run([*pip, wheel], check=True, cwd=directory)
    return scripts, packages


def link(wanting: str, packages: Path) -> None:
    """Have an environment import what this one has of all that a requirement leads to, but for the project itself."""
    there = {canonicalize_name(one.metadata["Name"]): one for one in metadata.distributions()}
    for name in needed(PYTHON, wanting).keys() & there.keys() - {"matchstream-lab"}:
        for top in {file.parts[0] for file in there[name].files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(str(there[name].locate_file(top)))


async def watched(address: tuple[str, int]) -> list[str]:
    """Come again until there is a match, and return the kinds of all that is heard of it."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with Fan(address) as fan:
                await fan.greet("me")
                await fan.read_to_end()
                if len(fan.kinds) > 1:
                    return fan.kinds


@pytest.mark.slow
async def test_a_wheel_serves_and_plays_alone_and_measures_with_its_extra(tmp_path: Path) -> None:
    wheel = built(tmp_path)
    names = ZipFile(wheel).namelist()
    assert {f"{package}/py.typed" for package in ("common", "stages", "harness")} <= set(names)
    pages = {str(path.relative_to(ROOT)) for place in PAGES for path in (ROOT / place).iterdir() if path.suffix in WEB}
    assert {path.rpartition(".")[2] for path in pages} == {"html", "css", "js"}
    assert pages | {"common/http/site/uPlot.LICENSE"} <= set(names)
    scripts, packages = installed(wheel, tmp_path / "venv")
    environ = environment(tmp_path, MATCHSTREAM_TOKEN=TOKEN, PATH=f"{scripts}:{os.environ['PATH']}")
    environ.pop("PYTHONPATH", None)
    matchstream, harness = scripts / "matchstream", scripts / "harness"
    with Installed(matchstream, "4", tmp_path, environ) as server:
        words = (matchstream, "play", SAMPLE, "--url", server.url, "--speed", "15000", "--loop")
        play = await asyncio.create_subprocess_exec(
            *words, cwd=tmp_path, env=environ, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            kinds = await watched(next(server.fan_addresses()))
        finally:
            play.terminate()
            await play.wait()
    assert (kinds[0], kinds[-1]) == ("status", "stop")
    assert "Traceback" not in server.log()
    doctor = run(matchstream, "doctor", directory=tmp_path, environ=environ)
    assert (doctor.returncode, doctor.stderr) == (0, "")

    refused = run(harness, "tune", "check", directory=tmp_path, environ=environ)
    assert (refused.returncode, refused.stdout) == (2, "")
    (line,) = refused.stderr.splitlines()
    assert line.endswith(" is not installed: pip install 'matchstream-lab[harness]'")

    link("matchstream-lab[harness]", packages)
    checked = run(harness, "tune", "check", "million", directory=tmp_path, environ=environ)
    assert "net.core.somaxconn" in checked.stdout
    assert checked.stderr == ""
    few = ("-N", "20", "-C", "5", "--interval", "0.02", "--events", "2", "--rate", "50")
    measured = run(harness, "measure", "--stage", "0", *few, "--out", "out", directory=tmp_path, environ=environ)
    assert measured.stderr == ""
    (stored,) = (tmp_path / "out").glob("*.json")
    assert load_result(stored).seen.fans.served == 20
