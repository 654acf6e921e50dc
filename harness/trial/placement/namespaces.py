"""Two network namespaces that are joined by a veth pair, one for the server and one for the generator.

What it must guarantee: nothing of them stays behind, even if this process is killed. So they have no names: a
namespace exists as long as a process is in it or has it open (namespaces(7)), and the veth pair goes with them. What
was started in them ends with this process (`common.tuning.children`), and the kernel closes what it had open.

A process is put into one by starting it while the thread that starts it is there: children inherit the namespace.
It belongs to the thread, not to the process (setns(2)), and so do /proc/sys/net and /proc/thread-self/net.

Rejected: namespaces with names (`ip netns add`), which outlive a process that was killed, and processes that hold them
open, which are one thing more to end.

Addresses are of 198.18.0.0/15, which is set aside for measurements between networks (RFC 2544), so they cannot be
anybody's. The generator has all of 198.19.0.0/16 without listing it: a route of type `local` makes an address one's own
(ip-route(8)). Neighbours are told of each other beforehand: while the first packet of a wave asks for the other's
address (ARP), the kernel keeps only some hundreds of the others and drops the rest, which costs their fans a second.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final, Self

from harness.load.workload import Sources
from harness.trial.placement.errors import PlacementError

SERVER_ADDRESS: Final = "198.18.0.1"
"""Where a server listens that is in its own namespace."""

SOURCES: Final = Sources(network=IPv4Network("198.19.0.0/16"), reach=IPv4Network("198.18.0.0/30"), first=256)
"""What fans may come from who are in the generator's namespace."""

_GENERATOR_ADDRESS: Final = "198.18.0.2"
_SERVER_MAC: Final = "02:00:00:00:00:01"  # "locally administered", as all that begin so
_GENERATOR_MAC: Final = "02:00:00:00:00:02"
_CLONE_NEWNET: Final = 0x40000000  # <linux/sched.h>
_IP_TIMEOUT_S: Final = 10.0


class Namespace:
    """A network namespace that this process holds open. Use it between `create` and `close`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def create(cls) -> Self:
        """Return a new one, with nothing in it but a loopback device that is down. Raise PlacementError."""
        here = _open_current()
        try:
            _system_call("unshare", _CLONE_NEWNET)
            try:
                return cls(_open_current())
            finally:
                _system_call("setns", here, _CLONE_NEWNET)
        finally:
            os.close(here)

    def close(self) -> None:
        """Let go of it. It ends with the last process in it."""
        os.close(self.fd)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Have this thread in it, and with it what is started inside the block."""
        here = _open_current()
        try:
            _system_call("setns", self.fd, _CLONE_NEWNET)
            try:
                yield
            finally:
                _system_call("setns", here, _CLONE_NEWNET)
        finally:
            os.close(here)


@dataclass(frozen=True, slots=True)
class Pair:
    """The server's namespace, where it has `SERVER_ADDRESS`, and the generator's, which has `SOURCES`."""

    server: Namespace
    generator: Namespace


@contextmanager
def joined_namespaces() -> Iterator[Pair]:
    """Hold two new namespaces that reach each other and nobody else. Raise PlacementError; see `check_possible`."""
    check_possible()
    with ExitStack() as stack:
        pair = Pair(*(_held(stack) for _ in range(2)))
        _join(pair)
        yield pair


def check_possible() -> None:
    """Raise PlacementError where no namespaces can be made: without root, or without the program `ip`."""
    if os.geteuid() != 0:
        raise PlacementError("--netns needs root: run it with sudo, or leave it out for loopback")
    if shutil.which("ip") is None:
        raise PlacementError("--netns needs the program ip: install the Debian package iproute2, or leave it out")


def _held(stack: ExitStack) -> Namespace:
    namespace = Namespace.create()
    stack.callback(namespace.close)
    return namespace


def _join(pair: Pair) -> None:
    _ip(
        pair.generator,
        "link set lo up",
        f"link add generator address {_GENERATOR_MAC} type veth "
        f"peer name server address {_SERVER_MAC} netns /proc/self/fd/{pair.server.fd}",
        "link set generator up",
        f"address add {_GENERATOR_ADDRESS}/30 dev generator",
        f"neighbour replace {SERVER_ADDRESS} lladdr {_SERVER_MAC} dev generator nud permanent",
        f"route add local {SOURCES.network} dev lo",
        keep=pair.server.fd,
    )
    _ip(
        pair.server,
        "link set lo up",
        "link set server up",
        f"address add {SERVER_ADDRESS}/30 dev server",
        f"neighbour replace {_GENERATOR_ADDRESS} lladdr {_GENERATOR_MAC} dev server nud permanent",
        f"route add {SOURCES.network} via {_GENERATOR_ADDRESS}",
        keep=pair.generator.fd,
    )


def _ip(namespace: Namespace, *commands: str, keep: int) -> None:
    """Run commands of ip(8) in a namespace; the file descriptor `keep` is theirs, too. Raise PlacementError."""
    try:
        with namespace.entered():
            subprocess.run(
                ("ip", "-batch", "-"),  # noqa: S607 -- wherever ip is, and this is root's own PATH
                input="\n".join(commands),
                text=True,
                capture_output=True,
                check=True,
                timeout=_IP_TIMEOUT_S,
                pass_fds=(keep,),
            )
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())
        raise PlacementError(f"--netns: no network can be made here ({said}): leave it out for loopback") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlacementError(f"--netns: ip cannot be run ({error}): leave it out for loopback") from error


def _open_current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _system_call(name: str, *arguments: int) -> None:
    """Call setns(2) or unshare(2), which the os module has from Python 3.12 on. Raise PlacementError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc[name](*arguments) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise PlacementError(
            f"--netns is not possible here ({name}: {reason}): it needs root with all rights, which a container may "
            "lack; leave it out for loopback"
        )
