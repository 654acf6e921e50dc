"""Starting the fake match stream, as a stage would be or by hand."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAKE = (sys.executable, str(Path(__file__).with_name("fake_match_stream.py")))


def wait_until(holds: Callable[[], bool], patience_s: float = 120.0) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@contextlib.contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A command of the harness that runs inside; it has ended after, or the test has failed and it is killed."""
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


@dataclass(frozen=True)
class Running:
    """A fake that runs: its process, ports and token."""

    pid: int
    fans: int
    http: int
    token: str

    def matches(self) -> int:
        """Return how many matches are announced and not cancelled."""
        return len(self._ask("matches")["matches"])

    def posts(self) -> int:
        """Return how many posts with a mark were accepted."""
        return int(self._ask("posts")["posts"])

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/1/{path}") as answer:
            return json.load(answer)


@contextlib.contextmanager
def fake_server(faults: str) -> Iterator[Running]:
    token = "a-token-for-tests"  # noqa: S105 -- of a fake that lives for one test
    command = [*FAKE, "serve", "--stage", faults, "--port", "0", "--http-port", "0"]
    environ = {**os.environ, "MATCHSTREAM_TOKEN": token}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            assert process.stdout is not None
            ports = re.findall(r":(\d+)", process.stdout.readline())
            yield Running(process.pid, int(ports[0]), int(ports[1]), token)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
