"""From a placement that was asked for to one that is there: the place of a trial.

The server is started within `TrialPlace.for_server`, everything else of the trial happens within its `for_generator`:
the calling thread is moved there, and takes along what it starts. So whoever starts a server need not know of
namespaces or CPUs; it must only be told on which address to listen, which is what makes a target `Placeable`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import msgspec

from common.tuning.sysctl import load_profile
from harness.load.workload import LOOPBACK_SOURCES, ChosenSources, Sources
from harness.records.asked import Disturbances, Placement
from harness.trial.observer import listen_counters
from harness.trial.placement.chosen import chosen_sources
from harness.trial.placement.errors import PlacementError
from harness.trial.placement.namespaces import SERVER_ADDRESS, SOURCES, Namespace, Pair, joined_namespaces
from harness.trial.placement.pinning import pin_redis, pinned
from harness.trial.placement.settings import SMALL_BUFFERS, SMALL_QUEUES, set_in_namespace, shrink


@runtime_checkable
class Placeable(Protocol):
    """A target whose server the harness starts on this machine, so that it can say where."""

    def listen_on(self, host: str) -> None:
        """Have the server listen on this address when it is started."""
        ...

    @property
    def tunes_kernel(self) -> bool:
        """Whether the profile `server` of sysctl/ belongs to it; without, it has the kernel's defaults."""
        ...


@dataclass(frozen=True, slots=True)
class TrialPlace:
    """Where a trial runs. `placement` is what was asked for and, in `sysctls`, what was set for the server."""

    placement: Placement
    sources: Sources | ChosenSources
    pair: Pair | None

    @contextmanager
    def for_server(self) -> Iterator[None]:
        """Have what is started inside run where the server is to run, and this thread see its network."""
        with _entered(None if self.pair is None else self.pair.server), pinned(self.placement.server_cpus):
            yield

    @contextmanager
    def for_generator(self) -> Iterator[None]:
        """Have what is started inside run where the generator is to run, and this thread, which posts the events."""
        with _entered(None if self.pair is None else self.pair.generator), pinned(self.placement.generator_cpus):
            yield

    def pin_redis_of(self, roots: tuple[int, ...]) -> None:
        """Keep the Redis of the server, whose first processes are `roots`, on its CPUs. Raise PlacementError."""
        if self.placement.redis_cpus is not None:
            pin_redis(roots, self.placement.redis_cpus)

    def listen_counters(self) -> tuple[int, int]:
        """Return the counts of full accept queues where the server is (see `harness.trial.observer`)."""
        with _entered(None if self.pair is None else self.pair.server):
            return listen_counters()


@contextmanager
def placed(placement: Placement, target: object, disturbances: Disturbances) -> Iterator[TrialPlace]:
    """Hold the place for a trial of `target`, and tell it where to listen. Raise PlacementError.

    With small buffers the sockets of the server's namespace have little room until the profile sets them, and with
    small queues those who wait to be accepted.
    """
    _check(placement, target)
    small = {
        "--small-buffers": (disturbances.small_buffers, SMALL_BUFFERS),
        "--small-queues": (disturbances.small_queues, SMALL_QUEUES),
    }
    asked = {option: settings for option, (is_asked, settings) in small.items() if is_asked}
    if asked and placement.network != "netns":
        raise PlacementError(f"{next(iter(asked))} are those of a network namespace: give --netns as well")
    if placement.network == "loopback":
        sources = LOOPBACK_SOURCES if placement.sources is None else chosen_sources(placement.sources)
        yield TrialPlace(placement, sources, None)
        return
    with joined_namespaces() as pair:
        sysctls = {}
        for settings in asked.values():
            with pair.server.entered():
                shrink(settings)
        if isinstance(target, Placeable):
            target.listen_on(SERVER_ADDRESS)
            if target.tunes_kernel:
                sysctls = _set(pair.server, "server")
        _set(pair.generator, "generator")
        yield TrialPlace(msgspec.structs.replace(placement, sysctls=sysctls), SOURCES, pair)


def _check(placement: Placement, target: object) -> None:
    if isinstance(target, Placeable):
        return
    if placement.network == "netns":
        raise PlacementError("--netns is for servers that the harness starts; this one runs already: leave it out")
    if placement.server_cpus is not None or placement.redis_cpus is not None:
        raise PlacementError(
            "--pin server and redis are for servers that the harness starts; this one runs already: use taskset(1)"
        )


def _set(namespace: Namespace, profile: str) -> dict[str, str]:
    with namespace.entered():
        return set_in_namespace(load_profile(profile))


def _entered(namespace: Namespace | None) -> AbstractContextManager[object]:
    return ExitStack() if namespace is None else namespace.entered()
