import pytest

from harness.load.workload import NoRoomError
from harness.search.capacity import MOST, CapacityError, check_room, likely_room

GIB = 2**30


def test_what_a_search_may_try_by_itself_leaves_room() -> None:
    assert likely_room(20 * GIB) == 536_870
    assert likely_room(200 * GIB) == MOST
    assert likely_room(0) == 1


def test_what_the_kernel_alone_could_not_hold_is_refused() -> None:
    check_room("the floor", 100_000, GIB, 20_000)
    with pytest.raises(CapacityError, match=r"the ceiling needs 200,000 connections, .*; 1\.0 GiB .* 145,100 at"):
        check_room("the ceiling", 200_000, GIB, 20_000)


def test_a_limit_of_files_that_leaves_none_is_refused() -> None:
    with pytest.raises(NoRoomError):
        check_room("the floor", 10, GIB, 10)
