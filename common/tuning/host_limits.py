"""What bounds the connections of a server on this machine, as it is now. Files are read, nothing is decided.

Root's rights are not needed. What cannot be read, in a container say, is missing: nobody here knows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.tuning.cgroup import Room, memory_room, tasks_room
from common.tuning.open_files import OpenFiles
from common.tuning.profile import ProfileError
from common.tuning.sysctl import PROFILES, Finding, check, load_profile, memory_bytes, read_sysctls

SYSCTLS: Final = (
    "fs.file-max",
    "fs.file-nr",
    "fs.nr_open",
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_syncookies",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
)

_TCP_PAGES: Final = re.compile(r"^TCP:.* mem ([0-9]{1,15})$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimits:
    """Limits of this process and its machine, and what of them is in use."""

    open_files: OpenFiles
    sysctls: Mapping[str, str]
    """Kernel settings, and counts that stand beside them, by name."""
    memory_available: int | None
    """Bytes that processes can have before the machine swaps (proc(5), MemAvailable)."""
    tcp_pages: int
    """Pages of memory that TCP has queued: `mem` in proc(5)'s sockstat."""
    memory: Room | None
    """What the control groups leave, in bytes."""
    tasks: Room | None
    """Likewise, processes and threads."""


def read_host_limits(root: Path = Path("/")) -> HostLimits:
    """Return the limits as they are now. `root` has `proc` and `sys`; the open files are always this process's own."""
    proc = root / "proc"
    return HostLimits(
        open_files=OpenFiles.read(),
        sysctls=read_sysctls(SYSCTLS, proc / "sys"),
        memory_available=memory_bytes(proc / "meminfo", "MemAvailable"),
        tcp_pages=_tcp_pages(proc / "net/sockstat"),
        memory=memory_room(root),
        tasks=tasks_room(root),
    )


def read_advice(root: Path = Path("/"), profiles: Path = PROFILES) -> dict[str, Finding]:
    """Return what the profiles `server` and `generator` say of their settings, by name; the server's comes first.

    An installation that is not of a checkout has no profiles, and gets none.
    """
    try:
        asked = [load_profile(name, profiles) for name in ("generator", "server")]
    except ProfileError:
        return {}
    return {found.setting.name: found for profile in asked for found in check(profile, root / "proc/sys")}


def _tcp_pages(sockstat: Path) -> int:
    try:
        found = _TCP_PAGES.search(sockstat.read_text())
    except OSError:
        return 0
    return 0 if found is None else int(found[1])
