"""Small servers whose behaviour is known, so that what the harness says of them can be checked.

A KnownServer accepts in one thread and plays a script to each connection in another: enough for some dozens of fans.
The scripts below are those of the plain cases; a test that needs another writes it in three lines.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Final

from harness.load.workload import Dialogue, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

MATCH_ID: Final = "elp-tig-2011-09-10"
DIALOGUE: Final = Dialogue(
    hello=f"VERSION:1:CONNECT:{{user}}:MATCH:{MATCH_ID}\n".encode(),
    welcome_end=b"\n",
    answer_end=b"\n\r\n",
    mark=b"\tcomment: #",
    error_start=b"ERROR:",
)
WELCOME: Final = (
    b"Welcome to Match Stream. Every event of a match reaches you here as it happens.\r\n"
    b"To watch the current game use: V:2:<your-name>\r\n"
)
STATUS: Final = (
    b"2011-09-10 18:00:00: status:\n"
    b"\thome: elp\n"
    b"\thome_players:\n\t\t Albil (25) \n\t\t Mercado (14) \n"
    b"\thome_score: 0\n"
    b"\tvisit: tig\n"
    b"\tvisit_players:\n\t\t Garcia (12) \n\t\t Luna (7) \n"
    b"\tvisit_score: 0\n"
    b"\tperiod: first\n"
    b"\r\n"
)
ERROR: Final = b"ERROR: there is no match to watch\r\n"
PATIENCE_S: Final = 60.0  # after which a server gives up, so that a wrong test ends


def event(number: int) -> bytes:
    """Return the frame of an event that carries this number."""
    return b"2011-09-10 18:05:00: goal:\n\tteam: tig\n\tplayer: Luna (7) \n\tcomment: #%d\n\r\n" % number


class Peer:
    """One fan, as its server sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._heard = b""
        self.source = str(connection.getpeername()[0])
        connection.settimeout(PATIENCE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, text: bytes) -> None:
        self._connection.sendall(text)

    def hear_some(self) -> bytes:
        """Return what comes next; nothing when the fan is gone."""
        return self._connection.recv(4096)

    def hear_hello(self) -> str:
        """Return the user's name, when the hello is complete."""
        while not self._heard.endswith(b"\n"):
            heard = self._connection.recv(4096)
            if not heard:
                raise ConnectionAbortedError("the fan left before it said hello")
            self._heard += heard
        return self._heard.split(b":")[3].decode()

    def serve(self) -> str:
        """Greet, hear, answer; return the user's name."""
        self.say(WELCOME)
        user = self.hear_hello()
        self.say(STATUS)
        return user

    def wait_until_gone(self) -> None:
        while self._connection.recv(4096):
            pass

    def reset(self) -> None:
        """Break the connection instead of closing it."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it
        self._connection.close()


class KnownServer:
    """Plays `script` to each fan and closes the connection when the script returns.

    It begins to accept when `open_for_business` is set, which it is unless told otherwise. `gone` counts the fans whose
    scripts are over.
    """

    def __init__(
        self, script: Callable[[Peer], object], *, host: str = "127.0.0.1", is_open: bool = True, backlog: int = 1024
    ) -> None:
        self._script = script
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=1024)
        self._peers: list[Peer] = []
        self._threads = [threading.Thread(target=self._accept, name="known server", daemon=True)]
        self._closed = False
        self._changed = threading.Condition()
        self.gone = 0
        self.open_for_business = threading.Event()
        if is_open:
            self.open_for_business.set()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(*self._listener.getsockname()[:2])

    def number_of(self, peer: Peer) -> int:
        """Return the how manyth connection that is, from 0."""
        return self._peers.index(peer)

    def wait_until_gone(self, fans: int) -> bool:
        """Wait until the scripts of so many fans are over; return whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: self.gone >= fans, PATIENCE_S)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed = True
        self.open_for_business.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        self._threads[0].join(PATIENCE_S)
        self._listener.close()
        for peer in self._peers:
            peer.close()
        for thread in self._threads[1:]:
            thread.join(PATIENCE_S)

    def _accept(self) -> None:
        self.open_for_business.wait()
        while not self._closed:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            peer = Peer(connection)
            thread = threading.Thread(target=self._play, args=(peer,), name="known server's fan", daemon=True)
            self._peers.append(peer)
            self._threads.append(thread)
            thread.start()

    def _play(self, peer: Peer) -> None:
        with contextlib.suppress(OSError):  # the fan is gone, which some fans are meant to be
            self._script(peer)
        peer.close()
        with self._changed:
            self.gone += 1
            self._changed.notify_all()


# Scripts.


def holds(peer: Peer) -> None:
    """Answer, and hold the connection until the fan leaves."""
    peer.serve()
    peer.wait_until_gone()


def ends(peer: Peer) -> None:
    """Answer and close, as after the end of a match."""
    peer.serve()


def cuts(peer: Peer) -> None:
    """Answer, send an event, break the connection. What was sent before still reaches the fan."""
    peer.serve()
    peer.say(event(1))
    peer.reset()


def never_speaks(peer: Peer) -> None:
    """Accept, and that was it."""
    peer.wait_until_gone()


def never_answers(peer: Peer) -> None:
    """Greet, listen, and say no more."""
    peer.say(WELCOME)
    peer.wait_until_gone()


def closes_at_once(peer: Peer) -> None:
    """Accept and close."""


def closes_after_hello(peer: Peer) -> None:
    """Greet, listen, close."""
    peer.say(WELCOME)
    peer.hear_hello()


def resets_after_hello(peer: Peer) -> None:
    """Greet, listen, break the connection."""
    peer.say(WELCOME)
    peer.hear_hello()
    peer.reset()


def says_error(peer: Peer) -> None:
    """Refuse the fan after its hello."""
    peer.say(WELCOME)
    peer.hear_hello()
    peer.say(ERROR)


def says_error_for_welcome(peer: Peer) -> None:
    """Refuse the fan before it could say anything."""
    peer.say(ERROR)
    peer.wait_until_gone()


class Delays:
    """Answers every fan `delay_s` after its hello."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def __call__(self, peer: Peer) -> None:
        peer.say(WELCOME)
        peer.hear_hello()
        time.sleep(self._delay_s)  # not in place of a condition: it is what this server does
        peer.say(STATUS)
        peer.wait_until_gone()


class Stalls:
    """Answers the first fans at once; then answers nobody until so many fans in all have asked, and then everybody.

    The end of the stall is a condition and not a time, so that it lasts as long as the schedule takes to bring them. A
    closed loop, which starts the next fan when one was answered, would never bring them.
    """

    def __init__(self, first: int, until: int) -> None:
        self._first = first
        self._until = until
        self._asked = 0
        self._changed = threading.Condition()

    def __call__(self, peer: Peer) -> None:
        peer.say(WELCOME)
        peer.hear_hello()
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            if self._asked > self._first:
                self._changed.wait_for(lambda: self._asked >= self._until, PATIENCE_S)
        peer.say(STATUS)
        peer.wait_until_gone()


class StallsOnce:
    """Answers everyone at once, but for one stall: it begins when `first` fans have asked, and lasts `stall_s`.

    `held` is how many fans asked in the stall: those that it held up.
    """

    def __init__(self, first: int, stall_s: float) -> None:
        self._first = first
        self._stall_s = stall_s
        self._asked = 0
        self._over_at = 0.0
        self._lock = threading.Lock()
        self.held = 0

    def __call__(self, peer: Peer) -> None:
        peer.say(WELCOME)
        peer.hear_hello()
        with self._lock:
            self._asked += 1
            if self._asked == self._first:
                self._over_at = time.monotonic() + self._stall_s
            left_s = self._over_at - time.monotonic()
            self.held += left_s > 0
        time.sleep(max(0.0, left_s))  # not in place of a condition: it is what this server does
        peer.say(STATUS)
        peer.wait_until_gone()


class SendsEvents:
    """When `fans` were answered, sends each of them the events with the numbers that `numbers_for` has for its user.

    Then it holds them, or closes if `closes`. Nobody gets an event before all were answered.
    """

    def __init__(self, fans: int, numbers_for: Callable[[str], Sequence[int]], *, closes: bool = False) -> None:
        self._all_answered = threading.Barrier(fans, timeout=PATIENCE_S)
        self._numbers_for = numbers_for
        self._closes = closes

    def __call__(self, peer: Peer) -> None:
        user = peer.serve()
        self._all_answered.wait()
        for number in self._numbers_for(user):
            peer.say(event(number))
        if not self._closes:
            peer.wait_until_gone()


class KnownTarget:
    """An endpoint as a target of a trial: nobody can post to it, and nobody can look at its processes."""

    name = "a server of known behaviour"
    variant = None
    peer = None
    publishes = False
    publisher = None
    pids = ()

    def __init__(self, *endpoints: Endpoint) -> None:
        self.endpoints = endpoints

    def start(self) -> None:
        """It runs."""

    def stop(self) -> None:
        """The test ends it."""

    def ended(self) -> None:
        """It does not."""

    def dialogue(self, match_id: str | None) -> Dialogue:
        return DIALOGUE


# Servers that do not get as far as a script.


@contextlib.contextmanager
def refusing() -> Iterator[Endpoint]:
    """An address where nobody listens, and nobody else can while it is held."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield Endpoint(*sock.getsockname())


@contextlib.contextmanager
def full() -> Iterator[Endpoint]:
    """A listener that never accepts, and whose queue takes one connection: the kernel drops the SYNs of the others."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        yield Endpoint(*listener.getsockname())
