"""The line that says that a server is ready, which programs wait for, and the stages that can be served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.catalogue import STAGES, UnknownStageError, find_stage
from stages.options import Addresses
from stages.serve import ready_line

if TYPE_CHECKING:
    from stages.stage0.parts import Stage


@pytest.mark.parametrize(
    ("addresses", "line"),
    [
        (Addresses("127.0.0.1", (9999, 9999), (8888, 8888)), "ready fans=127.0.0.1:9999 http=127.0.0.1:8888"),
        (Addresses("h", (9000, 9009), (8000, 8001)), "ready fans=h:9000-9009 http=h:8000-8001"),
        (Addresses("::1", (1, 1), (2, 3)), "ready fans=[::1]:1 http=[::1]:2-3"),
    ],
)
def test_the_ready_line(addresses: Addresses, line: str) -> None:
    assert ready_line(addresses) == line


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
def test_every_stage_is_found_by_its_name(stage: Stage) -> None:
    assert find_stage(stage.name) is stage


def test_an_unknown_stage_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(UnknownStageError, match=f"no stage '17'; there is: {', '.join(STAGES)}$"):
        find_stage("17")
