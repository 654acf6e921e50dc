"""`python -m tests.faults`: many runs, by hand. A line a run; exits with 1 if the server broke its word in any.

    python -m tests.faults --minutes 30 --stages 0,2.5,3,4 [--faults stop,kill,rollback,cut] [--seed N] [--seconds 10]

What a run with violations recorded is kept in a directory of its own in `--traces`. The same seed strikes in the same
way again, though not to the microsecond.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from stages.catalogue import STAGES
from tests.faults.faults import Kind, possible
from tests.faults.run import Plan, run
from tests.faults.telling import head, keep, line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def main(arguments: Sequence[str]) -> int:
    """Do runs until the time is up, one of each stage at least; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for stage in options.stages:
        if not possible(stage, options.faults):
            parser.error(f"none of {','.join(options.faults)} can strike stage {stage}: leave it out, or add a fault")
    first = random.randrange(1_000_000) if options.seed is None else options.seed  # noqa: S311  # nothing secret
    until_s = time.monotonic() + 60 * options.minutes
    clean: list[bool] = []
    status = 0
    try:
        for plan in _plans(first, options):
            if len(clean) >= len(options.stages) and time.monotonic() > until_s:
                break
            clean.append(_is_clean(plan, options.traces))
    except KeyboardInterrupt:
        status = 130
    _say(f"{len(clean)} runs from seed {first} on, {clean.count(False)} with violations")
    return status or int(not all(clean))


def _plans(first: int, options: argparse.Namespace) -> Iterator[Plan]:
    for seed in itertools.count(first):
        for stage in options.stages:
            yield Plan(seed, stage, tuple(options.faults), options.seconds)


def _is_clean(plan: Plan, traces: Path) -> bool:
    """Do a run and tell of it; keep its traces unless nothing was wrong."""
    directory = traces / f"{plan.seed}-stage-{plan.stage}"
    shutil.rmtree(directory, ignore_errors=True)  # of the same run, done before
    directory.mkdir(parents=True)
    try:
        outcome = asyncio.run(run(plan, directory))
    except Exception:  # this run has failed, and the next one may tell more
        _say(f"{head(plan)}: could not be brought to its end, see {directory}")
        (directory / "failure.txt").write_text(traceback.format_exc())
        return False
    _say(line(outcome))
    if outcome.violations:
        keep(outcome, directory)
        return False
    shutil.rmtree(directory)
    return True


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.faults", description="Hold the server's promises against faults.")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="go on for so long; one run of each stage by default"
    )
    parser.add_argument("--stages", type=_stages, default=["0", "2.5", "3", "4"], help="which, e.g. 0,2.5,3,4")
    parser.add_argument("--faults", type=_kinds, default=list(Kind), help=f"some of {','.join(Kind)}; all by default")
    parser.add_argument("--seed", type=int, help="the first seed; the next run of each stage has the next one")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long faults fall in a run")
    parser.add_argument("--traces", type=Path, default=Path("out/faults"), help="where runs with violations are kept")
    return parser


def _stages(words: str) -> list[str]:
    if unknown := [word for word in words.split(",") if word not in STAGES]:
        raise argparse.ArgumentTypeError(f"there is no stage {unknown[0]!r}: say some of {', '.join(STAGES)}")
    return words.split(",")


def _kinds(words: str) -> list[Kind]:
    try:
        return [Kind(word) for word in words.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}: say some of {', '.join(Kind)}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
