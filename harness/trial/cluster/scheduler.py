"""The hosts of a Dask cluster, as its scheduler knows them: each worker gets an actor that is asked for what it can do.

Dask is an extra, and is imported only when a cluster was asked for.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.errors import HarnessError
from harness.records.machine import harness_version
from harness.trial.cluster.host import GeneratorHost, HostFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_S: Final = 10.0
"""How long a scheduler may take to answer, and a worker to make its actor."""


class ClusterError(HarnessError):
    """There is no such cluster, or it cannot play a load; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ClusterHost:
    """A worker of the cluster: where it is, what it is, and its actor, whose methods return futures of Dask."""

    address: str
    facts: HostFacts
    actor: Any


@contextmanager
def connected_hosts(scheduler: str) -> Iterator[tuple[ClusterHost, ...]]:
    """Give the hosts of the cluster whose scheduler is at that address, in the order of their own, inside.

    Raise ClusterError if Dask is not installed here, nobody answers there, there are no workers, or one of them has
    another version of the harness or none.
    """
    try:
        from distributed import Client  # noqa: PLC0415 -- an extra, which takes half a second to import
    except ImportError:
        raise ClusterError("--cluster needs Dask: pip install 'matchstream-lab[cluster]'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is wrong is said here, in one line
    try:
        client = Client(scheduler, timeout=CONNECT_S)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {scheduler} ({first_line(error)}): start one (dask scheduler), and name it "
            "as it tells, such as tcp://10.0.0.1:8786"
        ) from None
    with client:
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise ClusterError(f"the cluster at {scheduler} has no worker: start one on each host (dask worker)")
        yield tuple(_hosts(client, workers))


def _hosts(client: Any, workers: list[str]) -> Iterator[ClusterHost]:
    made = [
        client.submit(GeneratorHost, workers=[each], allow_other_workers=False, pure=False, actor=True)
        for each in workers
    ]
    for address, future in zip(workers, made, strict=True):
        try:
            actor = future.result(timeout=CONNECT_S)
            facts: HostFacts = actor.facts().result(timeout=CONNECT_S)
        except Exception as error:  # whatever goes wrong there is raised here, and its kind is the worker's to choose
            raise ClusterError(
                f"the worker at {address} cannot play fans ({first_line(error)}): install the harness there, "
                f"version {harness_version()} with the extra cluster"
            ) from None
        if facts.harness != harness_version():
            raise ClusterError(
                f"the worker at {address} has version {facts.harness} of the harness, this is {harness_version()}: "
                "install the same there"
            )
        yield ClusterHost(address, facts, actor)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or of what kind it is if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
