"""From two looks at a node to the rows of a table: rates are what was added between them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.http.statistics import Statistics
    from common.otp.survey import KindStatistics, ProcessStatistics


@dataclass(frozen=True, slots=True)
class Seen:
    """The statistics of a node, and the moment at which they came, in seconds of time.monotonic."""

    at_s: float
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class Look:
    """The last that was seen of a node, what was seen the time before, and why it did not answer, if it did not."""

    address: str
    now: Seen | None = None
    before: Seen | None = None
    away: str | None = None

    def next(self, seen: Seen) -> Look:
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


@dataclass(frozen=True, slots=True)
class ActorRow:
    """An actor, or all of a kind together; `per_s` are messages handled a second, None where that is not known."""

    name: str
    kind: str
    node: str
    mailbox: int
    messages: int
    per_s: float | None
    restarts: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node: rates are None where they are not known, `cpu` is the share of a core, `lag_s` the longest of late."""

    node: str
    uptime_s: float
    connections: int
    accepts_per_s: float | None
    deliveries_per_s: float | None
    drops: int
    lag_s: float | None
    cpu: float | None
    rss_bytes: int
    away: bool


def node_row(look: Look) -> NodeRow | None:
    """Return the row of a node; None if it never answered."""
    if look.now is None:
        return None
    now = look.now.statistics
    before = None if look.before is None else look.before.statistics
    return NodeRow(
        node=now.node,
        uptime_s=now.uptime_s,
        connections=now.connections,
        accepts_per_s=look.rate(now.accepted, None if before is None else before.accepted),
        deliveries_per_s=look.rate(now.deliveries, None if before is None else before.deliveries),
        drops=sum(now.drops.values()),
        lag_s=None if now.loop_lag is None else now.loop_lag.max_s,
        cpu=look.rate(now.cpu_s, None if before is None else before.cpu_s),
        rss_bytes=now.rss_bytes,
        away=look.away is not None,
    )


def actor_rows(look: Look) -> list[ActorRow]:
    """Return a row for each actor that the node told of, and for each kind of which there are several."""
    if look.now is None:
        return []
    now = look.now.statistics
    before = None if look.before is None else look.before.statistics
    actors = {} if before is None else {(one.kind, one.name): one.messages for one in before.actors}
    kinds = {} if before is None else {one.kind: one.messages for one in before.kinds}
    rows = [
        _row(now.node, look, kind, f"all {kind.alive:,} of {kind.kind}", kinds.get(kind.kind))
        for kind in now.kinds
        if kind.alive > 1
    ]
    rows += [_row(now.node, look, one, one.name, actors.get((one.kind, one.name))) for one in now.actors]
    return rows


def _row(node: str, look: Look, one: ProcessStatistics | KindStatistics, name: str, before: int | None) -> ActorRow:
    return ActorRow(
        name=name,
        kind=one.kind,
        node=node,
        mailbox=one.mailbox,
        messages=one.messages,
        per_s=look.rate(one.messages, before),
        restarts=one.restarts,
        memory_bytes=one.memory_bytes,
    )
