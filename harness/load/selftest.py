"""The generator measured against the least that a server can do, so that a trial need not wonder who was slow.

A benchmark: it uses the clock, takes a few seconds and says what this machine allows right now. Whatever else runs
there slows it down, so the best of some rounds counts.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from common.tuning.children import command_that_dies_with_parent, python_module
from common.tuning.open_files import OpenFiles
from harness.errors import HarnessError
from harness.interruption import interruptions_deferred, sleep_interruptibly
from harness.load.bare_server import DIALOGUE
from harness.load.c_generator import Played, compiled, playing
from harness.load.compiler import CompilerError
from harness.load.controller import Generator
from harness.load.samples import Outcome
from harness.load.workload import Endpoint, Load, deal

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS_PER_S: Final = 10_000
"""What one generator process must start and see answered in a second."""

BYTES_PER_CONNECTION: Final = 1024
"""The memory of its own that a generator process may use for a connection, in bytes."""

_PATIENCE_S: Final = 30.0  # for all connections of a round, and for all its receipts: it takes a second or two
_LOOK_EVERY_S: Final = 0.01


class SelfTestError(HarnessError):
    """The self-test could not be run."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What the best round showed; `reasons` says, a sentence each, what was missed.

    `connections_per_s` counts from the first intended start to the last answer; `cpu_per_*_s` is the CPU time of the
    generator alone (the kernel counts it in ticks of 10 ms, so many connections make it exact). Lag is how late fans
    were started: all are asked for at once, so it says how long the generator took, not that it is late by itself; of
    which a start has `start_s`. `in_c` is the same by the generator in C; None where there is no C compiler.
    """

    connections: int
    rounds: int
    connections_per_s: float
    start_s: float
    cpu_per_connection_s: float
    cpu_per_receipt_s: float
    bytes_per_connection: float | None
    lag_p99_s: float
    lag_max_s: float
    turn_max_s: float
    reasons: tuple[str, ...]
    in_c: Played | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing was missed."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class _Round:
    held: int
    receipts: int
    connections_per_s: float
    cpu_per_connection_s: float
    cpu_per_receipt_s: float
    bytes_per_connection: float | None
    lag_p99_s: float
    lag_max_s: float
    turn_max_s: float


def run_selftest(connections: int = 10_000, *, rounds: int = 3, events: int = 5) -> SelfTest:
    """Have one generator process start `connections` at once, then receive `events` on each; return the best round.

    Raise OpenFilesError if one process may not have so many files open, SelfTestError if the server does not start.
    """
    deal(connections, OpenFiles.read().hard, processes=1)  # refused here rather than by a server without files
    with interruptions_deferred(), _c_generator() as program:
        played = [_play(connections, events) for _ in range(rounds)]
        in_c = None if program is None else [_play_in_c(program, connections, events) for _ in range(rounds)]
    best = max(played, key=lambda one: one.connections_per_s)
    return SelfTest(
        connections=connections,
        rounds=rounds,
        connections_per_s=best.connections_per_s,
        start_s=best.lag_max_s / connections,
        cpu_per_connection_s=best.cpu_per_connection_s,
        cpu_per_receipt_s=best.cpu_per_receipt_s,
        bytes_per_connection=best.bytes_per_connection,
        lag_p99_s=best.lag_p99_s,
        lag_max_s=best.lag_max_s,
        turn_max_s=best.turn_max_s,
        reasons=tuple(_missed(best, connections, events)),
        in_c=None if in_c is None else min(in_c, key=lambda one: one.start_s),
    )


def _missed(best: _Round, connections: int, events: int) -> Iterator[str]:
    if best.held < connections:
        yield f"only {best.held:,} of {connections:,} connections were answered and held"
    if best.receipts < connections * events:
        yield f"only {best.receipts:,} of {connections * events:,} receipts came"
    if best.connections_per_s < CONNECTIONS_PER_S:
        yield f"{best.connections_per_s:,.0f} connections/s are less than {CONNECTIONS_PER_S:,}; is the machine busy?"
    if best.bytes_per_connection is not None and best.bytes_per_connection >= BYTES_PER_CONNECTION:
        yield f"{best.bytes_per_connection:,.0f} bytes a connection are not less than {BYTES_PER_CONNECTION:,}"


def _play(connections: int, events: int) -> _Round:
    load = Load(connections, connections)
    with (
        _bare_server(connections) as (server, endpoints),
        Generator(load, DIALOGUE, endpoints, "u", answer_timeout_s=_PATIENCE_S, processes=1) as generator,
    ):
        generator.start()
        idle_s = _cpu_s(generator)
        answered = generator.wait_all_settled(_PATIENCE_S).answered
        connected_s = _cpu_s(generator)
        for event in range(1, events + 1):
            _broadcast(server, event)
            _wait_for_receipts(generator, event * answered)
        received_s = _cpu_s(generator)
        samples, usage = generator.finish(0.0)
    last_s = max((at for at in samples.answered_s if at == at), default=_PATIENCE_S)  # noqa: PLR0124 - NaN is not itself
    return _Round(
        held=samples.outcomes()[Outcome.HELD],
        receipts=len(samples.receipt_fan),
        connections_per_s=answered / last_s,
        cpu_per_connection_s=(connected_s - idle_s) / connections,
        cpu_per_receipt_s=(received_s - connected_s) / max(1, len(samples.receipt_fan)),
        bytes_per_connection=usage.bytes_per_connection,
        lag_p99_s=usage.lag_p99_s,
        lag_max_s=usage.lag_max_s,
        turn_max_s=usage.turn_max_s,
    )


@contextmanager
def _c_generator() -> Iterator[Path | None]:
    """Give the generator in C, or None where it cannot be compiled."""
    with ExitStack() as stack:
        program = None
        with suppress(CompilerError):
            program = stack.enter_context(compiled())
        yield program


def _play_in_c(program: Path, connections: int, events: int) -> Played:
    load = Load(connections, connections)
    with (
        _bare_server(connections) as (server, endpoints),
        playing(program, load, DIALOGUE, endpoints) as generator,
    ):
        generator.wait_all_settled()
        for event in range(1, events + 1):
            _broadcast(server, event)
        _end(server)  # once everything was sent
        return generator.finish()


def _cpu_s(generator: Generator) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in generator.pids]
    return sum(one.user + one.system for one in times)


def _broadcast(server: subprocess.Popen[str], event: int) -> None:
    assert server.stdin is not None  # noqa: S101 - it was opened as a pipe; this tells the type checker
    server.stdin.write(f"{event}\n")
    server.stdin.flush()


def _wait_for_receipts(generator: Generator, count: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while generator.progress().receipts < count and time.monotonic() < deadline:
        sleep_interruptibly(_LOOK_EVERY_S)


def _end(server: subprocess.Popen[str]) -> None:
    assert server.stdin is not None  # noqa: S101 - as above
    server.stdin.close()
    server.wait()


@contextmanager
def _bare_server(connections: int) -> Iterator[tuple[subprocess.Popen[str], list[Endpoint]]]:
    """Run a bare server with so many listeners that even the whole wave fits into their accept queues."""
    queue = int(Path("/proc/sys/net/core/somaxconn").read_text())
    listeners = -(-connections // queue)
    command = python_module("harness.load.bare_server", str(listeners))
    with subprocess.Popen(  # noqa: S603 - our own program
        command_that_dies_with_parent(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None  # noqa: S101 - they were opened as pipes; this tells the type checker
        assert server.stdout is not None  # noqa: S101 - as above
        try:
            ready, *ports = server.stdout.readline().split() or [""]
            if ready != "ready":
                raise SelfTestError("the bare server did not start; look above for its last words")
            yield server, [Endpoint("127.0.0.1", int(port)) for port in ports]
        finally:  # Popen's own end would leave it behind on Ctrl-C if it took longer than 0.25 s
            _end(server)
