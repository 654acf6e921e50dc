"""What the log of the stage has, when it is written, and that it leaves Python's logging as it was."""

from __future__ import annotations

import io
import logging
import threading
from contextlib import contextmanager, redirect_stderr
from typing import TYPE_CHECKING

import pytest

from common.http.client import ReporterClient
from stages.catalogue import STAGES
from stages.stage0.log import events, messages
from stages.stage2_5.logging import log_beside
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Stderr(io.StringIO):
    """Keeps what is written, and which threads have written it."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: set[int] = set()

    def write(self, text: str) -> int:
        self.writers.add(threading.get_ident())
        return super().write(text)


@contextmanager
def logging_beside() -> Iterator[Stderr]:
    """Log as the stage does, without pytest's handlers; check that all is as it was afterwards."""
    root = logging.getLogger()
    found, root.handlers = root.handlers, []
    levels = root.level, messages.level
    try:
        with redirect_stderr(Stderr()) as said, log_beside():
            yield said
    finally:
        left, root.handlers = root.handlers, found
        assert left == []
        assert (root.level, messages.level) == levels


def test_events_are_written_and_messages_are_not() -> None:
    with logging_beside() as said:
        messages.info("%s <- %s", "user-1", "Delivery")
        events.info("%s: event %d, %s", "m1", 1, "goal")
        logging.getLogger("anybody").debug("a detail")
        logging.getLogger("anybody").warning("trouble")
    lines = said.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("INFO matchstream.events: m1: event 1, goal")
    assert lines[1].endswith("WARNING anybody: trouble")


def test_all_is_written_at_the_end_and_by_another_thread() -> None:
    with logging_beside() as said:
        for number in range(1000):
            events.info("event %d", number)
    assert [line.split()[-1] for line in said.getvalue().splitlines()] == [str(number) for number in range(1000)]
    assert len(said.writers) == 1
    assert threading.get_ident() not in said.writers


def test_a_crash_does_not_lose_what_was_said() -> None:
    written: list[Stderr] = []

    def crash() -> None:
        with logging_beside() as said:
            written.append(said)
            events.info("the last event")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()
    assert "the last event" in written[0].getvalue()


@pytest.mark.parametrize("stage", ["2.4", "2.5"])
async def test_the_lines_of_a_match(stage: str, tmp_path: Path) -> None:
    with ServerProcess(stage, tmp_path) as server:
        async with ReporterClient(server.url, TOKEN) as api, Fan(next(server.fan_addresses())) as fan:
            game = await Game.announced(api, "logged")
            await game.start()
            await fan.watch("one", game.id)
            await game.goal()
            await game.stop()
            await fan.read_to_end()
    lines = server.log().splitlines()
    about_events = [line for line in lines if "matchstream.events" in line]
    assert [line.rpartition(" ")[2] for line in about_events] == ["start", "goal", "stop"]
    assert all(game.id in line for line in about_events)
    about_messages = [line for line in lines if "matchstream.messages" in line]
    assert bool(about_messages) != STAGES[stage].has("logging")
