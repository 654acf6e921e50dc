"""As many open files as the machine allows a process."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from common.tuning.open_files import OpenFiles
from stages.stage1 import MOST_FILES

if TYPE_CHECKING:
    from tests.stages.in_process.running import Running


async def test_the_soft_limit_is_what_the_hard_one_allows(running: Running) -> None:
    limits = OpenFiles.read()
    assert limits.soft == min(limits.hard, running.stage.parts.open_files)
    assert running.stage.parts.open_files == MOST_FILES
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] in {limits.hard, resource.RLIM_INFINITY}
