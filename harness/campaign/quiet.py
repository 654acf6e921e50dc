"""Whether the machine is at rest before a trial, so that what is left of another one does not count as the server's.

A trial leaves thousands of sockets in TIME_WAIT and open files that the kernel takes a moment to free; and somebody
else may use the machine. A campaign waits for that to pass, though not for ever: it then goes on and says what it saw.
The load average is not asked: it remembers the trial before for a minute.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.units import show_bytes

PATIENCE_S = 30.0
"""How long a campaign waits for a machine at rest."""

LOOK_S = 0.5
"""How long each look at the CPU takes."""

BUSY_SHARE = 0.2
"""Of all cores, what others may use. A trial needs the rest: at 20 % of two cores 0.4 of one is taken."""

SCARCE_SHARE = 0.1
"""Of the memory, what must be available: below that the kernel begins to take its caches back while it is measured."""

FULL_SHARE = 0.5
"""Of the sockets in TIME_WAIT and of the open files that the kernel allows, how many may be there.

A trial needs as many again, and when the kernel has none left it drops what it should keep.
"""


@dataclass(frozen=True, slots=True)
class MachineState:
    """What the machine does now. CPU is the busy share of all its cores; a limit is None where there is none."""

    cpu_share: float
    memory_available_bytes: int
    memory_bytes: int
    time_wait: int
    time_wait_limit: int | None
    open_files: int
    open_files_limit: int | None


def read_state(root: Path = Path("/proc")) -> MachineState:
    """Look at the machine for `LOOK_S` seconds. `root` is where proc(5) is mounted."""
    cpu_share = psutil.cpu_percent(LOOK_S) / 100
    memory = psutil.virtual_memory()
    files = (root / "sys/fs/file-nr").read_text().split()
    return MachineState(
        cpu_share=cpu_share,
        memory_available_bytes=memory.available,
        memory_bytes=memory.total,
        time_wait=_time_wait((root / "net/sockstat").read_text()),
        time_wait_limit=_number(root / "sys/net/ipv4/tcp_max_tw_buckets"),
        open_files=int(files[0]),
        open_files_limit=int(files[2]),
    )


def disturbances(state: MachineState) -> tuple[str, ...]:
    """Return what keeps the machine from being at rest, each as a phrase with its figures; nothing if it is."""
    found = []
    if state.cpu_share > BUSY_SHARE:
        found.append(f"{state.cpu_share:.0%} of the CPU is used by others")
    if state.memory_available_bytes < SCARCE_SHARE * state.memory_bytes:
        found.append(f"only {show_bytes(state.memory_available_bytes)} of memory are available")
    if state.time_wait_limit is not None and state.time_wait > FULL_SHARE * state.time_wait_limit:
        found.append(f"{state.time_wait:,} of {state.time_wait_limit:,} sockets are in TIME_WAIT")
    if state.open_files_limit is not None and state.open_files > FULL_SHARE * state.open_files_limit:
        found.append(f"{state.open_files:,} of {state.open_files_limit:,} files are open")
    return tuple(found)


def wait_until_quiet(
    read: Callable[[], MachineState] = read_state,
    now: Callable[[], float] = time.monotonic,
    patience_s: float = PATIENCE_S,
) -> tuple[str, ...]:
    """Look at the machine until it is at rest, and return nothing; or what still disturbs it after `patience_s`.

    `read` takes its time: there is no other wait between two looks.
    """
    deadline = now() + patience_s
    while found := disturbances(read()):
        if now() >= deadline:
            return found
    return ()


def _time_wait(sockstat: str) -> int:
    """Return the number after `tw` in the line of TCP: see proc(5), /proc/net/sockstat."""
    for line in sockstat.splitlines():
        words = line.split()
        if words and words[0] == "TCP:":
            return int(words[words.index("tw") + 1])
    return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except OSError:  # a kernel without it, or a container that hides it
        return None
