"""The commands that show what is stored: `harness table` and `harness draw`."""

import csv
import io
import signal
from pathlib import Path

import msgspec
import pytest

from harness.cli import main
from harness.records.files import write
from harness.records.trial import TrialResult, Validity
from tests.harness.made_records import HEAVY, a_comparison, a_floor, a_search, a_staircase, an_ablation
from tests.harness.results import a_result


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


@pytest.fixture
def stored(tmp_path: Path) -> list[str]:
    records = {
        "trial": a_result(),
        "search": a_search(),
        "staircase": a_staircase(),
        "ablation": an_ablation(),
        "comparison": a_comparison(),
    }
    for name, record in records.items():
        write(tmp_path / f"{name}.json", record)
    return [str(tmp_path / f"{name}.json") for name in records]


def test_a_table_of_every_kind(stored: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", *stored]) == 0
    assert "Limits under" in capsys.readouterr().out
    assert main(["table", "--markdown", *stored]) == 0
    assert "| stage 2.3 | ≥ 19,900 |" in capsys.readouterr().out


@pytest.mark.parametrize("how", [(), ("--markdown",), ("--csv",)])
def test_what_somebody_wrote_into_a_result_is_shown_harmlessly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: tuple[str, ...]
) -> None:
    asked = msgspec.structs.replace(a_result().asked.target, name="\x1b[2J\u202egnp")
    write(tmp_path / "evil.json", a_result(asked=msgspec.structs.replace(a_result().asked, target=asked)))
    assert main(["table", *how, str(tmp_path / "evil.json")]) == 0
    shown = capsys.readouterr().out
    assert r"\x1b" in shown
    assert all(line.isprintable() for line in shown.splitlines())


def test_csv_says_of_each_row_from_which_file_it_is(
    stored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", "--csv", *stored]) == 0
    printed = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert {row["file"] for row in rows} == set(stored)
    assert main(["table", "--csv", *stored, "--out", str(tmp_path / "all.csv")]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "all.csv").read_text() == printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--csv", "--markdown"), "not both"),
        (("--out", "x"), "--out goes with"),
        (("--csv", "--out", "/no/such/directory/x.csv"), "choose another --out"),
    ],
)
def test_a_table_that_cannot_be_given(
    words: tuple[str, ...], says: str, stored: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", *stored, *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert says in captured.err


def test_every_kind_is_drawn(stored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "charts"
    assert main(["draw", *stored, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    names = {path.name for path in out.iterdir()}
    assert {"trial.png", "trial-over-time.png", "search.png", "staircase.png", "comparison.png"} <= names
    assert {"ablation-art.png", "ablation-served.png", "ablation-memory.png"} <= names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in out.iterdir())
    assert f"chart: {out / 'staircase.png'}\n  N went from 1,000 at stage 0" in printed


def the_floor(**changes: object) -> TrialResult:
    result = a_result(**changes)
    return msgspec.structs.replace(result, asked=msgspec.structs.replace(result.asked, target=a_floor()))


@pytest.mark.slow
def test_the_floor_is_drawn_too(stored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "floor.json", the_floor())
    write(tmp_path / "other.json", a_result())
    out = tmp_path / "charts"
    words = ["draw", stored[0], str(tmp_path / "other.json"), "--floor", str(tmp_path / "floor.json")]
    assert main([*words, "--out", str(out)]) == 0
    assert "; the floor (the floor): " in capsys.readouterr().out
    assert not (out / "floor.png").exists()  # it stands beside the others and has no chart of its own


def test_what_is_no_floor_of_the_results_is_one_line(
    stored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far = msgspec.structs.replace(the_floor().asked, load=HEAVY)
    asked = msgspec.structs.replace(a_search().asked, target=a_floor(), dimension="C")
    floors = {
        "invalid": the_floor(validity=Validity(valid=False, reasons=("late",))),
        "far": the_floor(asked=far),
        "searched": a_search(asked=asked),
    }
    for name, floor in floors.items():
        write(tmp_path / f"{name}.json", floor)
    for file, says in (
        (stored[0], "is no valid trial and no search of the floor"),
        (str(tmp_path / "invalid.json"), "is no valid trial and no search of the floor"),
        (str(tmp_path / "far.json"), "was measured at N = 8,000, C = 500 every 0.25 s, and none of the results was"),
        (str(tmp_path / "searched.json"), "was measured in a search for C under failures=0,p99<1s, and none"),
    ):
        assert main(["draw", *stored[:2], "--floor", file, "--out", str(tmp_path / "x")]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert says in captured.err
    assert not (tmp_path / "x").exists()


def test_what_cannot_be_drawn_is_one_line(
    stored: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.json").write_text('{"schema": "x"}')
    for words, says in (
        ([str(tmp_path / "other.json")], "is no result of this harness"),
        ([stored[1], "--out", "/dev/null/x"], "choose another --out"),
        ([stored[1], stored[1], "--out", str(tmp_path)], "two charts would be called search.png"),
        ([stored[1], "--out", str(tmp_path / "search.json")], "choose another --out"),
    ):
        assert main(["draw", *words]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert says in captured.err
