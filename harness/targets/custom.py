"""Anyone's server of lines or of an HTTP stream, which runs already and was described."""

import socket
import time
from collections.abc import Callable

from harness.generator.parsing import Heard, Reader
from harness.targets.description import Described
from harness.targets.http_publisher import HttpPublisher
from harness.targets.reach import Reached, reach
from harness.targets.target import TargetError
from harness.targets.variant import Variant
from harness.workload import Dialogue, Endpoint

ANSWER_TIMEOUT_S = 5.0
_EXCERPT_BYTES = 120
_CHUNK = 4096


class CustomTarget:
    """The server `described`, which people call `name`."""

    def __init__(self, name: str, described: Described) -> None:
        self._name = name
        self._described = described
        self._reached = Reached()

    @property
    def name(self) -> str:
        """Its address, or the name of the file that describes it."""
        return self._name

    @property
    def variant(self) -> Variant | None:
        """None: it is no stage."""
        return None

    @property
    def peer(self) -> str | None:
        """None: the harness did not start it."""
        return None

    @property
    def publishes(self) -> bool:
        """Whether it was said how."""
        return self._described.publisher is not None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The address's ports, on the host's first numeric address."""
        return self._reached.endpoints

    @property
    def publisher(self) -> HttpPublisher | None:
        """How events are posted, if it was said."""
        return self._described.publisher

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of this machine that listen there."""
        return self._reached.pids

    def start(self) -> None:
        """Make sure that one fan is answered as described. Raise TargetError with what the server said instead."""
        reached = reach(self._described.named, self._name)
        _try(reached.endpoints[0], self._described.dialogue, self._name)
        self._reached = reached

    def stop(self) -> None:
        """Leave the server as it is."""

    def ended(self) -> str | None:
        """Tell a server that can be watched, and of which no process is left."""
        return self._reached.ended()

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return a fan's part as it was described."""
        return self._described.dialogue


def _try(endpoint: Endpoint, dialogue: Dialogue, name: str) -> None:
    """Play one fan up to its answer."""
    reader = Reader(dialogue)
    try:
        with socket.create_connection((endpoint.host, endpoint.port), ANSWER_TIMEOUT_S) as fan:
            if dialogue.welcome_end:
                _hear(fan, f"{name}: the greeting", dialogue.welcome_end, lambda data: reader.greeting(0, data))
            fan.sendall(dialogue.hello_of(b"fan"))
            _hear(fan, f"{name}: the answer", dialogue.answer_end, lambda data: reader.answer(0, data)[0])
    except OSError as error:
        raise TargetError(f"{name}: the connection broke ({error.strerror or error})") from error


def _hear(fan: socket.socket, what: str, end: bytes, read: Callable[[bytes], Heard]) -> None:
    """Hear the server out up to `end`. Raise TargetError with what it said if that does not come."""
    state, said = Heard.PART, b""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    try:
        while state is Heard.PART:
            fan.settimeout(max(0.001, deadline - time.monotonic()))
            data = fan.recv(_CHUNK)
            if not data:
                raise TargetError(f"{what} does not end with {_shown(end)}: the server closed{_quoted(said)}")
            said += data
            state = read(data)
    except TimeoutError:
        raise TargetError(
            f"{what} does not end with {_shown(end)} within {ANSWER_TIMEOUT_S:g} s{_quoted(said)}"
        ) from None
    if state is Heard.REFUSAL:
        raise TargetError(f"{what} is a refusal{_quoted(said)}")


def _quoted(said: bytes) -> str:
    return f"; it said {_shown(said[:_EXCERPT_BYTES])}" if said else "; it said nothing"


def _shown(text: bytes) -> str:
    return repr(text)[1:]
