"""Stage 1: tune the operating system and the VM (slide "Stage 1"; the talk measured N 4,000, C 4, ART 31 s).

Cause: the limits of the platform, not of the program, end the baseline: 1,024 open files are 1,000 fans.

* `open-files`: the soft limit goes up to what the hard one allows. It costs nothing but kernel memory for what is then
  open. It moves N, and nothing else.
* `sysctl`: the kernel's settings for many connections, as profiles in `sysctl/`. They belong to the machine, so the
  server applies none: it says at its start which ones are short, `harness tune apply` sets them and `restore` puts
  them back. They should move N (ports, TCP memory) and C (the kernel cuts a backlog to net.core.somaxconn).
* `vm`: uvloop instead of asyncio's loop, and a garbage collector that is told how this server allocates. It should
  move ART, and C with it.

Measured (2 cores, the generator on the same machine; `reports/results`): N 4,000, C 4 every 25 ms: all served, ART 1.7
ms. What each is worth, by leaving it out of stage 2.5 at N 8,000, C 1,000 every 250 ms (`reports/results/ablation`,
three runs each; ratios, without over with, and their 95 % intervals; N and C by one search each, as intervals, where
stage 2.5 has N 19,739-21,526 and C 10,623-11,093, and another search of the same may differ by a tenth):

* without `open-files` 1,000 of 8,000 are served; a process ends at 1,024 files: N 975-1,065, C 998-1,042. In the
  staircase it is what moves N: from 900 to 16,000 in this stage, and to 19,300, all files that are allowed, once a
  backlog lets them in.
* without `vm` ART is 1.80 [1.67, 1.92], an event takes 1.27 [1.14, 1.43], a connection 1.07 of the memory, and C
  is 6,392-6,814. Added alone to the baseline: ART 0.76 [0.73, 0.81].
* without `sysctl` nothing changes: ART 0.93 [0.83, 1.01]. As a lesson it sets nothing by itself, and with the
  kernel's defaults a wave of 1,000 fits into accept queues of 4,096; the settings are there for larger waves.
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
