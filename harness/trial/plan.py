"""What a trial is to do, decided before anything is started."""

import secrets
from dataclasses import dataclass, field, replace

import msgspec

from harness.load.conduct import ONLY_WATCH, Conduct, backoff_of, planned
from harness.load.match import MatchPlan
from harness.load.workload import InvalidLoadError, Load
from harness.records.asked import Asked, AskedLoad, AskedTarget, Disturbances, Placement
from harness.targets.target import Target, show_address
from harness.trial.figures.slo import Slo


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """What to do. `match` is announced and played; None where the current match is watched, and nobody posts.

    For `hold_s` the fans are held, once all are settled, before anything is posted.

    `keeps_receipts`: each is kept, and not only counted, for who wants to look into them (`harness.trial.receipts`).

    `watches_loop`: the server is asked meanwhile how late its event loop is, if it has this project's API. Only
    `harness measure` does, whose chart shows it: a search, a staircase or an ablation would pay for what nobody reads.
    """

    load: Load
    slo: Slo
    match: MatchPlan | None
    answer_timeout_s: float = 60.0
    placement: Placement = field(default_factory=Placement)
    watches_loop: bool = False
    disturbances: Disturbances = field(default_factory=Disturbances)
    hold_s: float = 0.0
    keeps_receipts: bool = False


def trial_id() -> str:
    """Return a fresh name for a trial and what belongs to it: eight characters of 0-9 and a-f."""
    return secrets.token_hex(4)


def asked(plan: TrialPlan, target: Target) -> Asked:
    """Return what a trial is asked to do; before the target was started it has no addresses yet.

    Nor has its placement the kernel settings that are set for the trial.
    """
    variant = target.variant
    whom = AskedTarget(
        name=target.name,
        stage=None if variant is None else variant.stage,
        fans=show_address(target.endpoints),
        http=None if target.publisher is None else target.publisher.url,
        peer=target.peer,
    )
    if variant is not None:
        whom = msgspec.structs.replace(
            whom,
            with_lessons=variant.with_lessons,
            without_lessons=variant.without_lessons,
            nodes=variant.nodes,
            topology=variant.topology,
            workers=variant.workers,
            door=variant.door,
        )
    return Asked(
        target=whom,
        load=AskedLoad(n=plan.load.n, c=plan.load.c, interval_s=plan.load.interval_s),
        events=None if plan.match is None else plan.match.asked,
        slo=str(plan.slo),
        placement=plan.placement,
        disturbances=plan.disturbances,
        hold_s=plan.hold_s,
    )


def conduct_of(plan: TrialPlan) -> Conduct:
    """Return what the fans of a plan do besides watching. Raise InvalidLoadError for what they cannot do.

    It is done while events flow, until the one that ends the match, which waits for all who come. Fans who lose their
    connection connect again also where nobody posts.
    """
    asked = plan.disturbances
    if plan.match is None:
        if (
            asked.churn_per_s
            or asked.slow
            or asked.reset
            or asked.storm
            or asked.joining
            or asked.arrivals_during_events
        ):
            raise InvalidLoadError(
                "fans join, leave, break off and stop reading while events flow, and here nobody posts any: give the "
                "API with --http, or [publish] in a file that describes the server"
            )
        return replace(ONLY_WATCH, backoff=backoff_of(asked))
    if asked.arrivals_during_events and (asked.churn_per_s or asked.joining or asked.storm):
        option = "--churn" if asked.churn_per_s else "--joining" if asked.joining else "--storm"
        raise InvalidLoadError(
            f"with {option} fans come while events flow, as with --arrivals-during-events: give one of the two"
        )
    return planned(plan.load, asked, plan.match.posts[-1].due_s)
