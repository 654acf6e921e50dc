"""Which lessons a stage has, asked of its command line: the harness imports no stage."""

import subprocess
from collections.abc import Sequence
from typing import Final

from common.tuning.children import python_module
from harness.targets.target import TargetError

MATCHSTREAM: Final = tuple(python_module("stages"))
"""The server's command, as a user would type it."""

_TIMEOUT_S: Final = 60.0


def lessons_of(stage: str, command: Sequence[str] = MATCHSTREAM) -> tuple[str, ...]:
    """Return the names of the lessons of a stage, in the talk's order. Raise TargetError if there is no such stage."""
    try:
        listed = subprocess.run(  # noqa: S603 -- this project's own program; no shell
            (*command, "lessons", "--stage", stage), capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split()).removeprefix("matchstream: ")
        raise TargetError(f"stage {stage}: its lessons cannot be listed: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(f"stage {stage}: its lessons cannot be listed: {error}") from error
    return tuple(line.split()[0] for line in listed.stdout.splitlines() if line.strip())
