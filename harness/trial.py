"""One trial, from the start of the target to the result.

    target starts (or answers) → a match of the trial's own is announced and kicked off → fans connect in waves of C
    until N → everyone is answered or has failed → the reporter posts numbered events, the last one ends the match →
    the server closes the fans, or all have got everything → figures

Whatever ends it, also Ctrl-C, everything is undone in the opposite order: the generator's processes end, the match is
taken back, the server that was started ends.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from harness.analysis import Phases
from harness.assembly import Raw, assemble
from harness.events import MatchPlan, Posted, Reporter
from harness.generator import Generator
from harness.machine import describe_machine
from harness.observe import Observer, listen_counters
from harness.result import Asked, AskedLoad, AskedTarget, TrialResult
from harness.samples import Progress
from harness.slo import Slo
from harness.targets.publisher import Publisher
from harness.targets.target import Target, show_address
from harness.workload import Load

QUIET_S = 10.0
"""How long after the end of the match no fan may hear anything until it counts as over with fans that are not closed.

A server that is behind goes on delivering, however long it takes: that is slow, which the fan-out says, but no loss.
"""

_DELIVERY_LIMIT_S = 600.0
"""… unless it never ends."""

_SETTLE_MARGIN_S = 10.0


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What to do. `match` is announced and played; None where the current match is watched, and nobody posts."""

    load: Load
    slo: Slo
    match: MatchPlan | None
    answer_timeout_s: float = 60.0


class Watcher(Protocol):
    """Whoever shows a user how far a trial is."""

    def phase(self, name: str, total: int) -> None:
        """Show that a phase begins, in which `total` steps are to be made; 0 where that is not known."""
        ...

    def fans(self, progress: Progress) -> None:
        """Show how far the fans are."""
        ...

    def posted(self, post: Posted) -> None:
        """Show that a post was answered, or refused."""
        ...


def trial_id() -> str:
    """Return a fresh name for a trial and what belongs to it: eight characters of 0-9 and a-f."""
    return secrets.token_hex(4)


def run_trial(plan: TrialPlan, target: Target, watcher: Watcher) -> TrialResult:
    """Make one trial and return what was seen.

    Raise HarnessError if it cannot be made: there is no such target, the match cannot be announced, or the fans do
    not fit into this machine.
    """
    machine = describe_machine()
    started_at = datetime.now(UTC)
    watcher.phase("starting", 0)
    with _running(target), _playing(target.publisher, plan.match):
        raw = _measure(plan, target, watcher)
    return assemble(raw, asked(plan, target), plan.slo, machine, started_at)


def asked(plan: TrialPlan, target: Target) -> Asked:
    """Return what a trial is asked to do; before the target was started it has no addresses yet."""
    variant = target.variant
    whom = AskedTarget(
        name=target.name,
        stage=None if variant is None else variant.stage,
        fans=show_address(target.endpoints),
        http=None if target.publisher is None else target.publisher.url,
        peer=target.peer,
    )
    if variant is not None:
        whom = msgspec.structs.replace(
            whom,
            with_lessons=variant.with_lessons,
            without_lessons=variant.without_lessons,
            nodes=variant.nodes,
            topology=variant.topology,
        )
    return Asked(
        target=whom,
        load=AskedLoad(n=plan.load.n, c=plan.load.c, interval_s=plan.load.interval_s),
        events=None if plan.match is None else plan.match.asked,
        slo=str(plan.slo),
    )


@contextlib.contextmanager
def _running(target: Target) -> Iterator[None]:
    target.start()
    try:
        yield
    finally:
        target.stop()


def _playing(publisher: Publisher | None, match: MatchPlan | None) -> AbstractContextManager[None]:
    return contextlib.nullcontext() if publisher is None or match is None else publisher.announced(match)


def _measure(plan: TrialPlan, target: Target, watcher: Watcher) -> Raw:
    match_id = None if plan.match is None else plan.match.match.id
    generator = Generator(
        plan.load,
        target.dialogue(match_id),
        target.endpoints,
        f"fan-{trial_id()}-",
        answer_timeout_s=plan.answer_timeout_s,
    )
    counters = listen_counters()
    with generator, Observer(target.pids) as on_server, Observer(generator.pids) as on_generator:
        on_server.sample()
        t0 = generator.start()
        watcher.phase("connecting", plan.load.n)
        settled = generator.wait_all_settled(
            plan.load.duration_s + plan.answer_timeout_s + _SETTLE_MARGIN_S, watcher.fans
        )
        settled_s = on_server.sample() - t0
        overflows = tuple(now - before for now, before in zip(listen_counters(), counters, strict=True))
        posts = _post(plan.match, target.publisher, t0, watcher)
        watcher.phase("closing", 0)
        if posts:
            due = _receipts_due(posts, target.publisher, settled)
            generator.wait_until_quiet(QUIET_S, _DELIVERY_LIMIT_S, due)
        ended = target.ended()
        over_s = on_server.sample() - t0  # before the samples are collected, which takes CPU
        samples, usage = generator.finish(0.0)
    return Raw(
        samples=samples,
        usage=usage,
        posts=posts,
        phases=Phases(settled_s, over_s),
        held=settled.answered - settled.closed,
        server=on_server.observation(t0),
        generator=on_generator.observation(t0),
        overflows=(overflows[0], overflows[1]),
        server_ended=ended,
    )


def _post(
    match: MatchPlan | None, publisher: Publisher | None, t0: float, watcher: Watcher
) -> tuple[Posted, ...] | None:
    if match is None or publisher is None:
        return None
    watcher.phase("posting", len(match.posts))
    return asyncio.run(_post_all(match, publisher, t0, watcher))


async def _post_all(match: MatchPlan, publisher: Publisher, t0: float, watcher: Watcher) -> tuple[Posted, ...]:
    async with publisher.connected() as poster:
        return await Reporter(poster, match.match.id, publisher.refusals).post_all(match.posts, t0, watcher.posted)


def _receipts_due(posts: tuple[Posted, ...], publisher: Publisher | None, settled: Progress) -> int | None:
    """Return with how many receipts a trial is over whose fans the server does not close; None where it closes them."""
    if publisher is None or publisher.closes_fans:
        return None
    return (settled.answered - settled.closed) * sum(post.accepted for post in posts)
