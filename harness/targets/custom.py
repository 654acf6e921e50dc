"""Anyone's server of lines or of an HTTP stream, which runs already and was described."""

import socket
import time
from collections.abc import Callable

from harness.load.protocols.catalogue import reader_of
from harness.load.protocols.reader import Completeness, StreamError
from harness.load.workload import Dialogue, Endpoint
from harness.targets.description import Described
from harness.targets.http_publisher import HttpPublisher
from harness.targets.running import RunningTarget
from harness.targets.target import TargetError
from harness.targets.tls import refuse_untrusted

ANSWER_TIMEOUT_S = 5.0
GREETING_WAIT_S = 0.5
"""How long a server is listened to that is said to wait for its fans: one that greets them does so at once."""
_EXCERPT_BYTES = 120
_CHUNK = 4096
_HEAD_END = b"\r\n\r\n"  # of an answer over HTTP of which nothing else was said


class CustomTarget(RunningTarget):
    """The server `described`, which people call `name`."""

    def __init__(self, name: str, described: Described) -> None:
        super().__init__(name, described.named)
        self._described = described

    @property
    def publishes(self) -> bool:
        """Whether it was said how."""
        return self._described.publisher is not None

    @property
    def publisher(self) -> HttpPublisher | None:
        """How events are posted, if it was said."""
        return self._described.publisher

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return a fan's part as it was described."""
        return self._described.dialogue

    def _try(self, first: Endpoint) -> None:
        """Make sure that one fan is answered as described, and that events may be posted by TLS. Raise TargetError."""
        _play_a_fan(first, self._described.dialogue, self.name)
        if self.publisher is not None:
            refuse_untrusted(self.publisher.url)


def _play_a_fan(endpoint: Endpoint, dialogue: Dialogue, name: str) -> None:
    """Play one fan up to its answer."""
    reader = reader_of(dialogue, _ignore)
    answer_end = dialogue.answer_end or _HEAD_END
    try:
        with socket.create_connection((endpoint.host, endpoint.port), ANSWER_TIMEOUT_S) as fan:
            if dialogue.welcome_end:
                _hear(fan, f"{name}: the greeting", dialogue.welcome_end, lambda data: reader.greeting(0, data))
            else:
                _hear_nothing(fan, name)
            fan.sendall(dialogue.hello_of(b"fan"))
            _hear(fan, f"{name}: the answer", answer_end, lambda data: reader.answer(0, data)[0])
    except StreamError as error:
        raise TargetError(f"{name}: {error}") from None
    except OSError as error:
        raise TargetError(f"{name}: the connection broke ({error.strerror or error})") from error


def _hear_nothing(fan: socket.socket, name: str) -> None:
    """Make sure that the server does not greet its fans: that would be taken for the answer. Raise TargetError."""
    fan.settimeout(GREETING_WAIT_S)
    try:
        said = fan.recv(_CHUNK)
    except TimeoutError:
        said = b""
    if said:
        raise TargetError(
            f"{name}: the server speaks first{_quoted(said)}: say how its greeting ends, with --welcome (in a file: "
            "welcome_end)"
        )
    fan.settimeout(ANSWER_TIMEOUT_S)


def _ignore(fan: int, number: int, at_s: float) -> None:
    """Nobody posts while one fan tries."""


def _hear(fan: socket.socket, what: str, end: bytes, read: Callable[[bytes], Completeness]) -> None:
    """Hear the server out up to `end`. Raise TargetError with what it said if that does not come."""
    state, said = Completeness.PART, b""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    try:
        while state is Completeness.PART:
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
    if state is Completeness.REFUSAL:
        raise TargetError(f"{what} is a refusal{_quoted(said)}")


def _quoted(said: bytes) -> str:
    return f"; it said {_shown(said[:_EXCERPT_BYTES])}" if said else "; it said nothing"


def _shown(text: bytes) -> str:
    return repr(text)[1:]
