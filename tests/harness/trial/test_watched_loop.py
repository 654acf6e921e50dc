"""Asking a server beside a trial: it begins before the fans do, ends with the trial, and fails nothing."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from common.otp.loop_lag import LagSample, LoopLagStatistics
from harness.trial.loop_watch import watched_loop
from tests.common.http.samples import statistics
from tests.harness.fake import wait_until
from tests.harness.show.live.nodes import FakeNode, serving

if TYPE_CHECKING:
    import asyncio

    from harness.trial.figures.loop_lag import LagLog

LATE = statistics(loop_lag=LoopLagStatistics(0.1, 0.2, (LagSample(0.1, 0.2),)))
LONG_AGO = -1e6
"""A first start so long ago, on the clock of time.monotonic, that all is within the trial."""


def watches() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "loop-watch"]


def test_the_first_look_is_over_at_the_beginning_and_the_last_one_at_the_end() -> None:
    with serving(FakeNode(LATE)) as node:
        with watched_loop([node.url]) as log:
            assert node.asked == ["/1/statistics?actors=0&sort=mailbox"]
        assert len(node.asked) == 2
    lag = log.within(LONG_AGO, 1e9)
    assert lag is not None
    assert set(lag.late_s) == {0.2}
    assert watches() == []


def test_it_looks_on_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.trial.loop_watch.LOOK_EVERY_S", 0.01)
    with serving(FakeNode(LATE)) as node, watched_loop([node.url]):
        wait_until(lambda: len(node.asked) > 5)


def test_all_nodes_are_asked_and_one_that_refuses_is_no_error() -> None:
    with serving(FakeNode(LATE)) as node, serving(FakeNode(None)) as other:
        with watched_loop([other.url, node.url]) as log:
            assert (len(node.asked), len(other.asked)) == (1, 1)
        assert log.within(LONG_AGO, 1e9) is not None


def test_nobody_there_means_no_samples() -> None:
    with serving(FakeNode(LATE)) as node:
        url = node.url
    with watched_loop([url]) as log:
        pass
    assert log.within(LONG_AGO, 1e9) is None


def test_a_server_that_does_not_answer_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.trial.loop_watch.PATIENCE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with watched_loop([f"http://127.0.0.1:{silent.getsockname()[1]}"]) as log:
            assert watches() == ["loop-watch"]
        assert log.within(LONG_AGO, 1e9) is None
    assert watches() == []


def test_it_ends_with_an_interruption_and_tells_what_it_saw() -> None:
    logs: list[LagLog] = []

    def interrupted(url: str) -> None:
        with watched_loop([url]) as log:
            logs.append(log)
            raise KeyboardInterrupt

    with serving(FakeNode(LATE)) as node:
        with pytest.raises(KeyboardInterrupt):
            interrupted(node.url)
        assert len(node.asked) == 2
    assert logs[0].within(LONG_AGO, 1e9) is not None
    assert watches() == []


def test_a_harness_without_a_file_left_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_file_left() -> asyncio.AbstractEventLoop:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("asyncio.events.new_event_loop", no_file_left)
    with serving(FakeNode(LATE)) as node:
        with watched_loop([node.url]) as log:
            pass
        assert node.asked == []
    assert log.within(LONG_AGO, 1e9) is None
