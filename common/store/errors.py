"""What can go wrong between a server and its Redis."""


class StoreUnavailableError(Exception):
    """Redis did not answer, or not in time. Whether a write that was under way took effect is not known."""


class ConflictError(Exception):
    """The match moved on since it was read (another writer, or a write whose answer was lost): read it again."""


class UnreadableRecordError(Exception):
    """What Redis holds under a key of ours is not what this version writes there."""


class RedisUrlError(Exception):
    """The address of a Redis cannot be read."""


class RedisNotFoundError(Exception):
    """No program of a Redis, Valkey or Redis itself, was found on this machine."""


class RedisStartError(Exception):
    """A Redis was started and did not get ready to answer."""
