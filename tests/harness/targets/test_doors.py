"""Fans of stage 4 who come by its doors for browsers."""

import pytest

from harness.records.asked import Door
from harness.targets.stage import StageTarget
from harness.targets.target import TargetError
from harness.targets.variant import Variant
from tests.harness.targets.trials import assert_everyone_got_everything, small_trial


@pytest.mark.parametrize("door", ["event-source", "websocket"])
def test_who_comes_by_a_door_is_answered_and_hears_all(door: Door) -> None:
    result = small_trial(StageTarget(Variant("4", workers=1, door=door)))
    assert_everyone_got_everything(result)
    assert result.asked.target.door == door


def test_a_server_without_that_lesson_says_so() -> None:
    target = StageTarget(Variant("4", without_lessons=("event-source", "websocket"), workers=1, door="websocket"))
    with pytest.raises(TargetError, match="has no use for --browser-port: leave it out, or serve one with the lesson"):
        target.start()


def test_by_a_door_there_is_no_current_match() -> None:
    with pytest.raises(TargetError, match=r"^by websocket fans say which match they watch, and there is none$"):
        StageTarget(Variant("4", door="websocket")).dialogue(None)
