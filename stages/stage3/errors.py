"""What can go wrong between a node and the writer of the system."""


class FencedError(Exception):
    """Another writer has taken over since, or Redis was set back; nothing was done."""
