"""From two looks at a node to the rows of a table: rates are what was added between them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from common.http.statistics import (
        ApiStatistics,
        RequestsStatistics,
        Statistics,
        SubscriptionsStatistics,
        WriterStatistics,
    )
    from common.otp.survey import KindStatistics, ProcessStatistics
    from harness.targets.poller import Look


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


@dataclass(frozen=True, slots=True)
class PartsRow:
    """What the parts of a node tell of themselves, None of those that it has not; rates are a second, as everywhere."""

    node: str
    api: ApiStatistics | None
    calls_per_s: float | None
    writer: WriterStatistics | None
    executed_per_s: float | None
    requests: RequestsStatistics | None
    subscriptions: SubscriptionsStatistics | None
    published_per_s: float | None
    away: bool


def parts_row(look: Look) -> PartsRow | None:
    """Return the row of a node's parts; None if it never answered."""
    if look.now is None:
        return None
    now = look.now.statistics
    return PartsRow(
        node=now.node,
        api=now.api,
        calls_per_s=_part_rate(look, lambda seen: None if seen.api is None else seen.api.requests),
        writer=now.writer,
        executed_per_s=_part_rate(look, lambda seen: None if seen.writer is None else seen.writer.executed),
        requests=now.requests,
        subscriptions=now.subscriptions,
        published_per_s=_part_rate(
            look, lambda seen: None if seen.subscriptions is None else seen.subscriptions.published
        ),
        away=look.away is not None,
    )


def _part_rate(look: Look, count: Callable[[Statistics], int | None]) -> float | None:
    now = None if look.now is None else count(look.now.statistics)
    before = None if look.before is None else count(look.before.statistics)
    return None if now is None else look.rate(now, before)


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
