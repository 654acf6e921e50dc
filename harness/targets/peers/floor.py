"""The floor: a bare epoll server in C that does nothing which is not needed. Nobody gets below what it takes.

Its source, `floor.c`, lies beside the targets and is compiled when it is measured: with a C compiler that takes a
moment, and a program that was compiled elsewhere may not run here.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.load.workload import Dialogue, Endpoint
from harness.targets.payload import MARK
from harness.targets.peers.peer import Peer, PeerPlace
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher
from harness.targets.target import TargetError

SOURCE = Path(__file__).parents[1] / "floor.c"
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror")

DIALOGUE = Dialogue(hello=b"V:2:{user}\n", welcome_end=b"\n", answer_end=b"\n\r\n", mark=MARK, error_start=b"ERROR:")
"""That of the stages."""


def floor_peer() -> Peer:
    """Return the floor. Raise TargetError if there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise TargetError("there is no C compiler (cc) on this machine: apt-get install gcc libc6-dev")

    def command(place: PeerPlace) -> Sequence[str]:
        program = place.directory / "floor"
        compile_floor(compiler, program)
        return [str(program), place.fans.host, str(place.fans.port), str(place.posts.port)]

    return Peer("bare epoll loop in C", DIALOGUE, command, _publisher, has_port_for_posts=True)


def compile_floor(compiler: str, program: Path) -> None:
    """Compile the floor into the file `program`. Raise TargetError with the compiler's first error."""
    done = subprocess.run([compiler, *FLAGS, "-o", program, SOURCE], capture_output=True, text=True, check=False)  # noqa: S603 -- our own source
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or [f"status {done.returncode}"]
        raise TargetError(f"{compiler} cannot compile {SOURCE.name}: {errors[0]}: apt-get install gcc libc6-dev")


def _publisher(endpoint: Endpoint) -> Publisher:
    return SocketPublisher("tcp", endpoint, message=lambda line: line + b"\n", ack=b"ok\n")
