"""The kernel settings of a profile, in a network namespace of one's own: nobody else has them, and it takes them along.

Only those are set that the kernel keeps for each namespace; the others belong to the whole machine, which a trial does
not touch. That is also why nothing is remembered, as `common.tuning.applying` does for the machine.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from common.tuning.profile import Profile, Scope
from common.tuning.sysctl import PROC_SYS, Standing, check, setting_file
from harness.trial.placement.errors import PlacementError

SMALL_BUFFERS: Final[Mapping[str, str]] = MappingProxyType(
    {"net.ipv4.tcp_rmem": "4096 4096 8192", "net.ipv4.tcp_wmem": "4096 4096 8192"}
)
"""What guides set to save memory: two pages at most for what a reader has not read yet, and for what is to be sent."""


SMALL_QUEUES: Final[Mapping[str, str]] = MappingProxyType({"net.core.somaxconn": "128"})
"""What the kernel had until Linux 5.4 (2019), and so had the talk's servers: an accept queue takes so many."""


def shrink(settings: Mapping[str, str], root: Path = PROC_SYS) -> None:
    """Set this in this thread's network namespace: SMALL_BUFFERS, for example. Raise PlacementError if it cannot be."""
    for name, value in settings.items():
        _write(name, value, root)


def set_in_namespace(profile: Profile, root: Path = PROC_SYS) -> dict[str, str]:
    """Set what is short of a profile in the network namespace of this thread; return what was set, by name.

    Raise PlacementError if the kernel refuses.
    """
    values = {}
    for found in check(profile, root):
        if found.standing is Standing.SHORT and found.setting.belongs_to is Scope.NAMESPACE:
            name, value = found.setting.name, found.target
            _write(name, value, root)
            values[name] = value
    return values


def _write(name: str, value: str, root: Path) -> None:
    try:
        setting_file(name, root).write_text(f"{value}\n")
    except OSError as error:
        raise PlacementError(
            f"--netns: {name} cannot be set to {value} ({error.strerror}): leave --netns out for loopback"
        ) from error
