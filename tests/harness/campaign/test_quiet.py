from dataclasses import replace
from pathlib import Path

import pytest

from harness.campaign import quiet
from harness.campaign.quiet import MachineState, disturbances, read_state, wait_until_quiet

CALM = MachineState(
    cpu_share=0.05,
    memory_available_bytes=8 * 2**30,
    memory_bytes=16 * 2**30,
    time_wait=100,
    time_wait_limit=131_072,
    open_files=1_000,
    open_files_limit=1_000_000,
)
BUSY = replace(CALM, cpu_share=0.6)


class Clock:
    """Moves on by half a second with every look at the machine."""

    def __init__(self, *states: MachineState) -> None:
        self.seconds = 0.0
        self.looks = 0
        self._states = iter(states)
        self._last = CALM

    def now(self) -> float:
        return self.seconds

    def read(self) -> MachineState:
        self.seconds += 0.5
        self.looks += 1
        self._last = next(self._states, self._last)
        return self._last


def test_a_machine_at_rest_is_not_waited_for() -> None:
    clock = Clock(CALM)
    assert wait_until_quiet(clock.read, clock.now) == ()
    assert clock.looks == 1


def test_a_machine_that_calms_down_is_waited_for() -> None:
    clock = Clock(BUSY, BUSY, CALM)
    assert wait_until_quiet(clock.read, clock.now) == ()
    assert clock.looks == 3


def test_one_that_does_not_is_waited_for_only_so_long() -> None:
    clock = Clock(BUSY)
    assert wait_until_quiet(clock.read, clock.now, patience_s=3) == ("60% of the CPU is used by others",)
    assert clock.seconds == 3


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (CALM, ()),
        (replace(CALM, cpu_share=0.2), ()),
        (BUSY, ("60% of the CPU is used by others",)),
        (replace(CALM, memory_available_bytes=2**30), ("only 1.00 GiB of memory are available",)),
        (replace(CALM, time_wait=70_000), ("70,000 of 131,072 sockets are in TIME_WAIT",)),
        (replace(CALM, time_wait=70_000, time_wait_limit=None), ()),
        (replace(CALM, open_files=600_000), ("600,000 of 1,000,000 files are open",)),
    ],
)
def test_what_disturbs_is_told_with_its_figures(state: MachineState, says: tuple[str, ...]) -> None:
    assert disturbances(state) == says


def test_the_state_is_read_from_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "LOOK_S", 0.01)
    for name, content in {
        "sys/fs/file-nr": "993\t0\t2466170\n",
        "net/sockstat": "sockets: used 64\nTCP: inuse 25 orphan 0 tw 39 alloc 41 mem 0\nUDP: inuse 0 mem 0\n",
        "sys/net/ipv4/tcp_max_tw_buckets": "131072\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    state = read_state(tmp_path)
    assert (state.time_wait, state.time_wait_limit) == (39, 131_072)
    assert (state.open_files, state.open_files_limit) == (993, 2_466_170)
    assert 0 < state.memory_available_bytes <= state.memory_bytes
    (tmp_path / "sys/net/ipv4/tcp_max_tw_buckets").unlink()
    (tmp_path / "net/sockstat").write_text("sockets: used 64\n")
    assert (read_state(tmp_path).time_wait, read_state(tmp_path).time_wait_limit) == (0, None)


def test_this_machine_has_a_state() -> None:
    assert read_state().open_files > 0
