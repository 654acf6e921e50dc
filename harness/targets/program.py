"""A server program that the harness starts: in a session of its own, tied to the harness, ended with all it started.

Its own session keeps Ctrl-C in a terminal for the harness alone, which then ends everything in order; if the harness is
killed, the kernel ends the program (`common.tuning.children`).
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Self

from common.command_line import without_variables
from common.tuning.children import command_that_dies_with_parent
from harness.interruption import sleep_interruptibly
from harness.targets.process_tree import end_all, family

_TAIL = 4096  # bytes of a log that are looked at
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was started, and the file it writes its log to."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]

    @classmethod
    def start(cls, command: Sequence[str], environ: Mapping[str, str], output: IO[bytes] | None = None) -> Self:
        """Run `command` with `environ` in addition to the harness's own; its standard output goes to `output`.

        What the user has set for servers of their own (`MATCHSTREAM_…`) is not for one that is measured.

        Without an `output` that goes to the log, as standard error does.
        """
        # An anonymous file rather than a pipe: a server that logs a line a message must never wait for a reader.
        log = tempfile.TemporaryFile()  # noqa: SIM115 -- open for as long as the program runs; `stop` closes it
        process = subprocess.Popen(  # noqa: S603 -- what the harness itself put together; no shell
            command_that_dies_with_parent(command),
            stdin=subprocess.DEVNULL,
            stdout=log if output is None else output,
            stderr=log,
            env={**without_variables(os.environ, "MATCHSTREAM"), **environ},
            start_new_session=True,
        )
        return cls(process, log)

    @property
    def pid(self) -> int:
        """The process that was started; its session has the same number."""
        return self.process.pid

    def ended(self) -> str | None:
        """Return how it ended by itself, with the last line of its log, or None while it runs."""
        if (status := self.process.poll()) is None:
            return None
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"the server {how}{self.last_words()}"

    def last_words(self) -> str:
        """Return the last line of its log after a colon; nothing where it has said nothing."""
        lines = [line.strip() for line in tail(self.log).splitlines() if line.strip()]
        return f": {lines[-1]}" if lines else ""

    def stop(self, patience_s: float, orphans_s: float) -> None:
        """End it: SIGTERM, and SIGKILL after `patience_s`; its other processes have `orphans_s` to follow."""
        members = family(self.pid)
        self.process.terminate()
        try:
            self._wait(patience_s)
        finally:  # also on Ctrl-C, when somebody has waited long enough: the server must not be left behind
            self.process.kill()
            self.process.wait()
            self.log.close()
            end_all((*members, *family(self.pid)), orphans_s)

    def _wait(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while self.process.poll() is None and time.monotonic() < deadline:
            sleep_interruptibly(_POLL_S)


def tail(file: IO[bytes]) -> str:
    """Return the end of a file that a child writes; without seeking, since the two share one position."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), _TAIL, max(0, size - _TAIL)).decode(errors="replace")
