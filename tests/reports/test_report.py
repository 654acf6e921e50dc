"""The notebooks, executed on made-up results in a copy of their own, and the page that is made of them."""

import json
import re
import shutil
import signal
import sys
from pathlib import Path

import msgspec
import nbformat
import pytest

from harness.cli import main
from harness.commands.report import NOTEBOOKS
from harness.records.asked import AskedLoad
from harness.records.files import ResultError, write
from harness.records.trial import TrialResult
from harness.show.report.execute import execute, store
from harness.show.report.page import Part
from tests.harness.made_records import a_search, a_staircase, an_ablation
from tests.harness.results import a_delivery, a_result, a_server, seen_by, some_fans

SOURCES = Path(__file__).parents[2] / "reports"


def measured(name: str, stage: str | None, peer: str | None = None, n: int = 900) -> TrialResult:
    result = a_result(
        seen=seen_by(some_fans(n), delivery=a_delivery(n)), server=a_server(memory_per_connection_bytes=4_000.0 + n)
    )
    target = msgspec.structs.replace(result.asked.target, name=name, stage=stage, peer=peer)
    asked = msgspec.structs.replace(result.asked, target=target, load=AskedLoad(n=n, c=30, interval_s=0.25))
    return msgspec.structs.replace(result, asked=asked)


def fill(results: Path) -> None:
    """Store what a whole lab leaves behind."""
    for name in ("staircase", "ablation", "ablation-4", "peers", "stages", "microscope"):
        (results / name).mkdir(parents=True)
    write(results / "staircase" / "staircase.json", a_staircase())
    write(results / "staircase" / "stage-0-n.json", a_search())
    for name in ("ablation", "ablation-4"):
        write(results / name / "ablation.json", an_ablation())
    for stage in ("2.1", "2.5"):
        write(results / "staircase" / f"stage-{stage}-1.json", measured(f"stage {stage}", stage))
        write(results / "stages" / f"stage-{stage}.json", measured(f"stage {stage}", stage, n=1_000))
    for name, stage, peer in (("stage 2.5", "2.5", None), ("Redis 7", None, "redis"), ("a bare loop", None, "floor")):
        write(results / "peers" / f"{name}.json", measured(name, stage, peer))
    write(results / "microscope" / "whole.json", measured("stage 2.5", "2.5", n=1_000))
    write(results / "stages" / "floor.json", measured("a bare loop", None, "floor", n=1_000))


def copied(directory: Path) -> Path:
    directory.mkdir()
    for name in NOTEBOOKS:
        shutil.copy(SOURCES / f"{name}.py", directory)
    return directory


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebooks' directory after one execution of all of them; the page is beside it."""
    directory = copied(tmp_path_factory.mktemp("report") / "reports")
    fill(directory / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal, "signal", lambda *_: None)
        assert main(["report", "--notebooks", str(directory), "--out", str(directory.parent / "new" / "r.html")]) == 0
    return directory


def outputs(path: Path) -> list[dict[str, object]]:
    cells = json.loads(path.read_text())["cells"]
    return [output["data"] for cell in cells for output in cell.get("outputs", ())]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "charts", "says"),
    [
        ("staircase", 4, "N went from 1,000 at stage 0"),
        ("lessons", 2, "without backlog in waves only 12% served"),
        ("microscope", 3, "The busiest of the generator's processes (1)"),
        ("microscope", 3, "; a bare loop (the floor): "),
        ("peers", 4, "; a bare loop (the floor): "),
    ],
)
def test_a_notebook_shows_its_charts_each_with_its_finding(lab: Path, name: str, charts: int, says: str) -> None:
    shown = outputs(lab / f"{name}.ipynb")
    pictures = [index for index, data in enumerate(shown) if "image/png" in data]
    assert len(pictures) == charts
    for index in pictures:
        assert "".join(shown[index + 1]["text/markdown"]).startswith("**")  # type: ignore[arg-type]
    text = "".join("".join(data.get("text/markdown", "")) for data in shown)  # type: ignore[arg-type]
    assert says in text
    assert "Nothing is stored" not in text


@pytest.mark.slow
def test_a_notebook_says_nothing_of_when_or_where_it_was_executed(lab: Path) -> None:
    for name in NOTEBOOKS:
        stored = json.loads((lab / f"{name}.ipynb").read_text())
        assert set(stored["metadata"]) == {"kernelspec"}
        assert [cell["id"] for cell in stored["cells"]] == [f"{name}-{at}" for at in range(1, len(stored["cells"]) + 1)]
        assert all("execution" not in cell["metadata"] for cell in stored["cells"])
        assert str(lab) not in json.dumps(stored)


@pytest.mark.slow
def test_the_page_has_all_notebooks_and_needs_no_network(lab: Path) -> None:
    page = (lab.parent / "new" / "r.html").read_text()
    sections = re.findall(r'<section id="(\w+)">', page)
    assert tuple(sections) == NOTEBOOKS
    for name, title in zip(NOTEBOOKS, ("The staircase", "What each lesson is worth"), strict=False):
        assert f'<a href="#{name}">{title}</a>' in page
    assert page.count('src="data:image/png;base64,') == 13
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!data:|#)', page)
    assert not re.findall(r"<script|@import|url\(", page)
    assert "read_trials" not in page  # the text and the charts, not the code
    assert "<table" in page


@pytest.mark.slow
def test_where_nothing_is_stored_the_notebooks_say_what_makes_it(tmp_path: Path) -> None:
    directory = copied(tmp_path / "reports")
    shown = {name: "".join(str(data) for data in outputs_of(directory, name)) for name in ("staircase", "peers")}
    assert "make lab-staircase" in shown["staircase"]
    assert "make lab-peers" in shown["peers"]


def outputs_of(directory: Path, name: str) -> list[object]:
    notebook = execute(directory / f"{name}.py")
    return [output.data for cell in notebook.cells for output in cell.get("outputs", ())]


@pytest.mark.slow
def test_a_cell_that_fails_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = copied(tmp_path / "reports")
    (directory / "results" / "staircase").mkdir(parents=True)
    (directory / "results" / "staircase" / "staircase.json").write_text('{"schema": "matchstream-lab/staircase/7"}')
    assert main(["report", "--notebooks", str(directory), "--out", str(tmp_path / "r.html")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "staircase.py: a cell failed: ResultError: results/staircase/staircase.json: has schema" in said
    assert not (tmp_path / "r.html").exists()


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--notebooks", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "staircase.py: is not there" in said


def test_a_report_without_its_packages_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "jupytext"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "jupytext", None)
    monkeypatch.delitem(sys.modules, "harness.show.report.execute", raising=False)
    assert main(["report"]) == 2
    assert capsys.readouterr().err == ("harness: a report needs jupytext: pip install 'matchstream-lab[report]'\n")


@pytest.mark.slow
def test_a_notebook_or_page_that_cannot_be_written_says_so(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = nbformat.read(lab / "peers.ipynb", as_version=4)
    with pytest.raises(ResultError, match="cannot be written"):
        store(notebook, tmp_path / "none" / "x.ipynb")
    monkeypatch.setattr("harness.show.report.execute.execute", lambda script: notebook)
    directory = copied(tmp_path / "reports")
    assert main(["report", "--notebooks", str(directory), "--out", "/dev/null/r.html"]) == 2
    assert "choose another --out" in capsys.readouterr().err


@pytest.mark.slow
def test_a_part_without_a_heading_has_its_name(lab: Path) -> None:
    notebook = nbformat.read(lab / "peers.ipynb", as_version=4)
    assert Part("peers", notebook).title == "Against the others"
    notebook.cells = notebook.cells[1:]
    assert Part("peers", notebook).title == "peers"
