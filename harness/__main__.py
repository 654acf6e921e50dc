"""`python -m harness`, and the command `harness`.

A server alone is installed without what the harness needs (the extra `harness`); the command is there all the same, and
says so.
"""

from __future__ import annotations

import sys

_OURS = frozenset({"common", "harness", "stages"})


def main() -> int:
    """Run the command line and return the exit status, 2 where something that it needs is not installed."""
    try:
        from harness.cli import main as run  # noqa: PLC0415 -- it needs what may not be there
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _OURS:
            raise
        told = f"harness: {missing} is not installed: pip install 'matchstream-lab[harness]'"
        print(told, file=sys.stderr)  # noqa: T201 -- nothing of the harness is there to say it
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
