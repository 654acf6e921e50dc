import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.trial.placement.errors import PlacementError
from harness.trial.placement.pinning import PARTS, Pins, allowed_cpus, parse_pins, pin_redis, pinned
from tests.harness.fake import wait_until

CPUS = frozenset(range(8))


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("server=0", Pins(server=(0,))),
        ("server=0,generator=1,redis=0", Pins((0,), (1,), (0,))),
        ("generator=1-3", Pins(generator=(1, 2, 3))),
        ("server=0,2,5-6,generator=1", Pins((0, 2, 5, 6), (1,))),
        ("redis=3,1,1-2", Pins(redis=(1, 2, 3))),
        (" server = 7 , generator = 0", Pins((7,), (0,))),
    ],
)
def test_lists_of_cpus_are_read_as_taskset_has_them(text: str, pins: Pins) -> None:
    assert parse_pins(text, CPUS) == pins


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "says not what to pin"),
        ("0", "says not what to pin"),
        ("client=0", "'client' cannot be pinned"),
        ("server=0,server=1", "'server' is given twice"),
        ("server=", "is no CPU"),
        ("server=0,", "is no CPU"),
        ("server=a", "'a' is no CPU"),
        ("server=-1", "'-1' is no CPU"),
        ("server=1-", "'1-' is no CPU"),
        ("server=3-1", "names no CPU"),
        ("server=8", "CPU 8 is not one of those here (0, 1, 2, 3, 4, 5, 6, 7)"),
        ("server=0-99999", "CPU 8 is not one of those here"),
    ],
)
def test_what_makes_no_sense_is_refused_on_one_line_with_an_example(text: str, says: str) -> None:
    with pytest.raises(PlacementError) as refused:
        parse_pins(text, CPUS)
    message = str(refused.value)
    assert says in message
    assert message.endswith("write for example server=0,generator=1,redis=0")
    assert "\n" not in message


@given(st.dictionaries(st.sampled_from(PARTS), st.frozensets(st.sampled_from(sorted(CPUS)), min_size=1), min_size=1))
def test_what_is_written_is_what_is_read(wanted: dict[str, frozenset[int]]) -> None:
    text = ",".join(f"{part}={','.join(map(str, cpus))}" for part, cpus in wanted.items())
    pins = parse_pins(text, CPUS)
    for part in PARTS:
        cpus = getattr(pins, part)
        assert cpus == (tuple(sorted(wanted[part])) if part in wanted else None)
        assert all(one < other for one, other in pairwise(cpus or ()))


def test_what_is_started_inside_stays_on_its_cpus_and_this_thread_is_let_go() -> None:
    before = os.sched_getaffinity(0)
    cpu = max(allowed_cpus())
    with pinned((cpu,)):
        assert os.sched_getaffinity(0) == {cpu}
        child = subprocess.Popen(["sleep", "60"])
    assert os.sched_getaffinity(0) == before
    try:
        assert os.sched_getaffinity(child.pid) == {cpu}
    finally:
        child.kill()
        child.wait()


def test_no_pins_change_nothing() -> None:
    before = os.sched_getaffinity(0)
    with pinned(None):
        assert os.sched_getaffinity(0) == before


def test_an_error_inside_lets_the_thread_go() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(KeyboardInterrupt), pinned((min(before),)):
        raise KeyboardInterrupt
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_a_redis_below_the_server_is_found_and_pinned(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.symlink_to("/bin/sleep")
    cpu = max(allowed_cpus())
    # A server that starts its Redis and waits for it.
    with subprocess.Popen(["sh", "-c", f"{program} 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        redis = int(server.stdout.readline())
        try:
            wait_until(lambda: Path(f"/proc/{redis}/comm").read_text() == f"{name}\n")
            pin_redis((server.pid,), (cpu,))
            assert os.sched_getaffinity(redis) == {cpu}
            assert os.sched_getaffinity(server.pid) == allowed_cpus()
        finally:
            os.kill(redis, 9)


def test_a_server_without_redis_is_told() -> None:
    with pytest.raises(PlacementError, match="no Redis of its own here; leave redis out"):
        pin_redis((os.getpid(),), (0,))
