"""The machine that a result was measured on: figures from another machine are not comparable, and this says why."""

import os
import platform
import resource
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

import msgspec
import psutil

from common.store.errors import RedisNotFoundError
from common.store.process import find_redis_server, redis_version
from common.tuning.sysctl import read_sysctls

SYSCTLS = (
    "fs.file-max",
    "fs.nr_open",
    "net.core.netdev_max_backlog",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_max",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_migrate_req",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_wmem",
    "net.netfilter.nf_conntrack_buckets",
    "net.netfilter.nf_conntrack_max",
    "vm.overcommit_memory",
)
"""The kernel settings that decide how many connections a machine takes, and how fast: see the kernel's ip-sysctl."""

CHECKOUT = Path(__file__).resolve().parents[2]
"""The project's checkout, where there is one; an installed copy lies elsewhere."""

_PACKAGES = ("aiohttp", "hiredis", "redis", "uvloop")
_LIMITS = MappingProxyType({"open_files": resource.RLIMIT_NOFILE, "processes": resource.RLIMIT_NPROC})
_TIMEOUT_S = 5.0


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A resource limit of the harness's process, which what it starts inherits; None is no limit."""

    soft: int | None
    hard: int | None


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Hardware, kernel, limits, settings and versions. A setting or version that cannot be read is left out.

    `commit` is that of the project's checkout, with `+` behind it if files differ from it; None without a checkout.
    """

    kernel: str
    cpu_model: str
    cores: int
    memory_bytes: int
    limits: dict[str, Limit]
    sysctls: dict[str, str]
    python: str
    versions: dict[str, str]
    commit: str | None


def describe_machine(root: Path = Path("/proc")) -> Machine:
    """Return this machine as it is now. `root` is where proc(5) is mounted."""
    return Machine(
        kernel=f"{platform.system()} {platform.release()}",
        cpu_model=_cpu_model(root / "cpuinfo"),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        limits={name: _limit(which) for name, which in _LIMITS.items()},
        sysctls=read_sysctls(SYSCTLS, root / "sys"),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        versions=_versions(),
        commit=_commit(CHECKOUT),
    )


def _cpu_model(cpuinfo: Path) -> str:
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _limit(which: int) -> Limit:
    soft, hard = (None if value == resource.RLIM_INFINITY else value for value in resource.getrlimit(which))
    return Limit(soft, hard)


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    with suppress(RedisNotFoundError):
        if redis := redis_version(find_redis_server()):  # the one that a stage or a peer starts
            found[f"{redis.name.lower()}-server"] = redis.version
    return found


def _commit(checkout: Path) -> str | None:
    found = _output("git", "-C", str(checkout), "rev-parse", "--show-toplevel", "HEAD")
    if found is None:
        return None
    top, commit = found.splitlines()
    # An installed copy may lie in somebody else's checkout (a .venv in it, say): that commit is not this project's.
    if Path(top) != checkout:
        return None
    # What reports/ has is made from results: it changes while they are measured, and changes none of them.
    looked_at = ("--untracked-files=no", "--", ".", ":(exclude)reports")
    changed = _output("git", "-C", str(checkout), "status", "--porcelain", *looked_at)
    return commit + ("+" if changed else "")


def _output(*command: str) -> str | None:
    """Return what a program prints, or None where there is none of that name, or it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)  # noqa: S603 -- fixed commands, no shell
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def harness_version() -> str:
    """Return the version of the installed distribution."""
    return metadata.version("matchstream-lab")
