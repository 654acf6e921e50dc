"""The talk's `client`: a gen_fsm that handles one connection: *wait_for_socket*, *wait_for_params*, *running*."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from common.domain.errors import DomainError
from common.otp import NORMAL, SHUTDOWN, CallError, GenFsm, StateTimeout, Stop
from common.store.errors import StoreUnavailableError, UnreadableRecordError
from common.wire.frames import WELCOME, error_line
from common.wire.greeting import Greeting, GreetingError, GreetingReader
from stages.stage0.log import messages
from stages.stage0.messages import UNREADABLE, Dismissal, Notification, Status, Watch
from stages.stage0.on_demand import call_on_demand
from stages.traffic import Drop

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from common.otp import Process, Reason
    from stages.stage0.parts import Parts


CLOSED: Final = "closed"
BROKEN: Final = "broken"
SAID_ALL: Final = "said all"
"""The fan has closed its side of the connection: it says no more, and may still listen (RFC 9293, 3.6), as `nc -N`."""
STATE_TIMEOUT_S: Final = 60.0
"""How long a connection may take to say who it is."""
SILENT: Final = f"nothing was said for {STATE_TIMEOUT_S:.0f} s; say V:2:<user>"
"""What a fan is told then."""
LINGER_S: Final = 10.0
"""How long a closed connection may take to read what is left for it."""

STORE_AWAY: Final = "the server cannot reach its store now; connect again in a moment"
"""What a fan is told who cannot be served. What is wrong, and where, is for the log (`stages.stage0.db`)."""

CHECK_S: Final = 10.0
"""The seconds between two checks whether a fan that has closed its side is still there."""

PROBES: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""A fan that has gone altogether sends nothing more either. So the kernel asks the fan's kernel, which answers with a
reset once it has forgotten the connection (tcp(7), tcp_fin_timeout: 60 s), as it does to an event. Seconds, and how
often.
"""


@dataclass(frozen=True, slots=True)
class Connected:
    """From the socket to its client: this is the port, what to write to, and when it was accepted (time.monotonic)."""

    port: SocketPort
    transport: asyncio.Transport
    accepted_s: float


class SocketPort(asyncio.Protocol):
    """Sends what a socket receives to its client as messages, like an Erlang port in active mode.

    Once the fan has greeted it has nothing more to say: what it sends after that is dropped here, so a fan that talks
    on cannot fill its client's mailbox. When the fan's side is closed, its client may still write.
    """

    __slots__ = ("_accepted_s", "_client", "deaf", "said_all")

    def __init__(self, client: Process, accepted_s: float) -> None:
        self._client = client
        self._accepted_s = accepted_s
        self.deaf = False
        self.said_all = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand the connection to the client."""
        # uvloop's transports do all that asyncio's do, and derive from none of them.
        self._client.cast(Connected(self, cast("asyncio.Transport", transport), self._accepted_s))
        if not self._client.alive:
            cast("asyncio.Transport", transport).abort()

    def data_received(self, data: bytes) -> None:
        """Pass on the bytes of a greeting."""
        if not self.deaf:
            self._client.send(data)

    def eof_received(self) -> bool:
        """Tell the client that nothing more will come, and keep the connection for what it writes, if there is one."""
        self.said_all = True
        self._client.send(SAID_ALL)
        return self._client.alive

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the client that its fan has gone; whoever said all and then goes does so in order."""
        self._client.send(CLOSED if exc is None or self.said_all else BROKEN)


class Client(GenFsm):
    """One fan's connection. It ends with the connection, and the connection with it."""

    many = True

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._accepted_s = 0.0
        self._port: SocketPort | None = None
        self._transport: asyncio.Transport | None = None
        self._reader = GreetingReader()
        self._refused = False

    def init(self) -> None:
        """Wait for the socket."""
        self.next_state(self.wait_for_socket, STATE_TIMEOUT_S)

    def wait_for_socket(self, message: Any) -> None:
        """Take the socket and greet: the server speaks first."""
        messages.info("%s in wait_for_socket <- %s", self.process.name, type(message).__name__)
        if isinstance(message, Connected):
            self._port, self._transport, self._accepted_s = message.port, message.transport, message.accepted_s
            self._transport.write(WELCOME)
            self.next_state(self.wait_for_params, STATE_TIMEOUT_S)
        elif isinstance(message, StateTimeout):
            raise Stop

    def wait_for_params(self, message: Any) -> Coroutine[Any, Any, None] | None:
        """Read the line that says who watches what, and have that user watch it."""
        messages.info("%s in wait_for_params <- %s", self.process.name, type(message).__name__)
        if isinstance(message, bytes) or message == SAID_ALL:
            try:
                greeting = self._reader.feed(message) if isinstance(message, bytes) else self._reader.end()
            except GreetingError as error:
                self._refuse(str(error), Drop.GREETING)
            if greeting is not None:
                return self._start_watching(greeting)
        elif isinstance(message, StateTimeout):
            self._refuse(SILENT, Drop.SILENCE)
        else:
            self._stop_if_gone(message)
        return None

    def running(self, message: Any) -> None:
        """Pass on what the user sends, until the last of it or until the fan has gone."""
        messages.info("%s in running <- %s", self.process.name, type(message).__name__)
        traffic = self._parts.traffic
        if isinstance(message, Notification):
            self._write(message.frame)
            traffic.deliveries += 1
            if message.at_s is not None:
                traffic.fan_out.since(message.at_s)
            if message.is_last:
                raise Stop
        elif isinstance(message, Status):
            self._write(message.frame)
            traffic.greetings += 1
            traffic.response.since(self._accepted_s)
            if message.is_last:
                raise Stop
        elif isinstance(message, Dismissal):
            self._write(message.frame)
            traffic.deliveries += 1
            raise Stop
        elif message == SAID_ALL:
            self._probe()
        elif isinstance(message, StateTimeout):
            self._check()
        else:
            self._stop_if_gone(message)

    def terminate(self, reason: Reason) -> None:
        """Close the connection, when the server stops with a goodbye.

        A fan that does not read the rest, or talks on, is cut off after LINGER_S; by a server that stops, sooner.
        """
        super().terminate(reason)
        if reason not in (NORMAL, SHUTDOWN):  # a crash of its own, or of the user that it is linked to
            self._parts.traffic.drops[Drop.CRASH] += 1
        if self._transport is None:
            return
        if reason == SHUTDOWN:
            self._parts.farewells.say(self._transport)
            return
        if self._refused and not self._has_said_all:
            # To close on what the fan still sends would be a reset (RFC 9293, 3.6.1), which overtakes the ERROR line.
            with suppress(OSError):  # it has gone already
                self._transport.write_eof()
        else:
            self._transport.close()
        if self._refused or self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)

    def close_port(self) -> None:
        """Cut the fan off: nobody is there to write to it."""
        if self._transport is not None:
            self._transport.abort()

    async def _start_watching(self, greeting: Greeting) -> None:
        assert self._port is not None  # noqa: S101  # bytes come from it
        self._port.deaf = True
        self.next_state(self.running)
        try:
            await self._call_user(greeting)
        except DomainError as error:
            self._refuse(str(error), Drop.MATCH)
        except StoreUnavailableError:
            self._refuse(STORE_AWAY, Drop.STORE)
        except UnreadableRecordError:
            self._refuse(UNREADABLE, Drop.MATCH)
        except CallError:
            self._refuse("your user has crashed; connect again", Drop.CRASH)

    @property
    def _has_said_all(self) -> bool:
        return self._port is not None and self._port.said_all

    def _probe(self) -> None:
        """Have the kernel find out if a fan that says no more has gone: nobody reads, so nobody else would notice."""
        with suppress(OSError, ValueError):  # it is closed already
            for option in PROBES:
                self._socket.setsockopt(*option)
        self.next_state(self.running, CHECK_S)

    def _check(self) -> None:
        """End with the connection if the kernel has found it ended, and else look again later."""
        try:
            is_broken = bool(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        except (OSError, ValueError):
            is_broken = True
        if is_broken:
            raise Stop
        self.next_state(self.running, CHECK_S)

    @property
    def _socket(self) -> socket.socket:
        assert self._transport is not None  # noqa: S101  # there is one from wait_for_params on
        found: socket.socket = self._transport.get_extra_info("socket")
        return found

    def _stop_if_gone(self, message: Any) -> None:
        if message == BROKEN:
            self._parts.traffic.drops[Drop.BROKEN] += 1
        if message in (CLOSED, BROKEN):
            raise Stop

    def _refuse(self, why: str, drop: Drop) -> None:
        self._parts.traffic.drops[drop] += 1
        self._write(error_line(why))
        self._refused = True
        raise Stop

    def _write(self, data: bytes) -> None:
        assert self._transport is not None  # noqa: S101  # there is one from wait_for_params on
        self._transport.write(data)

    # Hooks: what later lessons do otherwise (the table in `stages.stage0` has them all).

    async def _call_user(self, greeting: Greeting) -> Process:
        """Have the user watch the match for this client, and return it."""
        find = partial(self._parts.user_sup.start_user, self.node, greeting.user)
        user, _ = await call_on_demand(find, Watch(self.process, greeting.match_id))
        return user
