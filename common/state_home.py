"""Where a user's programs keep what is to be there the next time (XDG Base Directory Specification)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "XDG_STATE_HOME"


class NoStateHomeError(Exception):
    """There is no directory that is this user's own; the message says in one line which variable to set."""


def state_home(environ: Mapping[str, str]) -> Path:
    """Return $XDG_STATE_HOME, else ~/.local/state; a relative path there is to be ignored.

    Raise NoStateHomeError for a user without a home: no $HOME, and no entry in the password file, as one that a
    container invents.
    """
    given = Path(environ.get(VARIABLE, ""))
    if given.is_absolute():
        return given
    home = environ.get("HOME")
    try:
        return (Path(home) if home else Path.home()) / ".local" / "state"
    except RuntimeError:
        raise NoStateHomeError(f"this user has no home directory: set HOME or {VARIABLE}") from None
