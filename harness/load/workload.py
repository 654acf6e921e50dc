r"""What a generator is asked to do, decided beforehand: a schedule, a dialogue, and who plays which fan. Pure, no I/O.

The load is open: fan i starts at its intended moment whether or not the fans before it have been answered. A generator
that waited for answers would slow down with the server and miss the very moments that hurt (coordinated omission; Gil
Tene, "How NOT to Measure Latency").

A process has a limit of open files, so many fans need several processes. Process p of P plays the fans p, p + P, p + 2P
…, so that every wave is spread evenly. On one machine each process has source addresses of its own (`Sources`): an
address has only some 28,000 ports towards one listener (ip(7), ip_local_port_range), and the kernel finds a free one
slowly when most are taken.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import TYPE_CHECKING, Final

from harness.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

RESERVED_FILES: Final = 64  # of a generator process: standard streams, control, epoll, and what the interpreter opens
CONNECTIONS_PER_ADDRESS: Final = 4096  # an eighth of the usual ports: quick to find, and leaves room for TIME_WAIT

_USER: Final = b"{user}"
_LOOPBACK: Final = IPv4Network("127.0.0.0/8")


class InvalidLoadError(HarnessError):
    """The schedule asked for makes no sense; the message says what would."""


class InvalidDialogueError(HarnessError):
    """The dialogue cannot be held; the message says which of its parts is missing or too long."""


class NoRoomError(HarnessError):
    """The connections asked for do not fit into the processes asked for."""


class Protocol(Enum):
    """How what the server says is read; see `harness.load.protocols`."""

    LINES = auto()
    HTTP = auto()
    MQTT = auto()
    WEBSOCKET = auto()


@dataclass(frozen=True, slots=True)
class Tls:
    """Fans speak by TLS, to who proves to be `server_name`. Its handshake is the greeting, where there is no other.

    They trust those in the bundle `ca`, or whom this machine trusts if that is None; `insecure` trusts anybody.
    """

    server_name: str
    ca: Path | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What a fan says when that was answered which it said before, and what it waits for then; all bytes.

    In `says`, which may be empty, `{user}` becomes the user's name. The answer is complete when `until` was seen in it;
    if that is None there is no answer, and the fan does not wait. Over a WebSocket a turn is a message, and the first
    with `until` in it is the answer: the first of all, if that is empty.
    """

    says: bytes
    until: bytes | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the server says now and then, and what a fan says to that at once, or is closed; all bytes."""

    ping: bytes
    pong: bytes


@dataclass(frozen=True, slots=True)
class Vars:
    """What differs from fan to fan in what they say: `{name}` becomes the value in the fan's row, all bytes.

    Fan i has row i; where there are fewer rows, they begin again.
    """

    names: tuple[bytes, ...]
    rows: tuple[tuple[bytes, ...], ...]

    def of(self, fans: range) -> Vars:
        """Return the same for these fans, numbered from 0."""
        return Vars(self.names, tuple(self.rows[fan % len(self.rows)] for fan in fans))

    def fill(self, text: bytes, fan: int) -> bytes:
        """Return a text with a fan's values in it."""
        for name, value in zip(self.names, self.rows[fan % len(self.rows)], strict=True):
            text = text.replace(b"{%b}" % name, value)
        return text


@dataclass(frozen=True, slots=True)
class Dialogue:
    r"""What a fan says, and what it waits for; all bytes.

    `hello` is the first that it says, in which `{user}` becomes the user's name, and what `vars` name its value; so it
    does in all that a fan says. The greeting is complete when
    `welcome_end` was seen (`b"\n"`: the first line); if that is empty, the server does not speak first and the fan asks
    at once. The answer is complete when `answer_end` was seen in what came after the hello; then come the `turns`, and
    the fan is answered when the last of them is. `mark` stands before
    an event's number, in ASCII digits (nine at most). Until the answer, a line that starts with `error_start` is a
    refusal; if that is empty, the server has no such line.

    Over HTTP the hello is a request, the answer is a head with the status 200, and all the others are about its body:
    `answer_end` may be empty, and then the head is the whole answer; `mark` is looked for in the data of events.
    Over a WebSocket the hello is the request for one, and its answer a head with the status 101, so `answer_end` is
    empty; everything else is in the `turns`, and marks are in messages, of which one that begins with `error_start`
    refuses. By MQTT the hello is a CONNECT and a SUBSCRIBE, whose acknowledgements are the answer, so `answer_end` is
    empty; marks are in what is published.
    With `numbers` the lines are a stage's frames with numbers, from which a fan who connects again goes on
    (`harness.load.protocols.numbered_frames`).
    """

    hello: bytes
    welcome_end: bytes
    answer_end: bytes
    mark: bytes
    error_start: bytes
    protocol: Protocol = Protocol.LINES
    turns: tuple[Turn, ...] = ()
    heartbeat: Heartbeat | None = None
    tls: Tls | None = None
    vars: Vars | None = None
    numbers: bool = False

    def __post_init__(self) -> None:
        is_lines = self.protocol is Protocol.LINES
        for part in ("hello", "answer_end", "mark") if is_lines else ("hello", "mark"):
            if not getattr(self, part):
                raise InvalidDialogueError(f"{part} is empty; a fan must know what to say and what to wait for")
        if is_lines and any(turn.until == b"" for turn in self.turns):
            raise InvalidDialogueError("answer_end of a further message is empty; leave it out if nothing answers it")
        if not is_lines:
            self._check_request()
        if self.heartbeat is not None and not (self.heartbeat.ping and self.heartbeat.pong):
            raise InvalidDialogueError("a heartbeat needs both, ping and pong; leave it out if there is none")

    def _check_request(self) -> None:
        """Raise InvalidDialogueError for what makes no sense where the fan asks by HTTP."""
        is_http = self.protocol is Protocol.HTTP
        if self.welcome_end:
            raise InvalidDialogueError("welcome_end is given, but over HTTP the fan speaks first; leave it out")
        if is_http and self.error_start and not self.answer_end:
            raise InvalidDialogueError(
                "error_start is given without answer_end; over HTTP the status refuses, so leave it out, "
                "or say up to where in the body such a line may come"
            )
        if is_http and self.turns:
            raise InvalidDialogueError("a fan says more than its request, which nobody hears over HTTP; leave it out")
        if self.heartbeat is not None:
            raise InvalidDialogueError("a heartbeat is given, but only lines have one that is described; leave it out")

    def filled(self, text: bytes, fan: int, user: bytes) -> bytes:
        """Return a text that a fan says with the name of its user in it, and its values."""
        text = text.replace(_USER, user)
        return text if self.vars is None else self.vars.fill(text, fan)


@dataclass(frozen=True, slots=True)
class Load:
    """N connections in waves of C: `c` are started at the same moment, then as many `interval_s` seconds later.

    A quarter of a second is the talk's interval (slide "Testing"). Raises InvalidLoadError.
    """

    n: int
    c: int
    interval_s: float = 0.25

    def __post_init__(self) -> None:
        if self.n < 1 or self.c < 1:
            raise InvalidLoadError(f"N and C must be 1 or more, not N={self.n}, C={self.c}")
        if self.c > self.n:
            raise InvalidLoadError(f"a wave of C={self.c} needs N={self.c} fans or more, not N={self.n}")
        if not (math.isfinite(self.interval_s) and self.interval_s > 0):
            raise InvalidLoadError(f"the interval between waves must be more than 0 seconds, not {self.interval_s}")

    def starts(self) -> array[float]:
        """Return the intended start of each fan in seconds from the first one's: `(i // c) * interval_s`."""
        return array("d", ((fan // self.c) * self.interval_s for fan in range(self.n)))

    @property
    def duration_s(self) -> float:
        """Seconds from the first intended start to the last one."""
        return (self.n - 1) // self.c * self.interval_s


@dataclass(frozen=True, slots=True)
class LoadPart:
    """Those of a load's fans that one of several machines plays, one at least: `fans` are their numbers.

    It has what a generator needs of a load.
    """

    load: Load
    fans: range

    @property
    def n(self) -> int:
        """How many they are."""
        return len(self.fans)

    def starts(self) -> array[float]:
        """Return the intended start of each of them in seconds from the first one's of all."""
        return self.load.starts()[self.fans.start : self.fans.stop : self.fans.step]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where fans connect to; fan i uses endpoint i modulo their number."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether the host is a numeric address in 127.0.0.0/8."""
        return self.is_in(_LOOPBACK)

    def is_in(self, network: IPv4Network) -> bool:
        """Return whether the host is a numeric address in a network."""
        try:
            return ip_address(self.host) in network
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Sources:
    """Addresses that fans may come from: those of `network` after its first `first`, towards servers in `reach`."""

    network: IPv4Network
    reach: IPv4Network
    first: int

    def take(self, skipped: int, count: int) -> tuple[str, ...]:
        """Return `count` addresses after the first `skipped`. Raise InvalidLoadError where there are too few."""
        first = self.first + skipped
        if first + count > self.network.num_addresses - 1:
            raise InvalidLoadError(
                f"{self.network} has too few source addresses for so many connections; ask for fewer"
            )
        base = int(self.network.network_address) + first
        return tuple(str(IPv4Address(base + offset)) for offset in range(count))


_ANYWHERE: Final = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class ChosenSources:
    """These addresses, that a user chose, for all fans of all processes; they are this machine's, and there is one."""

    addresses: tuple[str, ...]
    reach: IPv4Network = _ANYWHERE

    def take(self, skipped: int, count: int) -> tuple[str, ...]:
        """Return all of them, which the processes share: the kernel finds a port that is free (ip(7))."""
        del skipped, count
        return self.addresses


LOOPBACK_SOURCES: Final = Sources(IPv4Network("127.0.0.0/16"), _LOOPBACK, first=256)
"""From 127.0.1.0 on, since servers live in 127.0.0.x."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one generator process plays: its fans by number, and their source addresses.

    Its k-th fan, `fans[k]`, binds to `sources[k % len(sources)]` if its endpoint is in `reach`.
    """

    fans: range
    sources: tuple[str, ...]
    reach: IPv4Network = _LOOPBACK


def processes_needed(n: int, open_files: int) -> int:
    """Return how many processes hold `n` connections when each may have `open_files` files (its hard limit) open."""
    room = open_files - RESERVED_FILES
    if room < 1:
        raise NoRoomError(f"a limit of {open_files} open files leaves no room for a connection; raise it (ulimit -n)")
    return -(-n // room)


def deal(
    n: int, open_files: int, processes: int | None = None, sources: Sources | ChosenSources = LOOPBACK_SOURCES
) -> tuple[Share, ...]:
    """Deal `n` fans to `processes`, or to as few as the hard limit of `open_files` each allows.

    No process is left without a fan. Raise NoRoomError if the processes asked for cannot hold them all.
    """
    needed = processes_needed(n, open_files)
    if processes is None:
        processes = needed
    elif processes < needed:
        raise NoRoomError(
            f"{n} connections need {needed} generator processes of {open_files} open files, not {processes}; "
            "use more processes, or raise the limit (ulimit -Hn)"
        )
    shares = []
    taken = 0
    for index in range(min(processes, n)):
        fans = range(index, n, min(processes, n))
        addresses = -(-len(fans) // CONNECTIONS_PER_ADDRESS)
        shares.append(Share(fans, sources.take(taken, addresses), sources.reach))
        taken += addresses
    return tuple(shares)
