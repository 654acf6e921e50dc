"""One fan, that tries whether a server does as it was described, and keeps what was said and heard."""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from harness.load.protocols.catalogue import reader_of
from harness.load.protocols.reader import Callbacks, Completeness, StreamError
from harness.load.tls import trusting
from harness.load.workload import Dialogue, Endpoint, Protocol
from harness.targets.target import TargetError
from harness.targets.tls import TRUST_BY_OPTION, tls_explained

ANSWER_TIMEOUT_S = 5.0
GREETING_WAIT_S = 0.5
"""How long a server is listened to that is said to wait for its fans: one that greets them mostly does so at once."""
LATE_GREETING_WAIT_S = 0.2
"""How long, once a fan was answered, another is listened to that came with it and said nothing."""

_EXCERPT_BYTES = 120
_CHUNK = 4096
_HEAD_END = b"\r\n\r\n"  # of an answer over HTTP of which nothing else was said
_USER = b"fan"
_FAN = 0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Said:
    """What one side said, as it was read or sent."""

    by_fan: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the fan took the last data for: `the answer`, `event 7`; and how long it was waited for, if it was."""

    what: str
    after_s: float | None = None


class OneFan:
    """A fan of the server at `endpoint`, which people call `name`; connected as long as the block lasts.

    Whatever is not as described raises TargetError, with what was said instead. `transcript` has all until then.
    """

    def __init__(self, endpoint: Endpoint, dialogue: Dialogue, name: str) -> None:
        self.transcript: list[Said | Recognised] = []
        self._endpoint = endpoint
        self._dialogue = dialogue
        self._name = name
        self._reader = reader_of(dialogue, Callbacks(self._settle, self._say, self._fill))
        self._connections = ExitStack()
        self._socket: socket.socket
        self._rest = b""  # what came with the answer
        self._settled: list[int] = []

    def __enter__(self) -> Self:
        self._socket = self._connections.enter_context(self._try_to(self._connected))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connections.close()

    def converse(self) -> None:
        """Hear the greeting, ask, and hear the answer."""
        dialogue = self._dialogue
        if dialogue.welcome_end:
            missing = f"does not end with {_shown(dialogue.welcome_end)}"
            self._hear("the greeting", missing, lambda data: self._reader.greeting(_FAN, data))
            self._ask()
        elif dialogue.protocol is not Protocol.LINES:  # by HTTP the server never speaks first
            self._ask()
        else:
            self._ask_who_does_not_greet()

    def listen(self, seconds: float, awaited: int | None) -> bool:
        """Hear what comes, until the event of that number was recognised, or any if it is None; return whether it was.

        After so many seconds it was not.
        """
        began = time.monotonic()
        data: bytes | None = self._rest
        while True:
            if data and self._recognises(self._numbers(data), began, awaited):
                return True
            data = self._try_to(lambda: self._receive(began + seconds))
            if not data:
                break
        if data == b"":
            self.transcript.append(Recognised("the end: the server closed"))
        self._reader.forget(_FAN)  # a number with which its data ended was whole
        return self._recognises(self._settled, began, awaited)

    def leave(self) -> None:
        """Say goodbye, where that is usual."""
        if goodbye := self._reader.goodbye:
            self._try_to(lambda: self._say(_FAN, goodbye))

    def _say(self, fan: int, text: bytes) -> None:
        self.transcript.append(Said(by_fan=True, data=text))
        self._socket.sendall(text)

    def _fill(self, fan: int, text: bytes) -> bytes:
        return self._dialogue.filled(text, fan, _USER)

    def _settle(self, fan: int, number: int, at_s: float) -> None:
        self._settled.append(number)

    def _recognises(self, numbers: Sequence[int], began: float, awaited: int | None) -> bool:
        """Take down which events were heard; return whether the one that is awaited is among them."""
        for number in numbers:
            self.transcript.append(Recognised(f"event {number}", time.monotonic() - began))
        return awaited in numbers if awaited is not None else bool(numbers)

    def _numbers(self, data: bytes) -> list[int]:
        numbers = self._try_to(lambda: self._reader.sequences(_FAN, data, 0.0))
        settled, self._settled = self._settled, []
        return [*settled, *numbers]

    def _answer(self, data: bytes) -> Completeness:
        state, self._rest = self._reader.answer(_FAN, data)
        return state

    def _ask(self) -> None:
        self._try_to(lambda: self._say(_FAN, self._fill(_FAN, self._dialogue.hello)))
        self._hear("the answer", _missing(self._dialogue), self._answer)

    def _ask_who_does_not_greet(self) -> None:
        """Make sure that the server does not greet its fans, which would be taken for the answer.

        One that takes its time for it may do so when the fan has asked, so another is listened to, that says nothing.
        """
        with ExitStack() as stack:
            silent = None
            with suppress(OSError):  # a server may take one connection and no more
                silent = stack.enter_context(self._connected())
            self._refuse_greeting(self._try_to(lambda: self._receive(time.monotonic() + GREETING_WAIT_S)))
            self._ask()
            if silent is not None:
                self._refuse_greeting(_heard(silent, LATE_GREETING_WAIT_S))

    def _refuse_greeting(self, said: bytes | None) -> None:
        if said:
            raise TargetError(
                f"{self._name}: the server speaks first{_quoted(said)}: say how its greeting ends, with --welcome "
                "(in a file: welcome_end)"
            )

    def _connected(self) -> socket.socket:
        """Return a connection to the server, by TLS if that is asked for. Raise TargetError, OSError."""
        plain = socket.create_connection((self._endpoint.host, self._endpoint.port), ANSWER_TIMEOUT_S)
        if (tls := self._dialogue.tls) is None:
            return plain
        with plain, tls_explained(self._name, TRUST_BY_OPTION):  # once it speaks TLS, `plain` is closed already
            return trusting(tls.ca, insecure=tls.insecure).wrap_socket(plain, server_hostname=tls.server_name)

    def _hear(self, what: str, missing: str, read: Callable[[bytes], Completeness]) -> None:
        """Hear the server out, up to the end of `what`; where that is `missing`, say so."""
        state, said = Completeness.PART, b""
        began = time.monotonic()
        while state is Completeness.PART:
            data = self._try_to(lambda: self._receive(began + ANSWER_TIMEOUT_S))
            if data is None:
                raise TargetError(f"{self._name}: {what} {missing} within {ANSWER_TIMEOUT_S:g} s{_quoted(said)}")
            if not data:
                raise TargetError(f"{self._name}: {what} {missing}: the server closed{_quoted(said)}")
            said += data
            state = self._try_to(partial(read, data))
        if state is Completeness.REFUSAL:
            raise TargetError(f"{self._name}: {what} is a refusal{_quoted(said)}")
        self.transcript.append(Recognised(what, time.monotonic() - began))

    def _receive(self, deadline: float) -> bytes | None:
        """Return what comes next: nothing, if the server closed; None if nothing comes until the deadline."""
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self._socket.recv(_CHUNK)
        except TimeoutError:
            return None
        finally:
            self._socket.settimeout(ANSWER_TIMEOUT_S)
        if data:
            self.transcript.append(Said(by_fan=False, data=data))
        return data

    def _try_to(self, act: Callable[[], _T]) -> _T:
        """Return what `act` returns; what it meets instead is a TargetError."""
        try:
            return act()
        except StreamError as error:
            raise TargetError(f"{self._name}: {error}") from None
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> TargetError:
        return TargetError(f"{self._name}: the connection broke ({error.strerror or error})")


def _heard(silent: socket.socket, seconds: float) -> bytes:
    """Return what comes within so many seconds to who said nothing."""
    silent.settimeout(seconds)
    try:
        return silent.recv(_CHUNK)
    except OSError:
        return b""


def _missing(dialogue: Dialogue) -> str:
    """Return what is to be said of an answer that is none."""
    if dialogue.protocol is Protocol.MQTT:
        return "is no SUBACK"
    ends = [turn.until for turn in dialogue.turns if turn.until is not None]
    if dialogue.protocol is not Protocol.WEBSOCKET or not ends:
        return f"does not end with {_shown(ends[-1] if ends else dialogue.answer_end or _HEAD_END)}"
    return f"is no message with {_shown(ends[-1])}" if ends[-1] else "is no message"


def _quoted(said: bytes) -> str:
    return f"; it said {_shown(said[:_EXCERPT_BYTES])}" if said else "; it said nothing"


def _shown(text: bytes) -> str:
    return repr(text)[1:]
