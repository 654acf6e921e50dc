import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.tuning.open_files import OpenFiles, OpenFilesError, count_open_files, set_soft_limit


@pytest.fixture
def limits() -> Iterator[OpenFiles]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield OpenFiles.read()
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limits_are_those_of_the_system(limits: OpenFiles) -> None:
    assert (limits.soft, limits.hard) == resource.getrlimit(resource.RLIMIT_NOFILE)


def test_no_limit_is_a_very_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    assert OpenFiles.read() == OpenFiles(1024, sys.maxsize)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(wanted=st.integers(min_value=256, max_value=2**70))
def test_the_soft_limit_goes_where_it_is_wanted_but_never_past_the_hard_one(limits: OpenFiles, wanted: int) -> None:
    now = set_soft_limit(wanted)
    assert now == min(wanted, limits.hard)
    assert OpenFiles.read() == OpenFiles(now, limits.hard)


def test_a_lowered_limit_holds_and_can_be_raised_again(limits: OpenFiles) -> None:
    assert set_soft_limit(count_open_files() + 3) < limits.soft
    opened: list[int] = []
    try:
        with pytest.raises(OSError, match="Too many open files"):
            opened.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(1000))
    finally:
        for file in opened:
            os.close(file)
    assert set_soft_limit(limits.soft) == limits.soft


@pytest.mark.parametrize("wanted", [0, -1])
def test_a_senseless_limit_is_refused(wanted: int, limits: OpenFiles) -> None:
    with pytest.raises(OpenFilesError, match="at least 1"):
        set_soft_limit(wanted)
    assert OpenFiles.read() == limits


def test_a_refusal_of_the_system_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    with pytest.raises(OpenFilesError, match=r"cannot set the limit of open files to 1,024 .*Operation not permitted"):
        set_soft_limit(1024)


def is_open(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:
        return False
    return True


@pytest.fixture(params=["sized", "listed"])
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the kernel tell the size of `fd`, as from Linux 6.2 on, or have it listed, as before."""
    if request.param == "listed":
        unsized = os.stat_result((0,) * 10)
        monkeypatch.setattr(Path, "stat", lambda _: unsized)


@pytest.mark.usefixtures("_kernel")
def test_open_files_are_counted(tmp_path: Path) -> None:
    before = sum(is_open(file) for file in range(2000))
    assert count_open_files() == before
    with (tmp_path / "one").open("w"), (tmp_path / "two").open("w"):
        assert count_open_files() == before + 2
    assert count_open_files() == before


def test_without_proc_they_cannot_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 4_194_305)  # one more than the kernel ever gives out (proc(5), pid_max)
    with pytest.raises(OpenFilesError, match=r"cannot count the open files in /proc/4194305/fd: No such file"):
        count_open_files()
