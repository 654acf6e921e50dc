"""The trial's side of the load generator: starts the processes, gives the moment, collects, and always ends them."""

from __future__ import annotations

import math
import os
import socket
import subprocess
from array import array
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import Pipe, wait
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Self

from common.tuning.children import command_that_dies_with_parent, python_module
from common.tuning.open_files import OpenFiles, all_open_files
from harness.errors import HarnessError
from harness.interruption import raise_if_interrupted
from harness.load.conduct import ONLY_WATCH, Conduct
from harness.load.counters import SharedProgress
from harness.load.messages import Begin, EventsBegin, EventsEnd, Finish, Job, Report
from harness.load.samples import GeneratorUsage, Progress, Samples
from harness.load.waiting import AwaitedFans
from harness.load.workload import (
    LOOPBACK_SOURCES,
    RESERVED_FILES,
    ChosenSources,
    Dialogue,
    Endpoint,
    Load,
    LoadPart,
    NoRoomError,
    Sources,
    deal,
)
from harness.records.distribution import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from harness.load.deliveries import SentEvent
    from harness.load.workload import Share

_HEAD_START_S: Final = 0.05  # from the order to the first fan: every process has read it by then
_LOOK_EVERY_S: Final = 0.02
_FILES_A_PROCESS: Final = 3  # here: both ends of its connection, until it is started, and its progress


class GeneratorError(HarnessError):
    """The load could not be generated: an endpoint without an address, or a generator process that died."""


class Generator(AwaitedFans):
    """Plays `load` against `endpoints`, each fan holding `dialogue` as the user `<user_prefix><number of the fan>`.

    Use it as a context manager, and its methods in the order start, wait_all_settled, wait_until_quiet, finish, the
    first and the last of them once; `progress` at any time. `events_begin` is for fans whose `conduct` is
    more than to watch: from there its moments count, and its newcomers are waited for, too. Where fans connect again,
    `wait_all_back` waits for those who are away, and after `events_end` nobody tries any more. Whatever ends the `with`
    block ends the processes and with them all connections; Ctrl-C reaches only the caller. A fan that has no answer
    `answer_timeout_s` after its intended start has failed.
    With `events`, receipts of events numbered up to that are counted as they come, and for that `event_sent` says when
    each was sent, by a clock that is up to `clocks_apart_s` from this machine's; else all receipts are kept.
    `processes` is as few as the limit of open files allows unless it is given. They, and their fans, are in the network
    and on the CPUs of the thread that enters the block; `sources` are the addresses that it gives them.

    The constructor raises NoRoomError if so many fans do not fit, GeneratorError if an endpoint has no address.
    """

    def __init__(  # noqa: PLR0913 - a load is described by what it is made of
        self,
        load: Load | LoadPart,
        dialogue: Dialogue,
        endpoints: Sequence[Endpoint],
        user_prefix: str,
        *,
        answer_timeout_s: float = 60.0,
        processes: int | None = None,
        sources: Sources | ChosenSources = LOOPBACK_SOURCES,
        conduct: Conduct = ONLY_WATCH,
        events: int | None = None,
        clocks_apart_s: float = 0.0,
    ) -> None:
        if not endpoints:
            raise GeneratorError("there is no endpoint to connect to; name at least one HOST:PORT")
        newcomers = len(conduct.newcomers_s)
        open_files = OpenFiles.read().hard
        shares = deal(load.n + newcomers, open_files, processes, sources)
        _check_room_here(len(shares), open_files)
        addresses = tuple(map(_resolve, endpoints))
        starts = load.starts() + array("d", [math.inf]) * newcomers
        self._n = self._expected = load.n
        self._newcomers = newcomers
        self._jobs = [
            Job(
                share,
                _starts_of(share, starts),
                dialogue if dialogue.vars is None else replace(dialogue, vars=dialogue.vars.of(share.fans)),
                addresses,
                user_prefix,
                answer_timeout_s,
                conduct.of(share.fans, load.n),
                events,
                clocks_apart_s,
            )
            for share in shares
        ]
        self._children: list[_Child] = []
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(all_open_files())  # of which each process takes some here
            for _ in self._jobs:
                child = _Child()
                stack.callback(child.close)
                self._children.append(child)
            processes = _Processes(self._children)
            stack.callback(processes.end)
            processes.start()
            for job, child in zip(self._jobs, self._children, strict=True):
                child.send(job)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._cleanup.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The generator processes, for who measures the machine."""
        return tuple(child.pid for child in self._children)

    def start(self) -> float:
        """Begin the schedule when all processes are ready.

        Return t0, the moment of the first intended start, a little ahead, in seconds of time.monotonic().
        """
        self.wait_until_ready()
        t0 = monotonic() + _HEAD_START_S
        self.begin(t0)
        return t0

    def wait_until_ready(self) -> None:
        """Wait until all processes have made their fans. Raise GeneratorError if one died."""
        for child in self._children:
            child.receive()

    def begin(self, t0: float) -> None:
        """Have the processes, all of which are ready, begin the schedule at that moment of time.monotonic()."""
        for child in self._children:
            child.send(Begin(t0))

    def events_begin(self, at: float | None = None) -> None:
        """Have the moments of the conduct count from `at` on time.monotonic(), or from now: fans leave and come.

        Raise GeneratorError if a generator process died.
        """
        self._expected = self._n + self._newcomers
        order = EventsBegin(monotonic() if at is None else at)
        for child in self._children:
            child.send(order)

    def events_end(self) -> None:
        """Have fans who lose their connection from now on stay away. Raise GeneratorError if a process died.

        It returns when all processes have heard that: who is closed with the last event is not to be taken for lost.
        """
        for child in self._children:
            child.send(EventsEnd())
        while not all(child.progress.has_heard_events_end for child in self._children):
            self._pause(_LOOK_EVERY_S)

    def event_sent(self, event: SentEvent) -> None:
        """Say when the next event was sent, and whether it was accepted. Raise GeneratorError."""
        for child in self._children:
            child.send(event)

    def progress(self) -> Progress:
        """Return how far the fans are, as last published by the processes, a turn of their loops ago."""
        return Progress.total(child.progress.read() for child in self._children)

    def _pause(self, seconds: float) -> None:
        """Sleep, or raise GeneratorError as soon as a generator process has died: none has anything to say now."""
        raise_if_interrupted()
        for readable in wait([child.control for child in self._children], seconds):
            next(child for child in self._children if child.control is readable).receive()

    def finish(self, close_wait_s: float, patience_s: float | None = None) -> tuple[Samples, GeneratorUsage]:
        """End the load and return what the fans saw, and what it cost to see it.

        No more fans are started; those connected get up to `close_wait_s` seconds to be closed by the server, then they
        close. Raise GeneratorError if a generator process died, or does not report within `patience_s`, if given.
        """
        for child in self._children:
            child.send(Finish(close_wait_s))
        deadline = None if patience_s is None else monotonic() + patience_s
        reports: list[Report] = [child.receive(deadline) for child in self._children]
        parts = ((job.share.fans, report.samples) for job, report in zip(self._jobs, reports, strict=True))
        samples = Samples.merge(parts).first(self._expected)
        return samples, _usage(samples, reports)


class _Child:
    """A generator process, as seen from here: its two descriptors are `given` to it when it is started."""

    __slots__ = ("_processes", "_theirs", "control", "pid", "progress")

    def __init__(self) -> None:
        self.control: Connection[Any, Any]
        self.control, self._theirs = Pipe()
        self.progress = SharedProgress.create()
        self.pid = 0
        self._processes: _Processes

    @property
    def given(self) -> tuple[int, int]:
        """The descriptors."""
        return self._theirs.fileno(), self.progress.fd

    def is_started(self, pid: int, processes: _Processes) -> None:
        """Take note of the process, which has its own end of the connection now."""
        self.pid, self._processes = pid, processes
        self._theirs.close()

    def send(self, message: Job | Begin | EventsBegin | EventsEnd | SentEvent | Finish) -> None:
        try:
            self.control.send(message)
        except ConnectionError:
            raise self._death() from None

    def receive(self, deadline: float | None = None) -> Any:
        """Return the next message, a Ready or a Report: the order of the dialogue says which.

        Raise GeneratorError if the process died, or says nothing until `deadline` on time.monotonic().
        """
        try:
            while not self.control.poll(_LOOK_EVERY_S):
                raise_if_interrupted()
                if deadline is not None and monotonic() >= deadline:
                    raise GeneratorError(f"generator process {self.pid} does not report")
            return self.control.recv()
        except (EOFError, ConnectionError):
            raise self._death() from None

    def close(self) -> None:
        self._theirs.close()
        self.control.close()
        self.progress.close()

    def _death(self) -> GeneratorError:
        status = self._processes.exit_status(self.pid)
        return GeneratorError(f"generator process {self.pid} died (exit status {status}); see above for its last words")


class _Processes:
    """The processes of the generator, and the one that starts them (`harness.load.fork_server`).

    They are a group of their own: Ctrl-C in a terminal is for the trial.
    """

    def __init__(self, children: Sequence[_Child]) -> None:
        self._children = children
        words = (f"{control}:{progress}" for control, progress in (child.given for child in children))
        self._server = subprocess.Popen(  # noqa: S603 - our own program
            command_that_dies_with_parent(python_module("harness.load.fork_server", *words)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[fd for child in children for fd in child.given],
            process_group=0,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # numpy's; a process with threads is not copied
        )

    def start(self) -> None:
        """Wait until all are there. Raise GeneratorError if they cannot be started."""
        pids = self._said()
        if len(pids) != len(self._children):
            raise GeneratorError("the generator processes could not be started; see above for why")
        for child, pid in zip(self._children, pids, strict=True):
            child.is_started(pid, self)

    def exit_status(self, pid: int) -> int | None:
        """Return how a process ended that has; None if nobody is left to tell."""
        while said := self._said():
            if said[0] == pid:
                return said[1]
        return None

    def end(self) -> None:
        """End all that are still there."""
        assert self._server.stdin is not None  # noqa: S101 - it was opened as a pipe; this tells the type checker
        self._server.stdin.close()
        self._server.wait()
        assert self._server.stdout is not None  # noqa: S101 - as above
        self._server.stdout.close()

    def _said(self) -> list[int]:
        assert self._server.stdout is not None  # noqa: S101 - as above
        return [int(word) for word in self._server.stdout.readline().split()]


def _check_room_here(processes: int, open_files: int) -> None:
    """Raise NoRoomError if this process may not have as many files open as it takes to lead so many others."""
    if _FILES_A_PROCESS * processes + RESERVED_FILES > open_files:
        raise NoRoomError(
            f"so many connections need {processes:,} generator processes, and a limit of {open_files:,} open files has "
            "no room to lead so many: raise it (ulimit -Hn), or use a smaller N"
        )


def _resolve(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with a numeric address, an IPv4 one if there is any: only there can loopback scale."""
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise GeneratorError(f"{endpoint.host} has no address: {error.strerror}; check the name") from None
    best = min(found, key=lambda info: info[0] != socket.AF_INET)
    return Endpoint(str(best[4][0]), endpoint.port)


def _starts_of(share: Share, starts: array[float]) -> array[float]:
    return starts[share.fans.start : share.fans.stop : share.fans.step]


def _usage(samples: Samples, reports: Sequence[Report]) -> GeneratorUsage:
    lag_s = samples.lag_s() or array("d", [0.0])
    growths = [report.growth for report in reports if report.growth is not None]
    return GeneratorUsage(
        processes=len(reports),
        cpu_share=tuple(report.cpu_share for report in reports),
        lag_p50_s=percentile(lag_s, 500),
        lag_p99_s=percentile(lag_s, 990),
        lag_max_s=max(lag_s),
        turn_max_s=max(report.turn_max_s for report in reports),
        bytes_per_connection=sum(growths) / len(samples) if len(growths) == len(reports) else None,
        peak_rss=max(report.peak_rss for report in reports),
    )
