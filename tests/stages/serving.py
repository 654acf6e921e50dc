"""`matchstream` as a program: started as a user would, and ended by its process id."""

from __future__ import annotations

import itertools
import os
import re
import select
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from common.command_line import without_variables
from common.tuning.children import command_that_dies_with_parent, python_module
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

TOKEN: Final = "the-reporters-token"  # noqa: S105  # of servers that only tests can reach

_PORTS: Final = r"(\d+)(?:-(\d+))?"
_READY: Final = re.compile(rf"ready fans=(\S+):{_PORTS} http=\1:{_PORTS}(?: browsers=\1:{_PORTS})?\n")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit status, and all that it said."""

    status: int
    stdout: str
    stderr: str


def environment(directory: Path, **changes: str) -> dict[str, str]:
    """Return this process's environment with its state in `directory`, nothing for servers, and then `changes`."""
    kept = without_variables(os.environ, "MATCHSTREAM")
    kept.pop("XDG_RUNTIME_DIR", None)
    return {**kept, "XDG_STATE_HOME": str(directory), "HOME": str(directory), **changes}


def matchstream(*arguments: str, prefix: Sequence[str] = ()) -> list[str]:
    """Return the command line that runs `matchstream`, and ends it with the tests at the latest.

    `prefix` is a command that becomes the one that stands behind it.
    """
    return command_that_dies_with_parent([*prefix, *python_module("stages", *arguments)], signal.SIGTERM)


def run(environ: Mapping[str, str], *arguments: str) -> Outcome:
    """Run `matchstream` to its end, which must come by itself."""
    ended = subprocess.run(
        matchstream(*arguments), env=environ, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


class ServerProcess:
    """A `matchstream serve` on free ports; entering returns when it is ready.

    It logs to a file in `directory`. Leaving ends it with SIGTERM, if it has not ended yet, and checks that its exit
    status is 0. All methods block, which is right for what is waited for in them: nothing else can go on meanwhile.
    """

    host: str
    fan_ports: range
    http_ports: range
    browser_ports: range
    """None are in it where browsers are not served."""

    def __init__(
        self,
        stage: str,
        directory: Path,
        *options: str,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        arguments = ("serve", "--stage", stage, "--port", "0", "--http-port", "0", *options)
        self._command = matchstream(*arguments, prefix=prefix)
        self._environ = environment(directory, MATCHSTREAM_TOKEN=TOKEN) if environ is None else environ
        self._log = directory / "server.log"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environ, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            self.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running()
        if process.returncode is not None:
            return
        process.terminate()
        status = self.wait()
        if error is None:
            assert status == 0, self.log()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._running().pid

    @property
    def url(self) -> str:
        """The URL of the API."""
        return f"http://{self.host}:{self.http_ports[0]}"

    def fan_addresses(self) -> Iterator[tuple[str, int]]:
        """Return where fans may connect, each address in its turn, for ever."""
        return itertools.cycle([(self.host, port) for port in self.fan_ports])

    def send_signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        self._running().send_signal(number)

    def wait(self) -> int:
        """Return the server's exit status once it has ended."""
        process = self._running()
        try:
            status = process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            assert process.stdout is not None
            process.stdout.close()
        return status

    def log(self) -> str:
        """Return all that the server has logged so far."""
        return self._log.read_text()

    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "a ServerProcess runs inside `with` only"
        return self._process

    def _wait_until_ready(self) -> None:
        stdout = self._running().stdout
        assert stdout is not None
        if not select.select([stdout], [], [], DEADLINE_S)[0]:
            raise AssertionError(f"the server said nothing: {self.log()}")
        line = stdout.readline()
        ready = _READY.fullmatch(line)
        assert ready is not None, f"{line!r} is not what a server says when it is ready: {self.log()}"
        self.host = ready[1]
        self.fan_ports = range(int(ready[2]), int(ready[3] or ready[2]) + 1)
        self.http_ports = range(int(ready[4]), int(ready[5] or ready[4]) + 1)
        self.browser_ports = range(int(ready[6]), int(ready[7] or ready[6]) + 1) if ready[6] else range(0)
