import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.observe import Observer, ProcessColumns, listen_counters
from tests.harness.fake import wait_until


def test_a_process_is_seen_with_its_memory_files_and_limit() -> None:
    with Observer([os.getpid()]) as observer:
        before = observer.sample()
        with Path(os.devnull).open() as one, Path(os.devnull).open() as two:
            assert one.fileno() != two.fileno()
            observer.sample()
        wait_until(lambda: sum(psutil.Process().cpu_times()[:2]) > 0)
    seen = observer.observation(before)
    mine = next(process for process in seen.processes if process.pid == os.getpid())
    assert mine.limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert max(mine.files) >= min(mine.files) + 2
    assert min(mine.rss) > 1_000_000
    assert min(mine.threads) >= 1
    assert list(mine.cpu_s) == sorted(mine.cpu_s)
    assert 0.0 in seen.at_s
    assert len(seen.at_s) == len(seen.host_cpu_s) == len(seen.available) == len(mine.tick)
    assert seen.available.min() > 0


def test_it_samples_by_itself_until_the_end() -> None:
    with Observer([os.getpid()]) as observer:
        begin = time.monotonic()
        wait_until(lambda: time.monotonic() - begin > 0.35)
    taken = len(observer.observation(0.0).at_s)
    assert taken >= 3


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


def test_a_process_that_is_not_there_is_not_seen() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with Observer([child.pid]) as observer:
        pass
    assert observer.observation(0.0).processes == ()


def test_files_are_listed_now_and_then_where_the_kernel_does_not_count_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness import observe  # noqa: PLC0415 -- patched below

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


def test_the_machines_counts_of_full_accept_queues(tmp_path: Path) -> None:
    netstat = tmp_path / "netstat"
    netstat.write_text("TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1 22 33\nIpExt: B\nIpExt: 4\n")
    assert listen_counters(netstat) == (22, 33)
    netstat.write_text("IpExt: B\nIpExt: 4\n")
    assert listen_counters(netstat) == (0, 0)
    assert listen_counters(tmp_path / "none") == (0, 0)
