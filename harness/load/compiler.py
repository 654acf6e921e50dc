"""Compiles the project's two small C programs where they are used: one compiled elsewhere may not run here."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from harness.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

FLAGS: Final = ("-O2", "-Wall", "-Wextra", "-Werror")

_PACKAGES: Final = "apt-get install gcc libc6-dev"


class CompilerError(HarnessError):
    """There is no C compiler, or it does not compile; the message says what to install."""


def find_compiler() -> str:
    """Return the path of the C compiler, `cc`. Raise CompilerError if there is none."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise CompilerError(f"there is no C compiler (cc) on this machine: {_PACKAGES}")
    return compiler


def compile_c(compiler: str, source: Path, program: Path) -> None:
    """Compile a source into the file `program`. Raise CompilerError with the compiler's first error."""
    done = subprocess.run([compiler, *FLAGS, "-o", program, source], capture_output=True, text=True, check=False)  # noqa: S603 - our own source
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or [f"status {done.returncode}"]
        raise CompilerError(f"{compiler} cannot compile {source.name}: {errors[0]}: {_PACKAGES}")
