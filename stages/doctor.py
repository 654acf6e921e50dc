"""`matchstream doctor`: how many fans this machine can hold with a stage, and what bounds that first.

Here is what a stage needs; `common.tuning.diagnosis` has the rules. Limits are those of this process, so it is asked
where the server is to run, and before: what runs already, clients on this machine too, has its part of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.listening import range_from
from common.tuning.ceilings import Needs
from common.tuning.diagnosis import diagnose
from common.tuning.host_limits import read_advice, read_host_limits
from stages import stage3
from stages.stage0.server import NoNodesError
from stages.stage3.nodes import NODES
from stages.stage4.workers import workers_for

if TYPE_CHECKING:
    from common.tuning.ceilings import Diagnosis
    from stages.stage0.parts import Stage

FAN_BYTES: Final = 8_200
HIBERNATED_FAN_BYTES: Final = 4_600
"""Of the server and its Redis at rest, in the stages without and with the lesson `hibernate`: about the most that
reports/results/stages has (7,500 to 8,400 and 4,100 to 4,550, and 100 of Redis)."""
PLANE_FAN_BYTES: Final = 300
"""With `fd-plane`: 70, and 150 of Redis, with 8,000 fans of stage 4."""
KERNEL_BYTES: Final = 4_400
"""Of the kernel, for the server's end of a connection: its socket, file and epoll entry take some 3,700 while nothing
was ever sent; half of what both ends have after two events is 2,700 to 4,800 (likewise, from 4,000 fans on)."""

_OTHER_FILES: Final = 14
"""Of a process, beside listeners and connections to Redis: standard streams, and what its event loop has open."""
_REDIS_CONNECTIONS: Final = 12
"""As many as were open after waves, however many there may be (reports/results/stages, `fullest_open_files`). A Redis
that is far away has a pool open more."""
_MIB: Final = 2**20
_PROCESS_BYTES: Final = 60 * _MIB
_WORKER_BYTES: Final = 8 * _MIB
_REDIS_BYTES: Final = 10 * _MIB
_TASKS: Final = 2
_REDIS_TASKS: Final = 5


def needs_of(stage: Stage, nodes: int | None = None, workers: int | None = None, expected: int | None = None) -> Needs:
    """Return what a stage needs with so many nodes, and workers in each; None: as many as it starts by itself.

    That may depend on how many fans are expected. Raise NoNodesError.
    """
    parts, has_nodes = stage.parts, stage.has("nodes")
    there = (nodes or (1 if stage.has("workers") else NODES)) if has_nodes else 1
    if nodes not in {None, there}:
        raise NoNodesError(
            f"stage {stage.name} is one process: leave --nodes out, or name a stage with the lesson nodes"
        )
    if stage.has("workers") and workers != 0:
        return _needs_with_workers(stage, there, workers_for(workers, expected or 0, there, parts.open_files))
    processes = there
    parents = 1 if processes > 1 else 0
    redis = min(parts.redis_connections, _REDIS_CONNECTIONS)
    return Needs(
        processes=processes,
        open_files=parts.open_files,
        own_files=_OTHER_FILES + parts.fan_listeners + parts.http_listeners + redis,
        fan_bytes=_fan_bytes(stage) + KERNEL_BYTES,
        standing_bytes=(processes + parents) * _PROCESS_BYTES + _REDIS_BYTES,
        tasks=_TASKS,
        other_tasks=parents * _TASKS + _REDIS_TASKS,
        ports=processes * parts.fan_listeners,
        backlog=parts.backlog,
        more_open_files=_learning(stage, "open-files"),
        more_backlog=_learning(stage, "backlog"),
        more_processes=f"matchstream serve --stage {stage.name if has_nodes else stage3.STAGE.name} --nodes",
        spread=None if has_nodes else needs_of(stage3.STAGE),
    )


def _needs_with_workers(stage: Stage, nodes: int, workers: int) -> Needs:
    """Return what a stage needs whose fans are in workers, beside whom each node has itself and its zygote."""
    parts = stage.parts
    processes, others = nodes * workers, 2 * nodes
    return Needs(
        processes=processes,
        open_files=parts.open_files,
        own_files=_OTHER_FILES + parts.fan_listeners,
        fan_bytes=_fan_bytes(stage) + KERNEL_BYTES,
        standing_bytes=processes * _WORKER_BYTES + others * _PROCESS_BYTES + _REDIS_BYTES,
        tasks=_TASKS,
        other_tasks=others * _TASKS + _REDIS_TASKS,
        ports=nodes * parts.fan_listeners,
        backlog=parts.backlog,
        more_open_files=_learning(stage, "open-files"),
        more_backlog=_learning(stage, "backlog"),
        more_processes=f"matchstream serve --stage {stage.name} --workers",
    )


def examine(  # noqa: PLR0913  # what a server is told that its limits depend on
    stage: Stage,
    *,
    nodes: int | None,
    workers: int | None = None,
    port: int,
    http_port: int,
    expected: int | None,
    root: Path = Path("/"),
) -> tuple[Needs, Diagnosis]:
    """Return what a stage needs, and what this machine is for it. Raise NoNodesError, CannotListenError."""
    needs, parts = needs_of(stage, nodes, workers, expected), stage.parts
    listeners = [
        range_from(first, needs.ports // parts.fan_listeners * count)
        for first, count in ((port, parts.fan_listeners), (http_port, parts.http_listeners))
        if first  # else the server finds a range that no client is given
    ]
    host, advice = read_host_limits(root), read_advice(root)
    return needs, diagnose(host, needs, advice, expected=expected, listeners=listeners)


def as_json(stage: Stage, needs: Needs, found: Diagnosis) -> str:
    """Return all of it as JSON."""
    document: dict[str, Any] = {
        "stage": stage.name,
        "processes": needs.processes,
        "expected": found.expected,
        "holds": found.holds,
        "bound_first": found.first.name,
        "met": found.is_met,
        "ceilings": found.ceilings,
        "warnings": found.warnings,
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def show(stage: Stage, needs: Needs, found: Diagnosis) -> None:
    """Print it for people: a table, the lines that raise what is in it, and whether who is expected fits."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    processes = "1 process" if needs.processes == 1 else f"{needs.processes:,} processes"
    first = found.first
    console.print(
        f"stage {stage.name}, {processes}: room for {found.holds:,} fans; bound first: {first.name}", style="bold"
    )
    console.print(_table(found), soft_wrap=False)
    changes = [ceiling for ceiling in found.ceilings if ceiling.change]
    if changes:
        console.print("What raises it, each line by itself (as root, or in [Service] of a systemd unit):")
    for ceiling in changes:
        for number, line in enumerate(ceiling.change):
            console.print(f"  {ceiling.name + ':' if number == 0 else '':32} {line}")
    if first.reason:
        console.print(f"{first.name}: {first.reason}")
    for warning in found.warnings:
        console.print(f"CAREFUL: {warning}", style="yellow")
    if found.expected is not None:
        _show_verdict(console, found, found.expected)


def warning_of(found: Diagnosis) -> str:
    """Return in one line that who is expected does not fit, and what to do."""
    first = found.first
    return (
        f"{found.expected:,} fans expected, room for {found.holds:,} (bound first: {first.name}); "
        f"to raise it: {', or '.join(first.change)} (matchstream doctor has the rest)"
    )


def _show_verdict(console: Console, found: Diagnosis, expected: int) -> None:
    short = [one.name for one in found.ceilings if one.is_below(expected)]
    if short:
        console.print(f"SHORT of {expected:,} expected: {', '.join(short)}", style="bold red")
    else:
        console.print(f"MET: {expected:,} expected", style="bold green")


def _table(found: Diagnosis) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("limit", "allows"):
        table.add_column(name, overflow="fold")
    for ceiling in found.ceilings:
        is_first = ceiling is found.first
        style = "" if not is_first else "bold" if found.is_met else "bold red"
        allows = "-" if ceiling.allows is None else f"{ceiling.allows:,} {ceiling.counts}"
        table.add_row(
            Text.assemble((ceiling.name, style), f"\n  {ceiling.now}"),
            Text(f"{allows}\n  bound first" if is_first else allows, style),
        )
    return table


def _fan_bytes(stage: Stage) -> int:
    if stage.has("fd-plane"):
        return PLANE_FAN_BYTES
    return HIBERNATED_FAN_BYTES if stage.has("hibernate") else FAN_BYTES


def _learning(stage: Stage, lesson: str) -> str:
    """Return how a stage is served with a lesson; empty if it has learned it."""
    if stage.has(lesson):
        return ""
    return f"matchstream serve --stage {stage.name}" + ("" if lesson in stage.left_out else f" --with {lesson}")
