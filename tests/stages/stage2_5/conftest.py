"""The stage in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.catalogue import find_stage
from tests.stages.in_process.conftest import api, connect, running, same_process

if TYPE_CHECKING:
    from stages.stage0.parts import Stage

__all__ = ["api", "connect", "running", "same_process"]


@pytest.fixture
def stage() -> Stage:
    return find_stage("2.5")
