"""The trial's side of generators on many machines: what `harness.load.controller.Generator` is on one.

A host is told what was sent, and tells how far its fans are, in one call after another (`_talk`), in a thread. One that
does not answer is *lost*, and with it what its fans saw; the others go on, and the result says so.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self

from harness.interruption import background_thread, sleep_interruptibly
from harness.load.controller import GeneratorError
from harness.load.samples import GeneratorUsage, Progress, Samples
from harness.load.waiting import AwaitedFans
from harness.load.workload import LoadPart
from harness.trial.cluster.clocks import NOT_KNOWN, Exchange, Offset, offset_of, uncertain_s
from harness.trial.cluster.host import HostJob
from harness.trial.cluster.merging import given_up, together, untold
from harness.trial.cluster.scheduler import ClusterError, connected_hosts, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.load.conduct import Conduct
    from harness.load.deliveries import SentEvent
    from harness.load.workload import Dialogue, Endpoint, Load
    from harness.trial.cluster.host import HostReport
    from harness.trial.cluster.scheduler import ClusterHost
    from harness.trial.observer import Observation

_HEAD_START_S: Final = 0.5
"""From the order to the first fan: every host has heard it by then."""

_QUESTIONS: Final = 30
"""How often each clock is read."""

_EXCHANGE_EVERY_S: Final = 0.05
_SILENCE_S: Final = 10.0
"""How long a host may not answer until it is lost."""

_PREPARE_S: Final = 120.0
_REPORT_S: Final = 120.0
_CLOCKS_APART_S: Final = 1.0
"""So far clocks may drift from each other in a trial before an event would seem to come before it was sent."""

_TICK_S: Final = 0.005
_AT_LEAST_S: Final = 1.0
"""What it may take to hear an answer that is there, also when another host has used up the time of all."""


@dataclass(slots=True, eq=False)
class PlayingHost:
    """A host that plays those of the fans whose numbers are `index`, `index + of`, and so on.

    `lost` is why it was lost, at `lost_s` after t0; None as long as it was not. At the end `played` is how many there
    were, and `observation`, of its generator processes, and `after` are there, if it was not lost.
    """

    host: ClusterHost
    index: int
    of: int
    before: Offset = NOT_KNOWN
    progress: Progress = field(default_factory=Progress)
    told: int = 0
    lost: str | None = None
    lost_s: float = 0.0
    after: Offset | None = None
    played: int = 0
    observation: Observation | None = None

    def fans(self, all_of_them: int) -> range:
        """Return which of so many fans it plays."""
        return range(self.index, all_of_them, self.of)

    @property
    def uncertain_s(self) -> float:
        """How far its moments may be off."""
        return uncertain_s(self.before, self.after)


class ClusterGenerator(AwaitedFans):
    """Plays a load from the hosts of the cluster whose scheduler is at `address`; see Generator, whose methods it has.

    Entering the block raises ClusterError where there is no such cluster or one of its hosts cannot play its part:
    it has no room for it, or no way to the server. Leaving it ends the processes there.
    """

    def __init__(  # noqa: PLR0913 - as Generator's
        self,
        address: str,
        load: Load,
        dialogue: Dialogue,
        endpoints: Sequence[Endpoint],
        user_prefix: str,
        *,
        answer_timeout_s: float,
        conduct: Conduct,
        events: int | None,
    ) -> None:
        self._address = address
        self._load = load
        self._dialogue = dialogue
        self._endpoints = tuple(endpoints)
        self._user_prefix = user_prefix
        self._answer_timeout_s = answer_timeout_s
        self._conduct = conduct
        self._events = events
        self._expected = load.n
        self._sent: list[SentEvent] = []
        self._t0 = 0.0
        self._over = threading.Event()
        self._talking = ExitStack()
        self._cleanup = ExitStack()
        self.hosts: tuple[PlayingHost, ...] = ()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            known = stack.enter_context(connected_hosts(self._address))[: self._load.n]
            self.hosts = tuple(PlayingHost(host, index, len(known)) for index, host in enumerate(known))
            _all_do({each: each.host.actor.prepare(self._job(each)) for each in self.hosts}, _PREPARE_S)
            stack.callback(self._talking.close)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._cleanup.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The generator processes of this machine: none."""
        return ()

    def start(self) -> float:
        """Begin the schedule everywhere; return t0, the moment of the first intended start on time.monotonic()."""
        for each in self.hosts:
            each.before = offset_now(each.host)
        self._t0 = t0 = monotonic() + _HEAD_START_S
        _all_do({each: each.host.actor.begin(t0 + each.before.ahead_s) for each in self.hosts}, _SILENCE_S)
        self._talking.enter_context(background_thread("cluster", self._talk, self._over))
        return t0

    def events_begin(self) -> None:
        """Have the moments of the conduct count from now: fans leave and come."""
        self._expected = self._load.n + len(self._conduct.newcomers_s)
        at = monotonic()
        self._of_all(
            lambda each: each.host.actor.events_begin(at + each.before.ahead_s), lambda _, __: None, _SILENCE_S
        )

    def events_end(self) -> None:
        """Have fans who lose their connection from now on stay away."""
        self._of_all(lambda each: each.host.actor.events_end(), lambda _, __: None, _SILENCE_S)

    def event_sent(self, event: SentEvent) -> None:
        """Say when the next event was sent, and whether it was accepted; the hosts hear it within a moment."""
        self._sent.append(event)

    def progress(self) -> Progress:
        """Return how far the fans are, as was told last; of a host that is lost nothing more is expected."""
        return Progress.total(
            each.progress if each.lost is None else given_up(each.progress, len(each.fans(self._expected)))
            for each in self.hosts
        )

    def _pause(self, seconds: float) -> None:
        sleep_interruptibly(seconds)
        if all(each.lost is not None for each in self.hosts):
            raise GeneratorError(f"every host of the cluster was lost: {self.hosts[0].lost}")

    def finish(self, close_wait_s: float, patience_s: float | None = None) -> tuple[Samples, GeneratorUsage]:
        """End the load and return what the fans saw, and what it cost to see it; see Generator.

        Raise GeneratorError if every host was lost.
        """
        patience_s = _REPORT_S if patience_s is None else patience_s
        self._talking.close()
        self._exchange()
        reports: dict[PlayingHost, HostReport] = {}
        self._of_all(lambda each: each.host.actor.finish(close_wait_s), reports.__setitem__, patience_s)
        self._pause(0)
        for each in reports:
            with self._lost_if_it_fails(each):
                each.after = offset_now(each.host)
        for each in self.hosts:
            each.played = len(each.fans(self._expected))
            each.observation = reports[each].observation if each in reports else None
        starts = self._load.starts()
        samples = Samples.merge(
            (fans, reports[each].samples if each in reports else untold(fans, starts))
            for each in self.hosts
            for fans in (each.fans(self._expected),)
        )
        return samples, together(samples, [report.usage for report in reports.values()])

    def _job(self, each: PlayingHost) -> HostJob:
        dialogue, load = self._dialogue, self._load
        fans = each.fans(load.n + len(self._conduct.newcomers_s))
        tls = dialogue.tls
        if dialogue.vars is not None:
            dialogue = replace(dialogue, vars=dialogue.vars.of(fans))
        return HostJob(
            number=each.index,
            part=LoadPart(load, each.fans(load.n)),
            dialogue=dialogue,
            ca=None if tls is None or tls.ca is None else tls.ca.read_text(),
            endpoints=self._endpoints,
            user_prefix=f"{self._user_prefix}{each.index}-",
            answer_timeout_s=self._answer_timeout_s,
            conduct=self._conduct.of(fans, load.n),
            events=self._events,
            clocks_apart_s=_CLOCKS_APART_S,
        )

    def _talk(self) -> None:
        """Say what was sent and hear how far the fans are, until the end."""
        while not self._over.wait(_EXCHANGE_EVERY_S):
            self._exchange()

    def _exchange(self) -> None:
        upto = len(self._sent)

        def take(each: PlayingHost, progress: Progress) -> None:  # at once: others may take long, or be lost
            each.progress, each.told = progress, upto

        self._of_all(lambda each: each.host.actor.exchange(tuple(self._sent[each.told : upto])), take, _SILENCE_S)

    def _of_all(
        self, call: Callable[[PlayingHost], Any], take: Callable[[PlayingHost, Any], object], patience_s: float
    ) -> None:
        """Call something of every host that is not lost, and take what each says; who says nothing is lost now."""
        calls = {}
        deadline = monotonic() + patience_s
        for each in self.hosts:
            if each.lost is None:
                with self._lost_if_it_fails(each):
                    calls[each] = call(each)
        for each, future in calls.items():
            with self._lost_if_it_fails(each):
                take(each, future.result(timeout=max(_AT_LEAST_S, deadline - monotonic())))

    @contextmanager
    def _lost_if_it_fails(self, each: PlayingHost) -> Iterator[None]:
        """Take it that a host is lost if what is asked of it inside fails, however it does."""
        try:
            yield
        except Exception as error:  # what Dask raises of a worker that is gone depends on how it went
            if each.lost is None:
                each.lost, each.lost_s = first_line(error), monotonic() - self._t0


def offset_now(host: ClusterHost) -> Offset:
    """Return how far the clock of a host is ahead now. Raise ClusterError if it does not answer."""
    exchanges = []
    try:
        for _ in range(_QUESTIONS):
            asked_s = monotonic()
            told_s: float = host.actor.clock().result(timeout=_SILENCE_S)
            exchanges.append(Exchange(asked_s, told_s, monotonic()))
    except Exception as error:  # see _lost_if_it_fails
        raise ClusterError(f"the host at {host.address}: {first_line(error)}") from None
    return offset_of(exchanges)


def _all_do(calls: Mapping[PlayingHost, Any], patience_s: float) -> None:
    """Wait until every host has done as it was told. Raise ClusterError for the first that could not."""
    deadline = monotonic() + patience_s
    for each, future in calls.items():
        while not future.done() and monotonic() < deadline:
            sleep_interruptibly(_TICK_S)
        try:
            future.result(timeout=max(_AT_LEAST_S, deadline - monotonic()))
        except Exception as error:  # see _lost_if_it_fails
            raise ClusterError(f"the host at {each.host.address}: {first_line(error)}") from None
