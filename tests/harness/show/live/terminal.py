"""A command in a terminal of its own, and the person in front of it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    import signal
    from types import TracebackType

DEADLINE_S: Final = 60.0
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\r\x07]")


class Terminal:
    """Runs `harness` with a terminal as its standard input, output and error; a context manager that ends it."""

    def __init__(self, *words: str, rows: int = 24, columns: int = 80, environ: dict[str, str] | None = None) -> None:
        self._person, self._program = pty.openpty()
        fcntl.ioctl(self._program, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self._program)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *words],
            stdin=self._program,
            stdout=self._program,
            stderr=self._program,
            env={**environ_without_size(), "TERM": "xterm-256color", **(environ or {})},
            start_new_session=True,
        )
        self._heard = b""
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._person)
        os.close(self._program)

    @property
    def settings(self) -> list[object]:
        """The terminal's settings now."""
        return termios.tcgetattr(self._program)

    @property
    def text(self) -> str:
        """All that was drawn."""
        return _plain(self._heard)

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self._person, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        self._process.send_signal(number)

    def see(self, *texts: str) -> None:
        """Return when all these were drawn, in this order, since the last time that something was seen."""
        self.see_match(".*?".join(map(re.escape, texts)))

    def see_match(self, expression: str) -> None:
        """Return when what was drawn since then has a match for a regular expression."""
        deadline = time.monotonic() + DEADLINE_S
        pattern = re.compile(expression, re.DOTALL)
        while pattern.search(_plain(self._heard[self._read :])) is None:
            assert time.monotonic() < deadline, (
                f"{expression} did not appear in {_plain(self._heard[self._read :])[-3000:]}"
            )
            self._hear(0.1)
        self._read = len(self._heard)

    def end(self) -> int:
        """Return the exit status when the command has ended, which must come by itself."""
        deadline = time.monotonic() + DEADLINE_S
        while (status := self._process.poll()) is None:
            assert time.monotonic() < deadline, "it does not end"
            self._hear(0.05)
        while self._hear(0.0):
            pass
        return status

    def _hear(self, wait_s: float) -> bool:
        if not select.select([self._person], [], [], wait_s)[0]:
            return False
        self._heard += os.read(self._person, 65536)
        return True


def environ_without_size() -> dict[str, str]:
    """Return this process's environment without what would overrule the terminal's own size."""
    return {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}


def _plain(heard: bytes) -> str:
    return _CONTROL.sub("", heard.decode(errors="replace"))
