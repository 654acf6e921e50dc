"""Lesson `sysctl`: a server that says at its start which kernel settings are too small for many connections."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from common.tuning.profile import ProfileError
from common.tuning.sysctl import load_profile, shortfalls
from stages.stage0.server import Server

if TYPE_CHECKING:
    from stages.options import Addresses

_log = logging.getLogger(__name__)

PROFILE = "server"


class CheckingServer(Server):
    """Looks at the machine's settings, and changes none: they belong to everybody on it."""

    async def start(self) -> Addresses:
        """Serve, and name the settings that are short."""
        addresses = await super().start()
        try:
            short = shortfalls(load_profile(PROFILE))
        except ProfileError as error:  # installed without the checkout that the profiles are in
            _log.warning("kernel settings were not checked: %s", error)
        else:
            if short:
                told = ", ".join(short)
                _log.warning("kernel settings are short of %s: %s; as root: harness tune apply", PROFILE, told)
        return addresses
