"""A server that runs already, as far as it can be seen from here: its numeric address, and its processes."""

import socket
from dataclasses import dataclass

import psutil

from harness.load.workload import Endpoint
from harness.targets.target import TargetError

REACH_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Reached:
    """Where fans connect, on the host's numeric addresses, and which processes of this machine listen there."""

    endpoints: tuple[Endpoint, ...] = ()
    pids: tuple[int, ...] = ()

    def ended(self) -> str | None:
        """Tell a server that can be watched, and of which no process is left."""
        if self.pids and not any(psutil.pid_exists(pid) for pid in self.pids):
            return "the server's processes ended"
        return None


def reach(named: tuple[Endpoint, ...], address: str) -> Reached:
    """Connect to the first of the endpoints, which a user wrote as `address`. Raise TargetError if nobody answers.

    Where a name has several addresses, fans go to all that are of the kind of the one that answered.
    """
    first = named[0]
    try:
        with socket.create_connection((first.host, first.port), timeout=REACH_TIMEOUT_S) as reached:
            host = reached.getpeername()[0]
            is_here = host == reached.getsockname()[0] or Endpoint(host, first.port).is_loopback
            found = socket.getaddrinfo(first.host, first.port, reached.family, socket.SOCK_STREAM)
    except OSError as error:
        reason = error.strerror or error
        raise TargetError(f"nobody answers at {address} ({reason}): is the server running there?") from error
    hosts = dict.fromkeys((host, *(str(each[4][0]) for each in found)))
    endpoints = tuple(Endpoint(each, at.port) for at in named for each in hosts)
    return Reached(endpoints, _listening(frozenset(at.port for at in endpoints)) if is_here else ())


def _listening(ports: frozenset[int]) -> tuple[int, ...]:
    try:
        sockets = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ()
    pids = {at.pid for at in sockets if at.status == psutil.CONN_LISTEN and at.laddr and at.laddr.port in ports}
    return tuple(sorted(pid for pid in pids if pid is not None))
