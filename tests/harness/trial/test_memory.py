import os
import subprocess
import sys

import pytest

from harness.load.samples import Progress
from harness.trial.memory import RestWatch, read_memory
from tests.harness.fake import started, wait_until

MIB = 2**20
GROWS = """
import sys
for line in sys.stdin:
    kept = bytearray(int(line))
    kept[::4096] = b"x" * len(kept[::4096])
    print("done", flush=True)
"""


def test_a_process_has_grown_by_what_it_took() -> None:
    command = [sys.executable, "-c", GROWS]
    with started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{MIB}\n")
        process.stdin.flush()
        process.stdout.readline()
        before = read_memory([process.pid])
        process.stdin.write(f"{64 * MIB}\n")
        process.stdin.flush()
        process.stdout.readline()
        now = read_memory([process.pid])
        process.stdin.close()
    assert now.server.pss is not None
    assert before.server.pss is not None
    assert 62 * MIB <= now.server.pss - before.server.pss <= 66 * MIB
    assert 62 * MIB <= now.server.rss - before.server.rss <= 66 * MIB
    assert (now.redis, now.at > before.at, now.slab > 0) == (None, True, True)


def test_it_is_read_when_all_fans_have_two_events_and_the_server_is_at_rest() -> None:
    with started([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        seen = Progress(answered=10, closed=2, receipts=15)
        with RestWatch([process.pid], lambda: seen, 5) as watch:
            assert watch.taken is None
            seen = Progress(answered=10, closed=2, receipts=16)
            wait_until(lambda: watch.taken is not None)
        assert watch.taken is not None
        assert (watch.taken.connections, watch.taken.moment) == (8, "after the second event")
        process.communicate()


def test_one_that_has_not_come_to_rest_is_read_once_before_the_last_event() -> None:
    seen = Progress(answered=10, receipts=19)
    with RestWatch([os.getpid()], lambda: seen, 5) as watch:
        watch.take("before the last event")
        taken = watch.taken
        watch.take("before the last event")
    assert taken is not None
    assert (taken.connections, taken.moment) == (10, "before the last event")
    assert watch.taken is taken


@pytest.mark.parametrize(("answered", "moment"), [(3, "after the answers"), (0, None)])
def test_without_events_it_is_read_when_the_server_rests_if_anyone_is_connected(
    answered: int, moment: str | None
) -> None:
    with RestWatch([os.getpid()], lambda: Progress(answered=answered), 0) as watch:
        watch.wait()
    assert (None if watch.taken is None else watch.taken.moment) == moment


def test_a_server_elsewhere_has_no_memory_to_read() -> None:
    with RestWatch([], lambda: Progress(answered=3, receipts=6), 2) as watch:
        watch.take("before the last event")
    assert watch.taken is None
