"""Finding out whether a Redis belongs to a cluster. The URL then says so, and nobody need ask again."""

import asyncio
from itertools import pairwise

from redis.exceptions import RedisError

from common.store.endpoint import CLUSTER_SUFFIX, RedisEndpoint
from common.store.errors import StoreUnavailableError

_TCP = ("redis", "rediss")


async def with_cluster(url: str, *, timeout_s: float = 5.0) -> str:
    """Return `url`; if its server belongs to a Redis Cluster, with `+cluster` added to its scheme.

    One that is reached through a Unix socket counts as no cluster: its other servers have none here. Raise
    StoreUnavailableError if it does not answer within `timeout_s`, RedisUrlError.
    """
    scheme, colon, rest = url.partition(":")
    endpoint = RedisEndpoint(url, timeout_s)
    if scheme not in _TCP:
        return url
    try:
        async with asyncio.timeout(timeout_s):
            is_cluster = await _is_cluster(endpoint)
    except TimeoutError:
        raise StoreUnavailableError(
            f"Redis at {endpoint.address} did not answer within {timeout_s:g} s: check that it runs"
        ) from None
    except (RedisError, OSError) as error:
        raise StoreUnavailableError(endpoint.explain(error)) from None
    return scheme + CLUSTER_SUFFIX * is_cluster + colon + rest


async def _is_cluster(endpoint: RedisEndpoint) -> bool:
    connection = endpoint.first_connection()
    try:
        await connection.connect()
        # What HELLO says of the mode INFO would say, too, but many a user may not ask for that.
        await connection.send_packed_command(connection.pack_commands([("HELLO",)]))
        return (b"mode", b"cluster") in pairwise(await connection.read_response())
    finally:
        await connection.disconnect(nowait=True)
