"""What can go wrong between a server and its Redis."""


class StoreUnavailableError(Exception):
    """Redis did not answer, or not in time. Whether a write that was under way took effect is not known."""


class ConflictError(Exception):
    """The match moved on since it was read (another writer, or a write whose answer was lost): read it again."""
