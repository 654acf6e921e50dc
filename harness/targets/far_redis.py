"""A Redis of the trial's own that is further away than the embedded one, for as long as a stage is measured with it."""

import re
import tempfile
import time
from dataclasses import dataclass
from typing import IO, Final, Self

from common.tuning.children import python_module
from harness.interruption import sleep_interruptibly
from harness.targets.program import Program, tail
from harness.targets.target import TargetError

_READY: Final = re.compile(r"^ready (\S+) (\d+)$", re.MULTILINE)
_READY_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class FarRedis:
    """A Redis behind a proxy (`harness.targets.redis_proxy`); `pid` is the Redis, and the proxy is nobody's."""

    url: str
    pid: int
    program: Program

    @classmethod
    def start(cls, round_trip_s: float) -> Self:
        """Return one whose round trips take so much longer, when it can be used. Raise TargetError."""
        with tempfile.TemporaryFile() as output:
            program = Program.start(python_module("harness.targets.redis_proxy", str(round_trip_s)), {}, output)
            try:
                url, pid = _wait_until_ready(program, output)
            except BaseException:
                program.stop(_STOP_TIMEOUT_S, _STOP_TIMEOUT_S)
                raise
        return cls(url, pid, program)

    def stop(self) -> None:
        """End it, and the proxy."""
        self.program.stop(_STOP_TIMEOUT_S, _STOP_TIMEOUT_S)


def _wait_until_ready(program: Program, output: IO[bytes]) -> tuple[str, int]:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline:
        ended = program.ended()
        if found := _READY.search(tail(output)):
            return found[1], int(found[2])
        if ended is not None:
            raise TargetError(f"--redis-latency: its Redis did not start: {ended}")
        sleep_interruptibly(_POLL_S)
    raise TargetError(f"--redis-latency: its Redis did not get ready{program.last_words()}")
