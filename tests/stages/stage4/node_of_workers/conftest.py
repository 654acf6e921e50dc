"""The doors of the node that a module's `server` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stages.fan import Fan
from tests.stages.stage4.workers import WorkersProcess, api_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from common.http.client import ReporterClient
    from tests.stages.fan import Connect


@pytest.fixture
async def api(server: WorkersProcess) -> AsyncIterator[ReporterClient]:
    async with api_of(server) as api:
        yield api


@pytest.fixture
def connect(server: WorkersProcess) -> Connect:
    addresses = server.fan_addresses()
    return lambda: Fan(next(addresses))
