"""What can go wrong between a server and its Redis."""


class StoreUnavailableError(Exception):
    """Redis did not do what was asked. But for an UnknownOutcomeError nothing was changed by it, nor will be."""


class UnknownOutcomeError(StoreUnavailableError):
    """What was asked is on its way, and no answer came: a write may have been made."""


class WrongTypeError(StoreUnavailableError):
    """Redis holds a value of another type under a key of ours; nothing was done."""

    SAYS = "WRONGTYPE"
    """How Redis's error begins."""


class ConflictError(Exception):
    """The match moved on since it was read (another writer, or a write whose answer was lost): read it again."""


class UnreadableRecordError(Exception):
    """What Redis holds under a key of ours is not what this version writes there: another version did, or no server."""


class RedisUrlError(Exception):
    """The address of a Redis cannot be read."""


class RedisNotFoundError(Exception):
    """No program of a Redis, Valkey or Redis itself, was found on this machine."""


class RedisStartError(Exception):
    """A Redis was started and did not get ready to answer."""
