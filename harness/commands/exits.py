"""With which exit status a command tells how a measurement went, for scripts and CI."""

from typing import Final

from harness.records.http import HttpResult
from harness.records.trial import TrialResult

MISSED: Final = 1
INVALID: Final = 3


def exit_status(result: TrialResult | HttpResult) -> int:
    """Return 0 where the result is valid and good, MISSED where it is valid, INVALID where it says nothing."""
    if not result.validity.valid:
        return INVALID
    return 0 if result.passed else MISSED
