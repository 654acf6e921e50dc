"""The middle of a trial: the fans come, the reporter posts, and everything is watched.

What it must guarantee: an interruption loses nothing that was seen. So how far the trial came is written down as it
goes (`_Course`), and whatever ends it, the generator is asked for what its fans saw.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from harness.interruption import run_interruptibly
from harness.load.asking import Answers, ask_on
from harness.load.conduct import ONLY_WATCH
from harness.load.controller import Generator, GeneratorError
from harness.load.deliveries import SentEvent
from harness.load.match import MatchPlan, PlannedPost
from harness.load.reporter import Posted, Reporter
from harness.load.samples import GeneratorUsage, Progress, Samples
from harness.records.asked import Disturbances
from harness.targets.api_publisher import ApiPublisher
from harness.targets.publisher import Publisher
from harness.targets.target import Target
from harness.trial.cluster.generator import ClusterGenerator
from harness.trial.figures.assemble import Raw, RawHost
from harness.trial.figures.delivery import Phases
from harness.trial.figures.loop_lag import LagLog
from harness.trial.figures.memory import memory_seen
from harness.trial.loop_watch import watched_loop
from harness.trial.memory import AtRest, RestWatch, read_memory
from harness.trial.observer import Observer
from harness.trial.placement.errors import PlacementError
from harness.trial.placement.place import TrialPlace
from harness.trial.plan import TrialPlan, conduct_of, trial_id

QUIET_S = 10.0
"""How long after the end of the match no fan may hear anything until it counts as over with fans that are not closed.

A server that is behind goes on delivering, however long it takes: that is slow, which the fan-out says, but no loss.
"""

_DELIVERY_LIMIT_S = 600.0
"""… unless it never ends."""

_SETTLE_MARGIN_S = 10.0

_BEFORE_THE_LAST_S = 0.05
"""How long before the last event the memory is read at the latest."""

LAST_REPORT_S = 5.0
"""How long a generator may take to report after an interruption: a user waits for their prompt."""


AnyGenerator = Generator | ClusterGenerator


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


@runtime_checkable
class Onlooker(Protocol):
    """A watcher who looks by themselves how far the fans are, whenever they like, as long as there are any."""

    def looking_at(self, progress: Callable[[], Progress]) -> AbstractContextManager[None]:
        """Return what is entered while `progress` may be called, which costs the generator nothing."""
        ...


@runtime_checkable
class HasNodes(Protocol):
    """A target whose server is some nodes, of which some can be taken out of service."""

    def stop_nodes(self, count: int) -> None:
        """Tell so many of them to stop, and do not wait for it."""
        ...


@dataclass(slots=True)
class _Course:
    """How far a trial came. `settled` is the progress at which all fans were, None before; moments are after `t0`."""

    t0: float
    settled: Progress | None = None
    settled_s: float = 0.0
    memory: AtRest | None = None
    overflows: tuple[int, int] = (0, 0)
    posts: list[Posted] | None = None
    answers: Answers | None = None


@dataclass(frozen=True, slots=True)
class _Run:
    """Who takes part in a trial, and how far it is."""

    plan: TrialPlan
    target: Target
    generator: AnyGenerator
    watcher: Watcher
    course: _Course

    @property
    def match(self) -> MatchPlan | None:
        """What is played: nothing where nobody can post it."""
        return None if self.target.publisher is None else self.plan.match

    @property
    def patience_s(self) -> float:
        """How long the fans may take to be answered, from their first start."""
        return self.plan.load.duration_s + self.plan.answer_timeout_s + _SETTLE_MARGIN_S


def measure(plan: TrialPlan, target: Target, place: TrialPlace, watcher: Watcher) -> Raw:
    """Have the fans of a plan watch a target that runs; return what was seen, also where that was interrupted.

    It ends generator processes and observers, whatever happens. Raise KeyboardInterrupt where nothing was seen yet, or
    a generator does not report after an interruption, and HarnessError where the load cannot be generated.
    """
    generator = _generator(plan, target, place)
    with (
        generator,
        Observer(target.pids) as on_server,
        Observer(generator.pids) as on_generator,
        _loop_watched(plan, target.publisher) as lag,
        watcher.looking_at(generator.progress) if isinstance(watcher, Onlooker) else nullcontext(),
    ):
        on_server.sample()
        before = read_memory(target.pids)
        counters = place.listen_counters()
        course = _Course(generator.start())
        run = _Run(plan, target, generator, watcher, course)
        interrupted = False
        try:
            if plan.disturbances.arrivals_during_events:
                _stir(run, memory=None)
            _connect(run)
            course.settled_s = on_server.sample() - course.t0
            course.overflows = _growth(counters, place.listen_counters())
            _watch_match(run)
        except KeyboardInterrupt:
            interrupted = True
        ended = target.ended()
        # Before the samples are collected, which takes CPU. An interruption may come before the first fan is due.
        over_s = max(0.0, on_server.sample() - course.t0)
        samples, usage = _last_report(generator) if interrupted else generator.finish(0.0)
    return Raw(
        samples=samples,
        usage=usage,
        posts=None if course.posts is None else tuple(course.posts),
        phases=Phases(course.settled_s or over_s, over_s),
        memory=None if course.memory is None else memory_seen(before, course.memory, course.t0),
        server=on_server.observation(course.t0),
        generator=on_generator.observation(course.t0),
        overflows=course.overflows,
        server_ended=ended,
        interrupted=interrupted,
        loop_lag=lag.within(course.t0, over_s),
        answers=course.answers,
        hosts=_hosts(generator),
    )


def _generator(plan: TrialPlan, target: Target, place: TrialPlace) -> AnyGenerator:
    """Return who plays the fans: this machine, or the hosts of a cluster."""
    dialogue = target.dialogue(None if plan.match is None else plan.match.match.id)
    if plan.placement.sources is not None and any(":" in endpoint.host for endpoint in target.endpoints):
        raise PlacementError("--source has addresses of IPv4, and the server has one of IPv6: leave it out")
    prefix = f"fan-{trial_id()}-"
    conduct = conduct_of(plan)
    events = None if plan.keeps_receipts else 0 if plan.match is None else len(plan.match.posts)
    if plan.placement.cluster is not None:
        return ClusterGenerator(
            plan.placement.cluster,
            plan.load,
            dialogue,
            target.endpoints,
            prefix,
            answer_timeout_s=plan.answer_timeout_s,
            conduct=conduct,
            events=events,
        )
    return Generator(
        plan.load,
        dialogue,
        target.endpoints,
        prefix,
        answer_timeout_s=plan.answer_timeout_s,
        sources=place.sources,
        conduct=conduct,
        events=events,
    )


def _hosts(generator: AnyGenerator) -> tuple[RawHost, ...]:
    return tuple(
        RawHost(
            address=each.host.address,
            name=each.host.facts.name,
            fans=each.played,
            cores=each.host.facts.machine.cores,
            clock_uncertain_s=each.uncertain_s,
            observation=each.observation,
            lost=each.lost,
            lost_s=each.lost_s,
        )
        for each in (generator.hosts if isinstance(generator, ClusterGenerator) else ())
    )


def _loop_watched(plan: TrialPlan, publisher: Publisher | None) -> AbstractContextManager[LagLog]:
    """Return what asks a server, inside, how late its loop is, if the plan says so and the server can be asked."""
    if plan.watches_loop and isinstance(publisher, ApiPublisher):
        return watched_loop(publisher.urls)
    return nullcontext(LagLog())


def _connect(run: _Run) -> None:
    run.watcher.phase("connecting", run.plan.load.n)
    run.course.settled = run.generator.wait_all_settled(run.patience_s, run.watcher.fans)


def _watch_match(run: _Run) -> None:
    """Hold the fans who have come, and have them see the match to its end, where there is one."""
    if run.plan.hold_s:
        run.watcher.phase("holding", 0)
        run.generator.hold(run.plan.hold_s)
    posts = () if run.match is None else run.match.posts
    with RestWatch(run.target.pids, run.generator.progress, max(0, len(posts) - 1)) as memory:
        try:
            if len(posts) < 2:
                memory.wait()
            elif run.course.posts is not None:  # all but the last were posted while fans came
                memory.take("before the last event")
            elif conduct_of(run.plan) != ONLY_WATCH:
                _stir(run, memory)
                run.generator.wait_all_settled(run.patience_s, run.watcher.fans)
            _play(run, memory)
        finally:
            run.course.memory = memory.taken


def _stir(run: _Run, memory: RestWatch | None) -> None:
    """Post all events but the last one, while fans come, leave and do what else they are told to."""
    assert run.match is not None  # noqa: S101 -- see conduct_of; this tells the type checker
    run.generator.events_begin()
    _post(run, run.match.posts[:-1], memory, asks=run.plan.disturbances.arrivals_during_events)


def _play(run: _Run, memory: RestWatch) -> None:
    """Post what was not posted yet, and wait until the fans have it, those who connect again, too."""
    backoff = conduct_of(run.plan).backoff
    if backoff is not None:
        run.watcher.phase("returning", 0)
        run.generator.wait_all_back(backoff.cap_s + run.plan.answer_timeout_s)  # a whole try of each, whenever it began
        run.generator.events_end()
    if run.match is not None:
        posts = run.match.posts
        if run.course.posts is not None:  # all but the last: who came meanwhile has waited for that one
            posts = (replace(posts[-1], due_s=_until_the_last_s(run)),)
        _post(run, posts, memory, asks=False)
    run.watcher.phase("closing", 0)
    if any(post.accepted for post in run.course.posts or ()):
        run.generator.wait_until_quiet(QUIET_S, _DELIVERY_LIMIT_S, _receipts_due(run))


def _until_the_last_s(run: _Run) -> float:
    """Return how long until the last event is due: as long after the one before as was planned, or now if that is over.

    One that was sent as soon as the one before is accepted would wait for that to have gone out to all.
    """
    done = run.course.posts
    assert run.match is not None  # noqa: S101 -- there is nothing due without; this tells the type checker
    if not done:  # it is the only one
        return 0.0
    before, last = run.match.posts[-2:]
    due_s = run.course.t0 + done[-1].intended_s + last.due_s - before.due_s
    return max(0.0, due_s - time.monotonic())


def _post(run: _Run, posts: Sequence[PlannedPost], memory: RestWatch | None, *, asks: bool) -> None:
    run.watcher.phase("posting", len(posts))
    run_interruptibly(_post_all(run, posts, memory, asks=asks))


async def _post_all(run: _Run, posts: Sequence[PlannedPost], memory: RestWatch | None, *, asks: bool) -> None:
    match, publisher, course = run.match, run.target.publisher, run.course
    assert match is not None  # noqa: S101 -- there is nothing to post without; this tells the type checker
    assert publisher is not None  # noqa: S101 -- nor is there a match
    if not course.posts and run.plan.disturbances.stops:
        asyncio.get_running_loop().call_later(run.plan.disturbances.stop_at_s, _stop_nodes, run.target, run.plan)
    done = course.posts = course.posts or []

    def note(post: Posted) -> None:
        done.append(post)
        run.generator.event_sent(SentEvent(post.sequence, post.intended_s, post.sent_s, post.accepted))
        run.watcher.posted(post)
        if memory is not None and len(done) == len(match.posts) - 1:  # the last event has the fans closed
            last_s = course.t0 + post.intended_s + match.posts[-1].due_s - match.posts[-2].due_s
            left_s = last_s - time.monotonic() - _BEFORE_THE_LAST_S
            if left_s > 0:
                asyncio.get_running_loop().call_later(left_s, memory.take, "before the last event")
            else:
                memory.take("before the last event")

    async with publisher.connected() as poster, AsyncExitStack() as stack:
        if asks and isinstance(publisher, ApiPublisher):
            course.answers = await stack.enter_async_context(_asked(publisher, match.match.id))
        await Reporter(poster, match.match.id, publisher.refusals).post_all(posts, course.t0, note)


def _stop_nodes(target: Target, plan: TrialPlan) -> None:
    if isinstance(target, HasNodes):
        target.stop_nodes(plan.disturbances.stops)


@asynccontextmanager
async def _asked(publisher: ApiPublisher, match_id: str) -> AsyncIterator[Answers]:
    """Have the API asked about the match inside."""
    answers = Answers()
    async with publisher.client() as client:
        asking = asyncio.create_task(
            ask_on(lambda: client.match(match_id), publisher.refusals, answers), name="api-asker"
        )
        try:
            yield answers
        finally:
            asking.cancel()
            await asyncio.wait([asking])


def _receipts_due(run: _Run) -> int | None:
    """Return with how many receipts a trial is over whose fans the server does not close.

    None where it closes them, or where fans come and go: how many were there for each event is not known beforehand.
    """
    publisher, course = run.target.publisher, run.course
    if publisher is None or publisher.closes_fans or course.settled is None:
        return None
    if run.plan.disturbances != Disturbances():
        return None
    return (course.settled.answered - course.settled.closed) * sum(post.accepted for post in course.posts or ())


def _growth(before: tuple[int, int], now: tuple[int, int]) -> tuple[int, int]:
    return now[0] - before[0], now[1] - before[1]


def _last_report(generator: AnyGenerator) -> tuple[Samples, GeneratorUsage]:
    try:
        return generator.finish(0.0, LAST_REPORT_S)
    except GeneratorError as error:
        raise KeyboardInterrupt from error
