"""Ports for servers that must be told theirs beforehand."""

from common.listening import CannotListenError, close_all, reserve
from harness.load.workload import Endpoint
from harness.targets.target import TargetError


def free_endpoints(host: str, count: int) -> tuple[Endpoint, ...]:
    """Return so many ports in a row of this machine's address `host` that nobody has. Raise TargetError.

    They are chosen at random (`common.listening`), so that two harnesses hardly ever choose the same.
    """
    try:
        reserved = reserve(host, 0, count)
    except CannotListenError as error:
        raise TargetError(f"no {count} ports of {host} are free: end what listens there") from error
    endpoints = tuple(Endpoint(host, sock.getsockname()[1]) for sock in reserved)
    close_all(reserved)
    return endpoints
