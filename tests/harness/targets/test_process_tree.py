import os
import resource
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from harness.interruption import interruptions_deferred
from harness.targets.process_tree import ProcessStat, all_processes, descended, end_all, open_files_limit, read_stat
from tests.harness.fake import wait_until

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def stat(pid: int, parent: int) -> ProcessStat:
    return ProcessStat(pid, f"p{pid}", parent, 1, 0.0, 1, 0, 0)


def test_this_process_is_read() -> None:
    wait_until(lambda: sum(os.times()[:2]) > 0)
    begin_s = sum(os.times()[:2])
    mine = read_stat(os.getpid())
    end_s = sum(os.times()[:2])
    assert mine is not None
    assert (mine.pid, mine.parent, mine.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert mine.name == psutil.Process().name()[:15]
    assert begin_s - TICK_S / 2 <= mine.cpu_s <= end_s + TICK_S / 2
    assert mine.threads >= threading.active_count()  # xdist and numpy have some that Python does not count
    assert mine.rss > 1_000_000
    assert mine.began > 0
    assert mine.pid in {each.pid for each in all_processes()}
    assert open_files_limit(mine.pid) == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_a_process_that_has_ended_is_not_there_though_nobody_asked_how() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert read_stat(child.pid) is None
    child.wait()
    assert read_stat(child.pid) is None
    assert open_files_limit(child.pid) == 0


def test_a_name_may_look_like_the_numbers_behind_it() -> None:
    code = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'a) Z 1 (b'); print('named', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "named\n"
        found = read_stat(child.pid)
        assert found is not None
        assert (found.name, found.parent) == ("a) Z 1 (b", os.getpid())
        child.communicate("")


def test_no_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "prlimit", lambda *_: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert open_files_limit(1) == sys.maxsize


def test_descendants_at_any_depth_and_of_any_root() -> None:
    machine = [stat(1, 0), stat(9, 5), stat(5, 4), stat(4, 1), stat(6, 1), stat(7, 6), stat(8, 1)]
    assert [each.pid for each in descended({4}, machine)] == [4, 5, 9]
    assert {each.pid for each in descended({4, 6}, machine)} == {4, 5, 9, 6, 7}
    assert {each.pid for each in descended({4, 5}, machine)} == {4, 5, 9}
    assert descended({3}, machine) == ()


def test_children_of_a_root_that_has_ended_are_nobodys_but_those_of_its_children_are_found() -> None:
    machine = [stat(1, 0), stat(5, 1), stat(9, 5)]  # 5 was 4's child
    assert [each.pid for each in descended({4, 5}, machine)] == [5, 9]


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
