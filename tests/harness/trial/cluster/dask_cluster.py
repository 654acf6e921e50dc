"""A small Dask cluster, of real programs: a scheduler, and a worker for each host that is asked for."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

PATIENCE_S: Final = 60.0

Prefix = tuple[str, ...]
"""The words before a command that run it on a host; none for this machine."""


class DaskCluster:
    """A scheduler where `scheduler` says, listening on `address`, and a worker for each of `workers`; in `directory`.

    `url` is the scheduler's; a worker is killed by its number.
    """

    def __init__(self, directory: Path, address: str, scheduler: Prefix, workers: Sequence[Prefix]) -> None:
        self._directory = directory
        self._address = address
        self._scheduler = scheduler
        self._prefixes = workers
        self._workers: list[subprocess.Popen[bytes]] = []
        self._cleanup = ExitStack()
        self.url = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            file = self._directory / "scheduler.json"
            listening = ("--host", self._address, "--port", "0", "--scheduler-file", str(file))
            self._start(stack, self._scheduler, "dask_scheduler", *listening, "--no-show")
            self.url = self._wait_for(file)
            for number, prefix in enumerate(self._prefixes):
                directory = self._directory / f"worker-{number}"
                words = ("--no-nanny", "--nthreads", "1", "--local-directory", str(directory), self.url)
                self._workers.append(self._start(stack, prefix, "dask_worker", *words))
            self._wait_for_workers()
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def kill_worker(self, number: int) -> None:
        """End a worker at once, as a machine that loses its power does."""
        self._workers[number].kill()
        self._workers[number].wait()

    def _start(self, stack: ExitStack, prefix: Prefix, program: str, *words: str) -> subprocess.Popen[bytes]:
        log = stack.enter_context((self._directory / f"{program}-{len(self._workers)}.log").open("wb"))
        command = (*prefix, sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *words)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process

    def _wait_for(self, file: Path) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if file.exists() and (text := file.read_text()).endswith("}"):
                return str(json.loads(text)["address"])
            time.sleep(0.05)
        raise TimeoutError("the scheduler does not start")

    def _wait_for_workers(self) -> None:
        logs = [self._directory / f"dask_worker-{number}.log" for number in range(len(self._workers))]
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if all("Registered to:" in log.read_text() for log in logs):
                return
            time.sleep(0.05)
        raise TimeoutError("the workers do not start")
