"""The named refusal of this package."""

from harness.errors import HarnessError


class PlacementError(HarnessError):
    """A trial cannot be made where it was asked to be made; the message says what would be needed."""
