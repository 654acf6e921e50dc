import os
import resource
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from harness.targets.process_tree import ProcessStat
from harness.trial import observer as observe
from harness.trial.observer import MOST_SHARE, PERIOD_S, Observer, ProcessColumns, listen_counters, pause_after
from tests.harness.fake import wait_until


def cpu_s() -> float:
    """Return the CPU time that this process has used; waiting for it to grow lets it grow."""
    used = psutil.Process().cpu_times()
    return used.user + used.system


def test_samples_that_take_long_are_taken_less_often() -> None:
    assert pause_after(0.0) == pause_after(PERIOD_S * MOST_SHARE) == PERIOD_S
    assert pause_after(0.01) == 0.01 / MOST_SHARE > PERIOD_S


def test_a_process_is_seen_with_its_memory_files_and_limit() -> None:
    with Observer([os.getpid()]) as observer:
        before = observer.sample()
        with Path(os.devnull).open() as one, Path(os.devnull).open() as two:
            assert one.fileno() != two.fileno()
            observer.sample()
        used_s = cpu_s()
        wait_until(lambda: cpu_s() >= used_s + 0.05)  # several of the ticks in which the kernel counts
        observer.sample()
    seen = observer.observation(before)
    mine = next(process for process in seen.processes if process.pid == os.getpid())
    assert mine.limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert max(mine.files) >= min(mine.files) + 2
    assert min(mine.rss) > 1_000_000
    assert min(mine.threads) >= 1
    assert list(mine.cpu_s) == sorted(mine.cpu_s)
    assert used_s + 0.045 <= mine.cpu_s[-1] <= cpu_s() + 0.005  # half a tick: they are sums of fractions
    assert 0.0 in seen.at_s
    assert len(seen.at_s) == len(seen.host_cpu_s) == len(seen.available) == len(mine.tick)
    assert seen.available.min() > 0


def test_what_was_seen_does_not_grow_while_others_look_at_it() -> None:
    with Observer([os.getpid()]) as observer:
        seen = observer.observation(0.0)
        observer.sample()
    assert {len(process.tick) for process in seen.processes if process.pid == os.getpid()} == {len(seen.at_s)}


def test_it_samples_by_itself_until_the_end() -> None:
    class Counting(Observer):
        taken = 0

        def sample(self) -> float:
            self.taken += 1
            return super().sample()

    with Counting([os.getpid()]) as observer:
        wait_until(lambda: observer.taken > 4)
    at_s = observer.observation(0.0).at_s
    assert len(at_s) == observer.taken
    assert min(np.diff(at_s)) > 0
    assert "observer" not in [thread.name for thread in threading.enumerate()]


def test_children_are_found_and_one_that_ended_keeps_its_rows() -> None:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert child.stdin is not None
    with Observer([os.getpid()]) as observer:
        child.stdin.close()
        child.wait()
        observer.sample()
    rows = {process.pid: len(process.tick) for process in observer.observation(0.0).processes}
    assert 1 <= rows[child.pid] < rows[os.getpid()]


PARENT = """
import signal, subprocess, sys
child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()']).wait()"
def start():
    return subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE)
nodes = [start()]
for line in sys.stdin:
    nodes[-1].kill()
    nodes[-1].wait()
    nodes.append(start())
for node in nodes:
    node.stdin.close()  # which ends also the child of one that was killed
    node.wait()
"""


def tree_of(pid: int) -> set[int]:
    return {process.pid for process in psutil.Process(pid).children(recursive=True)}


def test_the_whole_tree_is_followed_also_where_a_node_is_replaced_and_its_own_child_left_over() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        wait_until(lambda: len(tree_of(parent.pid)) == 2)
        before = tree_of(parent.pid)
        with Observer([parent.pid]) as observer:
            parent.stdin.write("replace\n")
            parent.stdin.flush()
            wait_until(lambda: len(tree_of(parent.pid) - before) == 2)
            after = tree_of(parent.pid)
            for _ in range(20):  # so that it looks for children twice at least
                observer.sample()
            last = observer.sample()
        parent.stdin.close()
    seen = observer.observation(last)
    moment = int(np.argmin(np.abs(seen.at_s)))
    there = {process.pid for process in seen.processes if moment in process.tick}
    assert {process.pid for process in seen.processes} == {parent.pid} | before | after
    (left_over,) = before & there  # the child of the node that was killed
    assert there == {parent.pid, left_over} | after


def test_a_limit_that_is_raised_later_is_seen() -> None:
    code = (
        "import resource, sys\n"
        "sys.stdin.readline()\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (77, 99))\n"
        "print('raised', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        with Observer([child.pid]) as observer:
            child.stdin.write("\n")
            child.stdin.flush()
            assert child.stdout.readline() == "raised\n"
            for _ in range(11):
                observer.sample()
        child.stdin.close()
    (seen,) = observer.observation(0.0).processes
    assert seen.limit == 77


def test_another_process_of_the_same_number_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    real = observe.read_stat
    with Observer([os.getpid()]) as observer:
        taken = observer.sample()

        def later(pid: int) -> ProcessStat | None:
            stat = real(pid)
            return None if stat is None else replace(stat, began=stat.began + 1)

        monkeypatch.setattr(observe, "read_stat", later)
        observer.sample()
    seen = observer.observation(taken)
    mine = [process for process in seen.processes if process.pid == os.getpid()]
    assert all(process.tick[-1] < len(seen.at_s) - 1 for process in mine)


def test_a_process_that_is_not_there_is_not_seen() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with Observer([child.pid]) as observer:
        pass
    assert observer.observation(0.0).processes == ()


def test_files_are_listed_now_and_then_where_the_kernel_does_not_count_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class OldKernelPath(type(Path())):  # type: ignore[misc]
        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            return os.stat_result((0,) * 10)

    monkeypatch.setattr(observe, "Path", OldKernelPath)
    with Observer([os.getpid()]) as observer:
        for _ in range(3):
            observer.sample()
    mine: ProcessColumns = next(one for one in observer.observation(0.0).processes if one.pid == os.getpid())
    assert min(mine.files) > 2
    assert len(set(mine.files[:4])) == 1


def test_a_process_whose_files_may_not_be_counted_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class ForbiddenPath(type(Path())):  # type: ignore[misc]
        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            raise PermissionError

    monkeypatch.setattr(observe, "Path", ForbiddenPath)
    with Observer([os.getpid()]) as observer:
        pass
    assert observer.observation(0.0).processes == ()


def test_the_machines_counts_of_full_accept_queues(tmp_path: Path) -> None:
    netstat = tmp_path / "netstat"
    netstat.write_text("TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1 22 33\nIpExt: B\nIpExt: 4\n")
    assert listen_counters(netstat) == (22, 33)
    netstat.write_text("IpExt: B\nIpExt: 4\n")
    assert listen_counters(netstat) == (0, 0)
    assert listen_counters(tmp_path / "none") == (0, 0)
