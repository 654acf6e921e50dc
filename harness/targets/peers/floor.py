"""The floor: a bare epoll server in C that does nothing which is not needed. Nobody gets below what it takes.

Its source, `floor.c`, lies beside the targets and is compiled when it is measured: with a C compiler that takes a
moment, and a program that was compiled elsewhere may not run here.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.load.compiler import CompilerError, compile_c, find_compiler
from harness.load.workload import Dialogue, Endpoint
from harness.targets.payload import MARK
from harness.targets.peers.peer import Peer, Place
from harness.targets.publisher import Publisher
from harness.targets.socket_publisher import SocketPublisher
from harness.targets.target import TargetError

SOURCE = Path(__file__).parents[1] / "floor.c"

DIALOGUE = Dialogue(hello=b"V:2:{user}\n", welcome_end=b"\n", answer_end=b"\n\r\n", mark=MARK, error_start=b"ERROR:")
"""That of the stages."""


def floor_peer() -> Peer:
    """Return the floor. Raise TargetError if there is no C compiler; it is one as well if that does not compile."""
    with _as_target_error():
        compiler = find_compiler()

    def command(place: Place) -> Sequence[str]:
        program = place.directory / "floor"
        with _as_target_error():
            compile_c(compiler, SOURCE, program)
        return [str(program), place.fans.host, str(place.fans.port), str(place.posts.port)]

    return Peer("bare epoll loop in C", DIALOGUE, command, _publisher, has_port_for_posts=True)


@contextmanager
def _as_target_error() -> Iterator[None]:
    try:
        yield
    except CompilerError as error:
        raise TargetError(str(error)) from None


def _publisher(endpoint: Endpoint) -> Publisher:
    return SocketPublisher("tcp", endpoint, message=lambda line: line + b"\n", ack=b"ok\n")
