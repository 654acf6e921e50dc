"""Addresses of this machine from which a user wants the fans to come."""

import itertools
import socket
from ipaddress import IPv4Address, IPv4Network

from harness.load.workload import ChosenSources
from harness.trial.placement.errors import PlacementError

MOST = 1024
"""Of a larger network the first so many are used: each has ports for some 28,000 fans."""


def chosen_sources(text: str) -> ChosenSources:
    """Return the addresses that `10.0.0.5` or `10.0.0.0/28` says.

    Raise PlacementError for what is neither, and where one of them is not this machine's.
    """
    try:
        network = IPv4Network(text, strict=False) if "/" in text else IPv4Network(IPv4Address(text))
    except ValueError:
        raise PlacementError(
            f"--source {text!r} is no address and no network of IPv4: write 10.0.0.5 or 10.0.0.0/28"
        ) from None
    addresses = tuple(str(address) for address in itertools.islice(network.hosts(), MOST))
    for address in addresses:
        _check_is_ours(address)
    return ChosenSources(addresses)


def _check_is_ours(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trying:
        try:
            trying.bind((address, 0))
        except OSError as error:
            raise PlacementError(
                f"fans cannot come from {address} ({error.strerror}): --source takes addresses that this machine has "
                "(ip address)"
            ) from None
