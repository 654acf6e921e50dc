"""Hosts for a test: network namespaces (ip-netns(8)), joined by a bridge in one more.

They have addresses of their own, which mean something among them only: nothing of this is in the machine's own network,
and nothing can be reached from there. Needs root, and Linux's bridges. All of it is gone when the block is left.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import socket
import subprocess
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.stages.stage3.relaying import Relaying
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from types import TracebackType

_CLONE_NEWNET: Final = 0x40000000  # <linux/sched.h>
_ESTABLISHED, _FIN_WAIT1 = "01", "04"  # of <net/tcp_states.h>, as proc_net_tcp.txt prints them
_NAMESPACES: Final = Path("/run/netns")
_BUFFER: Final = 65536


class NoHostsError(Exception):
    """Hosts cannot be made on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host: its namespace, its address, and its port on the bridge."""

    namespace: str
    address: str
    port: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """The words before a command that run it on this host; the process becomes the command."""
        return ("ip", "netns", "exec", self.namespace)

    def socket(self) -> socket.socket:
        """Return a new TCP socket of this host, for an asyncio loop of this process."""
        made: list[socket.socket] = []

        def make() -> None:  # in a thread that ends with it: the namespace is the thread's from here on (setns(2))
            libc = ctypes.CDLL(None, use_errno=True)
            with (_NAMESPACES / self.namespace).open("rb") as namespace:
                if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    return
            made.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))

        thread = threading.Thread(target=make, name=self.namespace)
        thread.start()
        thread.join()
        assert made, f"no socket could be made in {self.namespace}"
        made[0].setblocking(False)
        return made[0]

    def unsent(self, port: int) -> list[list[str]]:
        """Return the connections to that port, of whatever host, that are closed and have not sent all they had to."""
        return [line for line in self._table() if line[2].endswith(f":{port:04X}") and line[3] == _FIN_WAIT1]

    def connections(self, port: int) -> list[str]:
        """Return from where there are connections to that port of this host."""
        return [line[2] for line in self._table() if line[1].endswith(f":{port:04X}") and line[3] == _ESTABLISHED]

    def _table(self) -> list[list[str]]:
        table = _ip("netns", "exec", self.namespace, "cat", "/proc/net/tcp")
        return [line.split() for line in table.splitlines()[1:]]


class Network:
    """`count` hosts, each with a line to all others that can be cut; a context manager. Raise NoHostsError."""

    def __init__(self, count: int) -> None:
        self._name = f"matchstream-{os.getpid()}-{secrets.token_hex(4)}"
        self._hub = f"{self._name}-hub"
        self._to_undo = ExitStack()
        self.hosts = [Host(f"{self._name}-{n}", f"10.77.0.{n + 1}", f"port{n}") for n in range(count)]

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise NoHostsError("only root may make network namespaces")
        with ExitStack() as to_undo:
            try:
                self._namespace(to_undo, self._hub)
                _ip("-n", self._hub, "link", "add", "bridge", "type", "bridge")
                _ip("-n", self._hub, "link", "set", "bridge", "up")
                for host in self.hosts:
                    self._namespace(to_undo, host.namespace)
                    self._connect(host)
            except FileNotFoundError:
                raise NoHostsError("there is no program ip: install iproute2") from None
            except subprocess.CalledProcessError as error:
                raise NoHostsError(f"this machine makes no hosts ({error.stderr.strip()})") from None
            self._to_undo = to_undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._to_undo.close()

    def cut(self, host: Host) -> None:
        """Cut a host off; nobody is told, what is sent is lost."""
        _ip("-n", self._hub, "link", "set", host.port, "nomaster")

    def join(self, host: Host) -> None:
        """Join it again."""
        _ip("-n", self._hub, "link", "set", host.port, "master", "bridge")

    def _namespace(self, to_undo: ExitStack, name: str) -> None:
        _ip("netns", "add", name)
        to_undo.callback(_ip, "netns", "delete", name)  # and all that is in it

    def _connect(self, host: Host) -> None:
        here, there = ("-n", self._hub), ("-n", host.namespace)
        peer = ("peer", "name", "line", "netns", host.namespace)
        _ip(*here, "link", "add", host.port, "type", "veth", *peer)
        _ip(*here, "link", "set", host.port, "master", "bridge", "up")
        _ip(*there, "address", "add", f"{host.address}/24", "dev", "line")
        for device in ("lo", "line"):
            _ip(*there, "link", "set", device, "up")


class Door(Relaying):
    """A port here that leads to a port on a host, as from that host itself: an async context manager."""

    def __init__(self, host: Host, port: int) -> None:
        super().__init__()
        self._host = host
        self._target = (host.address, port)

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to."""
        assert self.server is not None
        address, port = self.server.sockets[0].getsockname()
        return address, port

    @property
    def url(self) -> str:
        """The same, as the URL of an API."""
        return "http://{}:{}".format(*self.address)

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_server(self.accept, "127.0.0.1", 0)

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside = self._host.socket()
        try:
            await asyncio.get_running_loop().sock_connect(inside, self._target)
        except OSError:
            inside.close()
            writer.close()
            return
        from_host, to_host = await asyncio.open_connection(sock=inside)
        ways = [asyncio.create_task(_pump(*way), name="way") for way in ((reader, to_host), (from_host, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for each in (to_host, writer):
                each.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_BUFFER):
            writer.write(data)
            await writer.drain()


def _ip(*words: str) -> str:
    ended = subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=DEADLINE_S)
    return ended.stdout
