"""Ports for servers that must be told theirs beforehand."""

import random
import socket
from pathlib import Path

from harness.load.workload import Endpoint
from harness.targets.target import TargetError

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_ATTEMPTS = 1000


def free_endpoints(host: str, count: int) -> tuple[Endpoint, ...]:
    """Return so many ports of this machine's address `host` at which nobody listens. Raise TargetError.

    They lie outside the range from which the kernel takes the ports of the fans, who would else sit on them, and are
    chosen at random, so that two harnesses hardly ever choose the same.
    """
    low, high = map(int, _RANGE.read_text().split())
    outside = [*range(_LOWEST, low), *range(max(high + 1, _LOWEST), 65_536)]
    found: list[Endpoint] = []
    for port in random.sample(outside, min(_ATTEMPTS, len(outside))):
        if len(found) == count:
            break
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        found.append(Endpoint(host, port))
    if len(found) < count:
        raise TargetError(
            f"no {count} ports of {host} are free: end what listens outside {low}-{high} (ip_local_port_range)"
        )
    return tuple(found)
