"""`make setup` names the Debian package that is missing, and installs nothing before."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.needs import needs

ROOT = Path(__file__).parents[1]


@needs("make", "make")
@pytest.mark.parametrize(
    ("python", "says"),
    [
        (None, "Python 3.11 or newer is needed: apt-get install python3 (or make PYTHON=… setup)"),
        ("exit 1", "Python 3.11 or newer is needed: apt-get install python3 (or make PYTHON=… setup)"),
        (
            'case "$2" in *ensurepip*) exit 1 ;; esac',
            "Python cannot make a virtual environment: apt-get install python3-venv",
        ),
    ],
    ids=["none", "an old one", "without venv"],
)
def test_it_says_what_to_install(python: str | None, says: str, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    program = tmp_path / "python3"
    if python is not None:
        program.write_text(f"#!/bin/sh\n{python}\n")
        program.chmod(0o755)
    done = subprocess.run(
        ["make", "setup", f"PYTHON={program}"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == says
    assert not (tmp_path / ".venv").exists()
