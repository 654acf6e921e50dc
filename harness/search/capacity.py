"""How many connections this machine has room for, so that a search does not ask for what cannot be made. Pure."""

from harness.errors import HarnessError
from harness.load.workload import deal

CONNECTION_BYTES = 40_000
"""What a connection may take on a machine that plays both ends: the kernel's part of each, and what servers are known
to keep (see DESIGN: 73 bytes to 24 KB, the original in Erlang 55 KB)."""

KERNEL_BYTES = 7_400
"""What the kernel alone takes for the two ends of an idle connection: nothing holds one for less."""

MOST = 1_000_000
"""Where a search ends unless it is told otherwise."""


class CapacityError(HarnessError):
    """So many connections do not fit into this machine; the message says what does."""


def likely_room(available_bytes: int) -> int:
    """Return how many connections a search may try when nobody says more."""
    return max(1, min(MOST, available_bytes // CONNECTION_BYTES))


def check_room(name: str, connections: int, available_bytes: int, open_files: int) -> None:
    """Raise CapacityError, or NoRoomError, if this machine cannot make so many connections.

    `name` is what asks for them, for the message; `open_files` is the hard limit of a process.
    """
    deal(connections, open_files)
    needed = connections * KERNEL_BYTES
    if needed > available_bytes:
        raise CapacityError(
            f"{name} needs {connections:,} connections, for which the kernel alone takes {needed / 2**30:,.1f} GiB; "
            f"{available_bytes / 2**30:,.1f} GiB of memory are left: use {available_bytes // KERNEL_BYTES:,} at most"
        )
