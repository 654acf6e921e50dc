from pathlib import Path

import pytest

from common.tuning.cgroup import Room, memory_room, tasks_room
from tests.common.tuning.tree import plant

V2 = "sys/fs/cgroup"
V1_NONE = "9223372036854771712\n"


def test_version_2_the_group_with_the_least_left_counts(tmp_path: Path) -> None:
    root = plant(
        tmp_path,
        {
            "proc/self/cgroup": "0::/system.slice/match.service\n",
            f"{V2}/system.slice/memory.max": "8000\n",
            f"{V2}/system.slice/memory.current": "7500\n",
            f"{V2}/system.slice/memory.stat": "anon 7000\ninactive_file 100\ntotal_inactive_file 9\n",
            f"{V2}/system.slice/match.service/memory.max": "4000\n",
            f"{V2}/system.slice/match.service/memory.current": "1000\n",
            f"{V2}/system.slice/pids.max": "max\n",
            f"{V2}/system.slice/match.service/pids.max": "64\n",
            f"{V2}/system.slice/match.service/pids.current": "70\n",
        },
    )
    room = memory_room(root)
    assert room == Room(root / V2 / "system.slice/memory.max", 8000, 7400)  # files that were read are given up
    assert room.left == 600
    tasks = tasks_room(root)
    assert tasks is not None
    assert (tasks.limit, tasks.used, tasks.left) == (64, 70, 0)


def test_version_1_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    root = plant(
        tmp_path,
        {
            "proc/self/cgroup": "8:pids:/\n4:cpu,memory:/docker/ab:c\n1:name=systemd:/\n0::/\n",
            f"{V2}/memory/memory.limit_in_bytes": V1_NONE,
            f"{V2}/memory/memory.usage_in_bytes": "1\n",
            f"{V2}/memory/docker/ab:c/memory.limit_in_bytes": "5000\n",
            f"{V2}/memory/docker/ab:c/memory.usage_in_bytes": "900\n",
            f"{V2}/memory/docker/ab:c/memory.stat": "inactive_file 1\ntotal_inactive_file 500\n",
            f"{V2}/memory.max": "7\n",
            f"{V2}/pids/pids.max": "max\n",
        },
    )
    assert memory_room(root) == Room(root / V2 / "memory/docker/ab:c/memory.limit_in_bytes", 5000, 400)
    assert tasks_room(root) is None


@pytest.mark.parametrize("path", ["/", "/docker/gone", "/../../other"])
def test_a_container_finds_its_own_group_at_the_top(tmp_path: Path, path: str) -> None:
    root = plant(
        tmp_path,
        {
            "proc/self/cgroup": f"0::{path}\n",
            f"{V2}/memory.max": "5000\n",
            f"{V2}/other/memory.max": "10\n",
            "sys/other/memory.max": "10\n",
        },
    )
    assert memory_room(root) == Room(root / V2 / "memory.max", 5000, 0)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": ""},
        {"proc/self/cgroup": "nonsense\n"},
        {"proc/self/cgroup": "1:name=systemd:/\n", f"{V2}/memory.max": "5\n"},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "0::/\n", f"{V2}/memory.max": "max\n"},
        {"proc/self/cgroup": "0::/\n", f"{V2}/memory.max": "\n"},
        {"proc/self/cgroup": "4:memory:/\n", f"{V2}/memory/memory.limit_in_bytes": V1_NONE},
    ],
)
def test_where_no_limit_is_read_there_is_none(tmp_path: Path, files: dict[str, str]) -> None:
    root = plant(tmp_path, files)
    assert (memory_room(root), tasks_room(root)) == (None, None)
