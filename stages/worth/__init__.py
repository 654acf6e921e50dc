"""What was measured of lessons, read from the results that lie in a checkout: what one is worth, what a door costs.

The server knows the harness by what it writes alone (as the harness knows the server by its commands), so there are
types of its own here for the few fields that are shown: `harness schema` describes them all.
"""

from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parents[2] / "reports" / "results"
"""Where those of this checkout lie; what is installed from a package has none."""


class ResultsError(Exception):
    """There are no results of lessons where they were looked for, or no such ones; the message says what to do."""
