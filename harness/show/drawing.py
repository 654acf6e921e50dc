"""What can keep a chart from being drawn that lies in no data: matplotlib, and how its user has set it.

It reads MPLBACKEND and a `matplotlibrc` when it is imported, which happens only where something is drawn, as it takes
half a second.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import HarnessError


class ChartError(HarnessError):
    """No chart can be drawn; the message says why, and what to look at."""


@contextmanager
def drawing() -> Iterator[None]:
    """Have `harness.show.charts` imported and used inside. Raise ChartError where matplotlib cannot."""
    try:
        yield
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise ChartError(f"no chart can be drawn ({why}): see MPLBACKEND, MPLCONFIGDIR and matplotlibrc") from error
