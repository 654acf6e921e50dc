"""What a connection takes of the memory, from two readings: pure."""

from harness.records.usage import Memory
from harness.trial.memory import AtRest, Reading, Sizes


def memory_seen(before: Reading, rest: AtRest, t0: float) -> Memory:
    """Return the section of a result; both readings are by the same measure, PSS where it was to be had for all."""
    now = rest.reading
    sizes = [size for size in (before.server, now.server, before.redis, now.redis) if size is not None]
    has_pss = all(size.pss is not None for size in sizes)
    return Memory(
        measure="PSS" if has_pss else "RSS",
        moment=rest.moment,
        at_s=now.at - t0,
        connections=rest.connections,
        server_before_bytes=_bytes(before.server, has_pss=has_pss),
        server_bytes=_bytes(now.server, has_pss=has_pss),
        redis_before_bytes=None if before.redis is None else _bytes(before.redis, has_pss=has_pss),
        redis_bytes=None if now.redis is None else _bytes(now.redis, has_pss=has_pss),
        slab_growth_bytes=now.slab - before.slab,
        sockets_growth_bytes=now.sockets - before.sockets,
    )


def _bytes(sizes: Sizes, *, has_pss: bool) -> int:
    return sizes.pss if has_pss and sizes.pss is not None else sizes.rss
