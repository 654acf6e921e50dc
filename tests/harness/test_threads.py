"""A thread beside a trial ends with it."""

import threading

import pytest

from harness.interruption import background_thread

NAME = "beside a test"


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == NAME]


def test_it_works_inside_and_has_ended_after() -> None:
    began, over = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        over.wait()

    with background_thread(NAME, work, over):
        began.wait()
        assert running() == [NAME]
    assert running() == []


def test_it_ends_with_an_error_inside() -> None:
    over = threading.Event()
    with pytest.raises(KeyboardInterrupt), background_thread(NAME, over.wait, over):
        raise KeyboardInterrupt
    assert running() == []
