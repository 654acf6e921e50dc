"""What a run says can be asked for again, names what is wrong, and is kept whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.faults.__main__ import main
from tests.faults.checking import check
from tests.faults.faults import Kind
from tests.faults.run import Outcome, Plan
from tests.faults.telling import keep, report
from tests.faults.test_checking import GOOD, stored_as

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.records import Records

PLAN = Plan(7, "3", (Kind.STOP, Kind.CUT), 10.0)


def outcome(records: Records) -> Outcome:
    return Outcome(PLAN, records, tuple(check(records)))


def test_a_report_has_the_seed_the_faults_and_what_is_wrong(tmp_path: Path) -> None:
    bad = outcome(stored_as("start", "one", "two", "three", "four", "stop", "never", "never"))
    keep(bad, tmp_path)
    lines = (tmp_path / "report.txt").read_text().splitlines()
    assert lines[0].startswith("seed 7 stage 3 faults stop,cut: ")
    assert "6 posts answered, 1 unanswered" in lines[0]
    assert lines[0].endswith("1 doubled")
    assert lines[1:-1] == [f"  {fault}" for fault in PLAN.faults]
    assert lines[-1] == "  doubled: never is stored 2 times, as [7, 8]"
    kept = msgspec.json.decode((tmp_path / "outcome.json").read_bytes())
    assert len(kept["records"]["posted"]) == len(bad.records.posted)


def test_a_report_of_a_clean_run_says_so() -> None:
    assert report(outcome(GOOD)).splitlines()[0].endswith("13 events heard after 6 statuses, no violation")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--faults", "cut", "--stages", "0"], "none of cut can strike stage 0"),
        (["--faults", "flood"], "say some of stop, kill, rollback, cut"),
        (["--stages", "9"], "there is no stage '9'"),
    ],
)
def test_what_cannot_be_run_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
