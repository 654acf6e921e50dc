"""The whole chain, from the order of the trials to the verdicts, on servers of which one knows what is true.

A made-up machine has noise of 5 to 20 % and drifts slowly; whole ablations are run on it, by the code that runs the
real ones. Two promises are kept: an interval holds the true ratio as often as it says, and what is the same is not
called better or worse. With the percentile bootstrap of three against three, the reference always first, neither is.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest

from harness.campaign.ablation import Outline, Subject, ablation, outline
from harness.campaign.findings import Findings
from harness.campaign.plan import PlannedTrial
from harness.campaign.scenarios import chosen
from harness.campaign.verdicts import is_a_change
from harness.records.campaign import Ratio
from tests.harness.campaign.doubles import AROUND
from tests.harness.made_records import a_measurement, a_target

TRUE = {
    "backlog": 1.0,
    "vm": 1.0,
    "reply-later": 1.25,
    "hibernate": 1.0,
    "delayed-init": 0.8,
    "logging": 2.0,
    "registered-names": 1.0,
    "match-groups": 1.0,
}
SUBJECT = Subject({"0": (), "2.1": tuple(TRUE)}, tuple(TRUE))
CAMPAIGNS = 150


@dataclass
class Tally:
    """How often an interval held what is true, and how often a verdict was on nothing, or on the opposite."""

    covered: list[bool] = field(default_factory=list)
    false: list[bool] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)

    def add(self, ratio: Ratio, truth: float) -> None:
        assert ratio.value is not None
        assert ratio.low is not None
        assert ratio.high is not None
        self.covered.append(ratio.low <= truth <= ratio.high)
        if truth == 1.0:
            self.false.append(is_a_change(ratio))
        else:
            self.seen.append(ratio.judgement == ("worse" if truth > 1 else "better"))


def measured(plan: Outline, noise: dict[str, float], drift: float, rng: np.random.Generator) -> Findings:
    """Return what a machine would find that gets slower by `drift` from the first trial to the last."""
    findings, planned = Findings(), plan.plan
    for place, trial in enumerate(planned):
        assert isinstance(trial, PlannedTrial)
        key = trial.server.key
        truth = next((value for lesson, value in TRUE.items() if key.endswith(f"without-{lesson}")), 1.0)
        art_s = 0.1 * truth * (1 + drift * place / len(planned)) * np.exp(rng.normal(0, noise[key]))
        findings.trials[trial.file] = a_measurement(float(art_s), served=trial.load.n)
        findings.targets[key] = a_target("2.1")
    return findings


def tallied(campaigns: int, *, one_noise: bool) -> Tally:
    rng, tally = np.random.default_rng(2012), Tally()
    for number in range(campaigns):
        plan = outline(SUBJECT, chosen(["waves"]), 5, seed=number)
        keys = {planned.server.key for planned in plan.plan}
        common = float(rng.uniform(0.05, 0.2))
        noise = {key: common if one_noise else float(rng.uniform(0.05, 0.2)) for key in sorted(keys)}
        found = ablation(plan, measured(plan, noise, float(rng.uniform(-0.1, 0.1)), rng), AROUND, "done")
        for worth in found.lessons:
            if worth.change == "left out":
                (ratio,) = (ratio for ratio in worth.ratios if ratio.figure == "art")
                tally.add(ratio, TRUE[worth.lesson])
        for reference in found.references:
            (ratio,) = (ratio for ratio in reference.ratios if ratio.figure == "art")
            tally.add(ratio, 1.0)
    return tally


@pytest.mark.parametrize("one_noise", [True, False], ids=["one noise", "noise of each its own"])
def test_intervals_hold_what_is_true_and_what_is_the_same_is_not_called_a_change(*, one_noise: bool) -> None:
    tally = tallied(CAMPAIGNS, one_noise=one_noise)
    assert np.mean(tally.covered) >= 0.94
    assert np.mean(tally.false) <= 0.05
    assert np.mean(tally.seen) >= 0.6  # always a doubling, and a quarter more where the noise is small
