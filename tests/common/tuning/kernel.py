"""A kernel to read and change: the settings of a machine in ordinary files, as /proc has them."""

from pathlib import Path

MEMORY_KB = 4 * 1024 * 1024
PAGES = MEMORY_KB // 4

SETTINGS = {
    "net.core.somaxconn": "128",
    "net.ipv4.tcp_rmem": "4096\t65536\t33554432",
    "net.ipv4.ip_local_port_range": "32768\t60999",
    "net.ipv4.tcp_mem": "46000 62000 92000",
    "kernel.random.boot_id": "0f1e",
}

PROFILE = """
purpose = "A small server"

[settings."net.core.somaxconn"]
value = "1024"
compare = "at least"
belongs_to = "network namespace"
default = "4096"
reason = "Bounds C."
source = "listen(2)"

[settings."net.ipv4.tcp_rmem"]
value = "4096 131072 131072"
compare = "at least"
belongs_to = "network namespace"
default = "4096 131072 6291456"
reason = "Bounds N."
source = "tcp(7)"

[settings."net.ipv4.ip_local_port_range"]
value = "16384 65535"
compare = "exactly"
belongs_to = "network namespace"
default = "32768 60999"
reason = "Bounds N."
source = "ip(7)"

[settings."net.ipv4.tcp_mem"]
value = "10% 15% 20%"
compare = "at least"
belongs_to = "whole machine"
default = "by memory"
reason = "Bounds N."
source = "tcp(7)"

[settings."net.netfilter.nf_conntrack_max"]
value = "1000"
compare = "at least"
belongs_to = "whole machine"
default = "by memory"
reason = "Bounds N."
source = "nf_conntrack-sysctl"
"""

SHORT = ("net.core.somaxconn", "net.ipv4.tcp_rmem", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_mem")
"""What is short of PROFILE with SETTINGS; the fifth of its settings does not exist."""

TUNED = {
    "net.core.somaxconn": "1024",
    "net.ipv4.tcp_rmem": "4096 131072 33554432",
    "net.ipv4.ip_local_port_range": "16384 65535",
    "net.ipv4.tcp_mem": f"{PAGES // 10} {PAGES * 15 // 100} {PAGES // 5}",
}


def make_kernel(proc: Path, settings: dict[str, str] | None = None, namespace: str = "net:[1]") -> Path:
    """Make a /proc with settings, those of SETTINGS if None, in a namespace; return its `sys`."""
    root = proc / "sys"
    for name, value in (SETTINGS if settings is None else settings).items():
        file = root.joinpath(*name.split("."))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
    (proc / "meminfo").write_text(f"MemTotal:       {MEMORY_KB} kB\nMemFree:  1 kB\n")
    enter_namespace(proc, namespace)
    return root


def enter_namespace(proc: Path, namespace: str) -> None:
    link = proc / "self" / "ns" / "net"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(namespace)


def values(root: Path) -> dict[str, str]:
    """Return all settings, with single spaces, but the boot's id."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name != "boot_id")
    return {".".join(path.relative_to(root).parts): " ".join(path.read_text().split()) for path in files}


UNTUNED = {name: " ".join(value.split()) for name, value in SETTINGS.items() if name != "kernel.random.boot_id"}
