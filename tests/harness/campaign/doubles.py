"""A bench on which nothing is started, for tests of what is run on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

import msgspec

from harness.campaign.bench import FULL_EFFORT, CampaignCircumstances, Conditions
from harness.campaign.plan import FixedLoad, MeasuredServer, Planned, PlannedSearch, PlannedTrial
from harness.campaign.run import Upcoming
from harness.records.asked import Asked, AskedEvents, AskedTarget, Placement
from harness.records.search import SearchResult
from harness.records.seen import Fans
from harness.records.trial import TrialResult, Validity
from harness.targets.stage import StageTarget
from harness.targets.variant import Variant
from harness.trial.figures.slo import parse_slo
from tests.harness.made_records import a_search
from tests.harness.results import a_machine, a_result, seen_by

LIGHT = FixedLoad(n=900, c=4, interval_s=0.025, events=20, rate_per_s=5.0)
HEAVY = FixedLoad(n=8_000, c=500, interval_s=0.25, events=20, rate_per_s=5.0)


AROUND = CampaignCircumstances(
    Conditions(parse_slo("failures=0"), FULL_EFFORT, Placement()), a_machine(), datetime(2026, 1, 2, tzinfo=UTC)
)


def a_server(stage: str) -> MeasuredServer:
    variant = Variant(stage)
    return MeasuredServer(f"stage-{stage}", variant.name, lambda: StageTarget(variant))


@cache
def _plain() -> TrialResult:
    """A result to be changed: its histograms are made once."""
    result = a_result()
    nobody = seen_by(Fans(asked=900, answered=900, served=900, failures={}))
    return msgspec.structs.replace(result, seen=msgspec.structs.replace(nobody, delivery=result.seen.delivery))


def a_trial_of(name: str = "stage 0", art_s: float = 0.002, served: int = 900, *, valid: bool = True) -> TrialResult:
    plain = _plain()
    art = plain.seen.response.art
    assert art is not None
    seen = msgspec.structs.replace(
        plain.seen,
        fans=Fans(asked=900, answered=served, served=served, failures={}),
        response=msgspec.structs.replace(plain.seen.response, art=msgspec.structs.replace(art, mean_s=art_s)),
    )
    return msgspec.structs.replace(
        plain,
        asked=Asked(
            target=AskedTarget(name=name, stage=None, fans=(), http=None),
            load=LIGHT.asked,
            events=AskedEvents(count=21, rate_per_s=5.0),
            slo="failures=0",
        ),
        seen=seen,
        validity=Validity(valid=valid, reasons=() if valid else ("the generator was late",)),
    )


@dataclass
class FakeBench:
    """Answers with `trials` and `searches` by file, or with something sensible; each takes a second of its clock."""

    there: Mapping[str, TrialResult | SearchResult] = field(default_factory=dict)
    raises: Mapping[str, BaseException] = field(default_factory=dict)
    art_s: Callable[[str], float] = lambda _: 0.002
    disturbances: tuple[str, ...] = ()
    made: list[str] = field(default_factory=list)
    hints: dict[str, float | None] = field(default_factory=dict)
    clock_s: float = 100.0

    def now(self) -> float:
        return self.clock_s

    def stored(self, planned: Planned) -> TrialResult | SearchResult | None:
        return self.there.get(planned.file)

    def trial(self, planned: PlannedTrial) -> TrialResult:
        self._make(planned)
        return a_trial_of(planned.server.name, self.art_s(planned.server.key))

    def search(self, planned: PlannedSearch, hint: float | None) -> SearchResult:
        self._make(planned)
        self.hints[planned.file] = hint
        asked = a_search().asked
        target = msgspec.structs.replace(asked.target, name=planned.server.name)
        asked = msgspec.structs.replace(asked, dimension=planned.dimension, target=target)
        return a_search(asked=asked, last_pass=1_500.0, first_fail=1_600.0)

    def wait_until_quiet(self) -> tuple[str, ...]:
        return self.disturbances

    def _make(self, planned: Planned) -> None:
        self.made.append(planned.file)
        self.clock_s += 1.0
        if planned.file in self.raises:
            raise self.raises[planned.file]


@dataclass
class Told:
    """What a reporter was told."""

    announced: list[Upcoming] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def begin(self, upcoming: Upcoming) -> None:
        self.announced.append(upcoming)

    def say(self, line: str) -> None:
        self.lines.append(line)
