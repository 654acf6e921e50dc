"""The middle of a trial: the fans come, the reporter posts, and everything is watched.

What it must guarantee: an interruption loses nothing that was seen. So how far the trial came is written down as it
goes (`_Course`), and whatever ends it, the generator is asked for what its fans saw.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from harness.interruption import run_interruptibly
from harness.load.controller import Generator, GeneratorError
from harness.load.match import MatchPlan
from harness.load.reporter import Posted, Reporter
from harness.load.samples import GeneratorUsage, Progress, Samples
from harness.targets.api_publisher import ApiPublisher
from harness.targets.publisher import Publisher
from harness.targets.target import Target
from harness.trial.figures.assemble import Raw
from harness.trial.figures.delivery import Phases
from harness.trial.figures.loop_lag import LagLog
from harness.trial.loop_watch import watched_loop
from harness.trial.observer import Observer
from harness.trial.placement.place import TrialPlace
from harness.trial.plan import TrialPlan, trial_id

QUIET_S = 10.0
"""How long after the end of the match no fan may hear anything until it counts as over with fans that are not closed.

A server that is behind goes on delivering, however long it takes: that is slow, which the fan-out says, but no loss.
"""

_DELIVERY_LIMIT_S = 600.0
"""… unless it never ends."""

_SETTLE_MARGIN_S = 10.0

LAST_REPORT_S = 5.0
"""How long a generator may take to report after an interruption: a user waits for their prompt."""


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


@dataclass(slots=True)
class _Course:
    """How far a trial came. `settled` is the progress at which all fans were, None before; moments are after `t0`."""

    t0: float
    settled: Progress | None = None
    settled_s: float = 0.0
    overflows: tuple[int, int] = (0, 0)
    posts: list[Posted] | None = None


def measure(plan: TrialPlan, target: Target, place: TrialPlace, watcher: Watcher) -> Raw:
    """Have the fans of a plan watch a target that runs; return what was seen, also where that was interrupted.

    It ends generator processes and observers, whatever happens. Raise KeyboardInterrupt where nothing was seen yet, or
    a generator does not report after an interruption, and HarnessError where the load cannot be generated.
    """
    match_id = None if plan.match is None else plan.match.match.id
    generator = Generator(
        plan.load,
        target.dialogue(match_id),
        target.endpoints,
        f"fan-{trial_id()}-",
        answer_timeout_s=plan.answer_timeout_s,
        sources=place.sources,
    )
    with (
        generator,
        Observer(target.pids) as on_server,
        Observer(generator.pids) as on_generator,
        _loop_watched(plan, target.publisher) as lag,
        watcher.looking_at(generator.progress) if isinstance(watcher, Onlooker) else nullcontext(),
    ):
        on_server.sample()
        counters = place.listen_counters()
        course = _Course(generator.start())
        interrupted = False
        try:
            _connect(plan, generator, course, watcher)
            course.settled_s = on_server.sample() - course.t0
            course.overflows = _growth(counters, place.listen_counters())
            _play(plan.match, target.publisher, generator, course, watcher)
        except KeyboardInterrupt:
            interrupted = True
        ended = target.ended()
        # Before the samples are collected, which takes CPU. An interruption may come before the first fan is due.
        over_s = max(0.0, on_server.sample() - course.t0)
        settled = course.settled or generator.progress()
        samples, usage = _last_report(generator) if interrupted else generator.finish(0.0)
    return Raw(
        samples=samples,
        usage=usage,
        posts=None if course.posts is None else tuple(course.posts),
        phases=Phases(course.settled_s or over_s, over_s),
        held=settled.answered - settled.closed,
        server=on_server.observation(course.t0),
        generator=on_generator.observation(course.t0),
        overflows=course.overflows,
        server_ended=ended,
        interrupted=interrupted,
        loop_lag=lag.within(course.t0, over_s),
    )


def _loop_watched(plan: TrialPlan, publisher: Publisher | None) -> AbstractContextManager[LagLog]:
    """Return what asks a server, inside, how late its loop is, if the plan says so and the server can be asked."""
    if plan.watches_loop and isinstance(publisher, ApiPublisher):
        return watched_loop(publisher.urls)
    return nullcontext(LagLog())


def _connect(plan: TrialPlan, generator: Generator, course: _Course, watcher: Watcher) -> None:
    watcher.phase("connecting", plan.load.n)
    patience_s = plan.load.duration_s + plan.answer_timeout_s + _SETTLE_MARGIN_S
    course.settled = generator.wait_all_settled(patience_s, watcher.fans)


def _play(
    match: MatchPlan | None, publisher: Publisher | None, generator: Generator, course: _Course, watcher: Watcher
) -> None:
    if match is not None and publisher is not None:
        watcher.phase("posting", len(match.posts))
        run_interruptibly(_post_all(match, publisher, course, watcher))
    watcher.phase("closing", 0)
    if any(post.accepted for post in course.posts or ()):
        generator.wait_until_quiet(QUIET_S, _DELIVERY_LIMIT_S, _receipts_due(course, publisher))


async def _post_all(match: MatchPlan, publisher: Publisher, course: _Course, watcher: Watcher) -> None:
    done = course.posts = []

    def note(post: Posted) -> None:
        done.append(post)
        watcher.posted(post)

    async with publisher.connected() as poster:
        await Reporter(poster, match.match.id, publisher.refusals).post_all(match.posts, course.t0, note)


def _receipts_due(course: _Course, publisher: Publisher | None) -> int | None:
    """Return with how many receipts a trial is over whose fans the server does not close; None where it closes them."""
    if publisher is None or publisher.closes_fans or course.settled is None:
        return None
    return (course.settled.answered - course.settled.closed) * sum(post.accepted for post in course.posts or ())


def _growth(before: tuple[int, int], now: tuple[int, int]) -> tuple[int, int]:
    return now[0] - before[0], now[1] - before[1]


def _last_report(generator: Generator) -> tuple[Samples, GeneratorUsage]:
    try:
        return generator.finish(0.0, LAST_REPORT_S)
    except GeneratorError as error:
        raise KeyboardInterrupt from error
