"""Playing a load against a server of known behaviour, as a trial does."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from harness.load.controller import Generator
from tests.harness.known_servers import DIALOGUE, PATIENCE_S

if TYPE_CHECKING:
    import select
    from collections.abc import Callable, Sequence

    from harness.load.fans import Fans
    from harness.load.samples import GeneratorUsage, Progress, Samples
    from harness.load.workload import Dialogue, Endpoint, Load

SOON_S = 0.01


def measure(
    endpoint: Endpoint,
    load: Load,
    *,
    dialogue: Dialogue = DIALOGUE,
    answer_timeout_s: float = PATIENCE_S,
    processes: int = 1,
    close_wait_s: float = 0.0,
) -> tuple[Samples, GeneratorUsage, Progress]:
    with Generator(
        load, dialogue, [endpoint], "fan-", answer_timeout_s=answer_timeout_s, processes=processes
    ) as generator:
        generator.start()
        progress = generator.wait_all_settled(PATIENCE_S)
        samples, usage = generator.finish(close_wait_s)
    return samples, usage, progress


def wait_for(generator: Generator, condition: Callable[[Progress], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition(generator.progress()):
        assert time.monotonic() < deadline, generator.progress()
        time.sleep(0.005)


def turn(fans: Fans, epoll: select.epoll) -> None:
    """Have the fans of a test's own loop take in what is reported next."""
    events = epoll.poll(PATIENCE_S)
    assert events
    fans.on_turn()
    for fd, mask in events:
        fans.on_ready(fd, mask)


def happened(times: Sequence[float]) -> bool:
    """Return whether something happened to every fan."""
    return not any(map(math.isnan, times))


def marks_by_fan(samples: Samples) -> dict[int, list[int]]:
    """Return the numbers of the events that each fan received, in order."""
    marks = defaultdict(list)
    for fan, mark in zip(samples.receipt_fan, samples.receipt_sequence, strict=True):
        marks[fan].append(mark)
    return dict(marks)
