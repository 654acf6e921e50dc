"""The kernel's table of open files, whose size it tells (proc_pid_status(5), FDSize)."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys
from pathlib import Path
from stages.stage4.file_table import make_room

def table():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("FDSize:")]
    return int(line.split()[1]), len(os.listdir("/proc/self/fd"))

before = table()
make_room(0)
print(*before, *table())
"""


def test_there_is_room_for_as_many_files_as_may_be_open_and_none_is_used_up() -> None:
    """In a process of its own, since a table is never made smaller, and has few files."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3000, 3000))\n{PROGRAM}"
    run = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=True)
    size_before, files_before, size, files = map(int, run.stdout.split())
    assert size_before < 3000 <= size
    assert files == files_before
