"""The small load generator in C (`waves.c`), to hold the harness's own against: how it is compiled, run and understood.

It plays the same fans by the same clocks, so what the two say of a server differs by what they cost, and by noise.
"""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from common.tuning.children import command_that_dies_with_parent
from harness.errors import HarnessError
from harness.load.compiler import compile_c, find_compiler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.load.workload import Dialogue, Endpoint, Load

SOURCE: Final = Path(__file__).with_name("waves.c")


class CGeneratorError(HarnessError):
    """The C generator cannot play this load, or ended before its time."""


class Times(msgspec.Struct, frozen=True):
    """Times of many fans, in seconds."""

    mean_s: float
    p50_s: float
    p99_s: float
    max_s: float


class Played(msgspec.Struct, frozen=True):
    """What the C generator saw, in the harness's own terms; times are None where nobody has one.

    A start took `start_s` by the clock, and a connection and a receipt so much CPU. What `own` says is that part of the
    response which was the generator's (`Samples.own_s`).
    """

    n: int
    answered: int
    receipts: int
    start_s: float
    cpu_connection_s: float
    cpu_receipt_s: float
    late: Times | None
    art: Times | None
    response: Times | None
    own: Times | None


class CGenerator:
    """One run of the program, which plays its load from the start; use `playing` to make one."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def wait_all_settled(self) -> None:
        """Wait until all fans were answered or have failed. Raise CGeneratorError if it ends before."""
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe; this tells the type checker
        if self._process.stdout.readline() != "settled\n":
            raise CGeneratorError("the generator in C ended before its fans were settled; look above for why")

    def finish(self) -> Played:
        """Let it close its connections, and return what it saw, events until now included."""
        told, _ = self._process.communicate()
        return msgspec.json.decode(told, type=Played)


@contextmanager
def compiled() -> Iterator[Path]:
    """Give the program, compiled into a directory that goes afterwards. Raise CompilerError."""
    compiler = find_compiler()
    with tempfile.TemporaryDirectory(prefix="waves-") as directory:
        program = Path(directory) / "waves"
        compile_c(compiler, SOURCE, program)
        yield program


@contextmanager
def playing(
    program: Path, load: Load, dialogue: Dialogue, endpoints: Sequence[Endpoint], *, stamps: str = "kernel"
) -> Iterator[CGenerator]:
    """Have the compiled program play a load from this moment on; what it began ends with the block.

    With `stamps="kernel"` arrivals have the kernel's, as in the harness; with `"read"` it reads at once, between
    connects, and an arrival counts from then. Raise CGeneratorError for a server that is not on one IPv4 loopback
    address, or does not speak first.
    """
    hosts = {endpoint.host for endpoint in endpoints}
    if len(hosts) != 1 or not endpoints[0].is_loopback or not dialogue.welcome_end:
        raise CGeneratorError("the generator in C plays only with servers on a loopback address that greet their fans")
    ports = ",".join(str(endpoint.port) for endpoint in endpoints)
    interval_ms = f"{load.interval_s * 1e3:g}"
    command = [str(program), hosts.pop(), ports, str(load.n), str(load.c), interval_ms, dialogue.hello.decode(), stamps]
    with subprocess.Popen(  # noqa: S603 - our own program
        command_that_dies_with_parent(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield CGenerator(process)
        finally:
            process.kill()
