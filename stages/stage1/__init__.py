"""Stage 1: tune the operating system and the VM (slide "Stage 1"; the talk measured N 4,000, C 4, ART 31 s).

Cause: the limits of the platform, not of the program, end the baseline: 1,024 open files are 1,000 fans.

* `open-files`: the soft limit goes up to what the hard one allows. It costs nothing but kernel memory for what is then
  open. It moves N, and nothing else.
* `sysctl`: the kernel's settings for many connections, as profiles in `sysctl/`. They belong to the machine, so
  the server applies none: it says at its start which ones are short, `harness tune apply` sets them and `restore` puts
  them back. They should move N (ports, TCP memory) and C (the kernel cuts a backlog to net.core.somaxconn).
* `vm`: uvloop instead of asyncio's loop, and a garbage collector that is told how this server allocates. It should
  move ART, and C with it.

Measured (2 cores, shared with the generator; without over with, in the scenarios that exercise a lesson: the course has
the intervals, `reports/results/ablation` all of it):

* without `open-files` a process ends at 1,024 files: of 1,400 fans 1,000 are served. In the staircase it is what moves
  N, once a backlog lets fans in.
* without `vm` ART is 1.3 (stage 3, 1,400 fans), and the p99 of the response 2.2 (stage 2.1, waves). Added alone to the
  baseline, ART is 0.7.
* `sysctl` sets nothing by itself. In namespaces with small buffers, where half of the fans does not read, the server
  holds 1.1 of the memory without the profile (stage 3; 1.4 in stage 2.1, of two runs): what the kernel does not take,
  the server keeps. A wave larger than four accept queues would be its other case; the generator here is too late with
  18,000 connects for that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from stages import stage0
from stages.stage0.parts import Lesson, layered
from stages.stage1.sysctl import CheckingServer
from stages.stage1.vm import TunedVm

if TYPE_CHECKING:
    from stages.stage0.parts import Parts

MOST_FILES: Final = 1_048_576
"""What a process may have open at most without touching fs.nr_open, whose default it is (proc(5))."""


def _open_files(parts: Parts) -> Parts:
    return replace(parts, open_files=MOST_FILES)


def _sysctl(parts: Parts) -> Parts:
    return replace(parts, server=layered(parts.server, CheckingServer))


def _vm(parts: Parts) -> Parts:
    return replace(parts, vm=TunedVm())


STAGE = stage0.STAGE.followed_by(
    "1",
    Lesson(name="open-files", teaches="as many open files as the hard limit allows", apply=_open_files),
    Lesson(name="sysctl", teaches="kernel settings for many connections: checked here, applied by hand", apply=_sysctl),
    Lesson(name="vm", teaches="uvloop, and a garbage collector that fits", apply=_vm),
)
