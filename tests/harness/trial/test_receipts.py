"""What every fan saw, kept by choice; the same figures are made of it as of what is counted."""

from pathlib import Path

import numpy as np
import psutil
import pytest

from harness.load.match import synthetic_match
from harness.load.samples import Outcome
from harness.load.workload import Load
from harness.trial.figures.slo import parse_slo
from harness.trial.plan import TrialPlan
from harness.trial.receipts import TooManyReceiptsError, check_room
from tests.harness.fake import fake_server
from tests.harness.results import load_result
from tests.harness.test_cli import FEW, SMALL, at, run


def plan(n: int, events: int) -> TrialPlan:
    return TrialPlan(Load(n, 1), parse_slo("failures=0"), synthetic_match("match", events, 5.0))


def test_every_receipt_is_kept_and_counts_as_ever(tmp_path: Path) -> None:
    raw = tmp_path / "raw.npz"
    with fake_server("0") as server:
        words = (*SMALL, *FEW, *at(server), "--out", str(tmp_path), "--raw", str(raw), "--slo", "failures=0,lost=0")
        done = run("measure", *words, MATCHSTREAM_TOKEN=server.token)
    assert done.stderr.startswith("--raw: some ")
    (stored,) = tmp_path.glob("*.json")
    result = load_result(stored)
    assert result.verdict.met
    assert result.seen.delivery is not None
    with np.load(raw) as kept:
        assert kept["receipt_fan"].size == result.seen.delivery.received == 6 * 3
        assert set(kept["receipt_number"].tolist()) == {1, 2, 3}
        assert kept["answered_s"].size == 6
        assert kept["outcomes"][kept["outcome"][0]] in {Outcome.ENDED.name.lower(), Outcome.HELD.name.lower()}
        assert np.all(kept["receipt_s"] >= kept["answered_s"][kept["receipt_fan"]])


def test_more_than_fits_is_refused_beforehand() -> None:
    assert check_room(plan(10, 10)) < check_room(plan(10, 1000)) < 10**7
    with pytest.raises(TooManyReceiptsError, match=r"--raw needs some .* more than half of the .* that are free"):
        check_room(plan(psutil.virtual_memory().total // 1000, 1000))


def test_a_place_that_takes_no_files_is_refused_first(tmp_path: Path) -> None:
    done = run("measure", *SMALL, "--stage", "0", "--out", str(tmp_path), "--raw", "/proc/raw.npz")
    assert done.returncode == 2
    assert done.stderr.endswith("choose another --raw\n")
