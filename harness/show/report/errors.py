"""What can go wrong with a report, apart from what it needs not being installed."""

from harness.errors import HarnessError


class ReportError(HarnessError):
    """The report cannot be made; the message says what to change."""
