"""What belongs to a server ends with it, also when nobody wants to wait for that."""

import signal
import subprocess

import psutil
import pytest

from harness.interruption import interruptions_deferred
from harness.targets.family import end_all


def test_an_interruption_of_the_wait_kills_those_that_are_left() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper, interruptions_deferred():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            end_all([psutil.Process(sleeper.pid)], 20.0)
        assert sleeper.wait(60) == -signal.SIGKILL


def test_those_that_end_in_time_are_not_killed() -> None:
    with subprocess.Popen(["sleep", "0.1"]) as sleeper:
        end_all([psutil.Process(sleeper.pid)], 20.0)
        assert not psutil.pid_exists(sleeper.pid)
