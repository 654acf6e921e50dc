"""The commands that show what is stored: `harness table` and `harness draw`."""

import csv
import io
import signal
from pathlib import Path

import pytest

from harness.cli import main
from harness.stored import write
from tests.harness.records import a_comparison, a_search, a_staircase, an_ablation
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
