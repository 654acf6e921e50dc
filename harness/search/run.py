"""Makes the trials of a search, one after the other, each with a server that was just started, and keeps them.

The result is written after every trial, as that of an interrupted search: so it is one if nothing more is written.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import psutil

from common.tuning.open_files import OpenFiles
from harness.errors import HarnessError
from harness.records.machine import describe_machine
from harness.records.search import SearchResult, SearchTrial, State
from harness.search.capacity import check_room, likely_room
from harness.search.decide import Try, bracket, next_trial
from harness.search.plan import MANY_PER_S, SearchPlan, asked_of, connections, rules_of, schedule_s, trial_of
from harness.search.roles import Measurer, SearchJournal, SearchWatcher
from harness.search.summary import Frame, outcomes_of, search_trial, summarise
from harness.targets.target import Target


class SearchError(HarnessError):
    """The search cannot be made as it was asked; the message says what to change."""


def run_search(
    plan: SearchPlan,
    measurer: Measurer,
    watcher: SearchWatcher,
    journal: SearchJournal,
    clock: Callable[[], float] = time.monotonic,
) -> SearchResult:
    """Search, and return what was found; every trial has a target of its own.

    A search that the journal holds, for the same and on the same machine, and that did not come to its end, goes on
    from there. Ctrl-C is passed on when what is known is written. Raise HarnessError where the search or one of its
    trials cannot be made; the trials before it are kept. `clock` tells the time that the budget runs by, in seconds.
    """
    began = clock()
    first = measurer.target()
    _check(plan, first)
    frame, trials = _begin(plan, first, watcher, journal)
    rules = rules_of(plan, frame.asked.ceiling)

    def save(state: State) -> SearchResult:
        result = summarise(frame, trials, state)
        journal.save(result)
        return result

    while (step := next_trial(rules, outcomes_of(trials))) is not None:
        target = measurer.target()
        left_s = None if plan.budget_s is None else began + plan.budget_s - clock()
        if left_s is not None and expected_s(plan, step, trials, publishes=target.publishes) > left_s:
            return save("out of budget")
        watcher.trying(step, bracket(outcomes_of(trials), rules.majority), len(trials))
        try:
            made_at = clock()
            result = measurer.measure(trial_of(plan, step, publishes=target.publishes), target, watcher)
            trials.append(search_trial(plan.dimension, step, result, clock() - made_at))
        except KeyboardInterrupt:
            save("interrupted")
            raise
        save("interrupted")
    return save("done")


def expected_s(plan: SearchPlan, step: Try, trials: Sequence[SearchTrial], *, publishes: bool) -> float:
    """Return how long a trial may take: by its schedule, and as long beyond it as the worst of those before."""
    made = ((Try(trial.level, trial.kind), trial.took_s) for trial in trials)
    beyond_s = (took_s - schedule_s(trial_of(plan, earlier, publishes=publishes)) for earlier, took_s in made)
    return schedule_s(trial_of(plan, step, publishes=publishes)) + max(beyond_s, default=0.0)


def _begin(
    plan: SearchPlan, target: Target, watcher: SearchWatcher, journal: SearchJournal
) -> tuple[Frame, list[SearchTrial]]:
    """Return what is searched, and the trials that were made already."""
    wanted = Frame(asked_of(plan, target, _ceiling(plan)), describe_machine(), datetime.now(UTC))
    earlier = journal.earlier()
    if earlier is None or earlier.state == "done" or not earlier.trials:
        return wanted, []
    # How long it may take, and how much memory was free at the time, does not change what is searched for.
    ceiling = earlier.asked.ceiling if plan.ceiling is None else wanted.asked.ceiling
    asked = msgspec.structs.replace(wanted.asked, ceiling=ceiling)
    same = asked == msgspec.structs.replace(earlier.asked, budget_s=plan.budget_s)
    if not same or earlier.machine != wanted.machine:
        watcher.note(f"{journal.path}: was another search, or on another machine or version: this one begins anew")
        return wanted, []
    watcher.note(f"{journal.path}: going on after {len(earlier.trials)} trials (--fresh begins anew)")
    return Frame(asked, earlier.machine, earlier.started_at), list(earlier.trials)


def _ceiling(plan: SearchPlan) -> float:
    if plan.ceiling is not None:
        return plan.ceiling
    if plan.dimension == "rate":
        return MANY_PER_S
    return float(max(1, likely_room(psutil.virtual_memory().available) // plan.waves))


def _check(plan: SearchPlan, target: Target) -> None:
    """Raise HarnessError for a search that cannot be made."""
    if not target.publishes and (plan.dimension == "rate" or plan.soak_s > 0):
        raise SearchError(
            f"a search for the rate, and a soak, need events, which cannot be posted to {target.name}: "
            "give the API with --http, or [publish] in a file that describes the server"
        )
    ceiling = _ceiling(plan)
    if plan.floor > ceiling:
        raise SearchError(f"the floor {plan.floor:,g} is above the ceiling {ceiling:,g}: use a lower --floor")
    room, files = psutil.virtual_memory().available, OpenFiles.read().hard
    check_room("the floor", connections(plan, plan.floor), room, files)
    if plan.ceiling is not None:
        check_room("the ceiling", connections(plan, plan.ceiling), room, files)
