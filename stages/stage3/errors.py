"""What can go wrong between a node and the writer of the system."""


class FencedError(Exception):
    """Another writer has taken over since; nothing was done."""
