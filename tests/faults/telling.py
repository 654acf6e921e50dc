"""What a run says: one line for people, and a directory for whoever looks into it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from tests.faults.checking import Breach

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.faults.checking import Violation
    from tests.faults.run import Outcome, Plan

_SHOWN: Final = 3
"""How many violations of each kind a report shows; the traces have all."""


def head(plan: Plan) -> str:
    """Return which run it is, as it can be asked for again."""
    return f"seed {plan.seed} stage {plan.stage} faults {','.join(plan.kinds)}"


def line(outcome: Outcome) -> str:
    """Return what happened in a run and what was wrong, on one line."""
    records = outcome.records
    answered = sum(event.seq is not None for event in records.posted)
    heard = sum(len(segment.heard) for stream in records.streams for segment in stream.segments)
    connections = sum(len(stream.segments) for stream in records.streams)
    return (
        f"{head(outcome.plan)}: {len(outcome.plan.faults)} struck, "
        f"{answered} posts answered, {len(records.posted) - answered} unanswered, "
        f"{heard} events heard after {connections} statuses, {counted(outcome.violations)}"
    )


def counted(violations: Iterable[Violation]) -> str:
    """Return how many violations there are of each kind."""
    counts = Counter(violation.breach.value for violation in violations)
    return "no violation" if not counts else ", ".join(f"{count} {breach}" for breach, count in sorted(counts.items()))


def report(outcome: Outcome) -> str:
    """Return the line, the schedule, and the first violations: what a test says that fails."""
    lines = [line(outcome), *(f"  {fault}" for fault in outcome.plan.faults)]
    for breach in Breach:
        of_kind = [violation.what for violation in outcome.violations if violation.breach is breach]
        lines += [f"  {breach}: {what}" for what in of_kind[:_SHOWN]]
    return "\n".join(lines)


def keep(outcome: Outcome, directory: Path) -> None:
    """Write the report and all records to `directory`."""
    (directory / "report.txt").write_text(report(outcome) + "\n")
    (directory / "outcome.json").write_bytes(msgspec.json.format(msgspec.json.encode(outcome)))
