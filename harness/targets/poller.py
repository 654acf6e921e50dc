"""Asks the nodes of a server for their statistics."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from common.addresses import AddressError, join, parse
from common.http.client import ApiError, ApiUnreachableError, ReporterClient
from harness.targets.target import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from common.http.statistics import Statistics, StatisticsQuery

TIMEOUT_S: Final = 2.0
"""How long a node may take to answer before it counts as away."""


def urls_of(addresses: Iterable[str]) -> list[str]:
    """Return the URLs of APIs: an `http://…` as it is, and one for each port of HOST:PORT[-PORT]. Raise TargetError."""
    urls = []
    for address in addresses:
        if address.startswith(("http://", "https://")):
            urls.append(address.rstrip("/"))
            continue
        try:
            found = parse(address)
        except AddressError as error:
            raise TargetError(str(error)) from None
        urls += [f"http://{join(found.host, port)}" for port in found.ports]
    return list(dict.fromkeys(urls))


@dataclass(frozen=True, slots=True)
class Polled:
    """The statistics of a node, and the moment at which they came, in seconds of time.monotonic."""

    at_s: float
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class Look:
    """The last that was seen of a node, what was seen the time before, and why it did not answer, if it did not."""

    address: str
    now: Polled | None = None
    before: Polled | None = None
    away: str | None = None

    def next(self, seen: Polled) -> Look:
        """Return the look after this one. A node that was started anew has no past, nor has another one there."""
        last = self.now
        is_same = (
            last is not None
            and last.statistics.node == seen.statistics.node
            and last.statistics.uptime_s < seen.statistics.uptime_s
        )
        return Look(self.address, seen, last if is_same else None)

    def missed(self, why: str) -> Look:
        """Return the look after this one if the node did not answer."""
        return Look(self.address, self.now, self.before, why)

    def rate(self, now: float, before: float | None) -> float | None:
        """Return how much a count grew in a second; None where there is nothing to compare with."""
        if self.now is None or self.before is None or before is None or now < before:
            return None
        passed_s = self.now.at_s - self.before.at_s
        return (now - before) / passed_s if passed_s > 0 else None


class Poller:
    """Looks at the nodes behind some URLs, side by side; an async context manager.

    A node that does not answer within `timeout_s` is away, and asked again the next time. Several ports may be of one
    node: the first that answers for it is asked from then on, the others are left alone.
    """

    def __init__(self, urls: Sequence[str], timeout_s: float = TIMEOUT_S) -> None:
        self._clients = {url: ReporterClient(url, timeout=timeout_s) for url in urls}
        self._looks = {url: Look(url) for url in urls}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the connections."""
        async with AsyncExitStack() as stack:
            for client in self._clients.values():
                await stack.enter_async_context(client)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        await self._stack.aclose()

    async def poll(self, query: StatisticsQuery) -> list[Look]:
        """Ask every node once, and return what is known of each, the ones that do not answer included."""
        asked = list(self._looks)
        for look in await asyncio.gather(*(self._look(url, query) for url in asked)):
            self._looks[look.address] = look
        self._leave_alone()
        return list(self._looks.values())

    async def _look(self, url: str, query: StatisticsQuery) -> Look:
        look = self._looks[url]
        try:
            seen = await self._clients[url].statistics(query)
        except (ApiError, ApiUnreachableError) as error:
            return look.missed(str(error))
        return look.next(Polled(time.monotonic(), seen))

    def _leave_alone(self) -> None:
        known: set[str] = set()
        for url, look in list(self._looks.items()):
            if look.now is None:
                continue
            if look.now.statistics.node in known:
                del self._looks[url]
            known.add(look.now.statistics.node)
