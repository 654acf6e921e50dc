"""How far somebody is in the tour, kept where programs keep such things (`common.state_home`)."""

import os
from pathlib import Path
from typing import Final

from common.state_home import NoStateHomeError, state_home

_FILE: Final = Path("matchstream", "tour")


def read_bookmark() -> str | None:
    """Return the lesson of the step that is next; None if there is none, or nowhere to keep it."""
    try:
        return (state_home(os.environ) / _FILE).read_text().strip() or None
    except (NoStateHomeError, OSError):
        return None


def put_bookmark(lesson: str | None) -> bool:
    """Keep the lesson of the step that is next, or nothing once it is over; return whether that could be kept."""
    try:
        file = state_home(os.environ) / _FILE
        if lesson is None:
            file.unlink(missing_ok=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{lesson}\n")
    except (NoStateHomeError, OSError):
        return False
    return True
