"""`matchstream lessons NAME`: the page of one lesson."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest
from typer.testing import CliRunner

from harness.records.directory import ResultsDirectory
from harness.records.files import write
from stages import cli
from stages.catalogue import LESSONS, STAGES
from stages.elsewhere import load_elsewhere
from stages.worth import RESULTS
from stages.worth.ablations import summaries_in
from tests.harness.campaign.doubles import a_trial_of
from tests.harness.made_records import a_ratio, a_worth, an_ablation
from tests.harness.results import a_machine, a_server
from tests.stages.refusals import refused

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = [lesson.name for lesson in LESSONS]
SOURCE: Final = re.compile(r"https://\S+|[\w ]+, src/\S+ \(\S+\)")


def page(*arguments: str) -> dict[str, str]:
    """Return what is printed, by the titles of its sections, each in one line; the first is called `title`."""
    ended = CliRunner().invoke(cli.app, ["lessons", *arguments])
    assert (ended.exit_code, ended.stderr) == (0, "")
    title, *sections = ended.stdout.split("\n\n")
    split = (section.partition("\n") for section in sections)
    return {"title": title, **{name: " ".join(text.split()) for name, _, text in split}}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a directory with a directory in which two lessons were measured, as the harness writes it."""
    worths = (
        a_worth("backlog", scenario=None, stage="1", ratios=(), measured=None),
        a_worth(
            "backlog",
            stage="2.1",
            ratios=(
                a_ratio("fanout", 1.01, judgement="no change seen"),
                a_ratio("served", 0.5, judgement="worse"),
                msgspec.structs.replace(a_ratio("response_p99", None), judgement="fails"),
                a_ratio("art", None),
            ),
        ),
        a_worth("backlog", "added", refused="a reason"),
        a_worth("vm", ratios=(a_ratio("art", None),)),
    )
    (tmp_path / "ablation").mkdir()
    write(tmp_path / "ablation" / "ablation.json", an_ablation(lessons=worths))
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_has_its_page(name: str, results: Path) -> None:
    shown = page(name, "--results", str(results))
    stage = next(stage for stage in STAGES.values() if stage.has(name))
    assert shown["title"].startswith(f"{name}: ")
    assert shown["in the talk"].startswith(f"Stage {stage.name}: ")
    assert shown["cause"]
    assert shown["lesson"]
    paths = re.findall(r"stages/[\w/]+\.py", shown["in the code"])
    assert len(paths) >= 2
    assert all((ROOT / path).is_file() for path in paths)
    assert len(shown["in the code"].split()) > 10  # what it puts into the table


def test_the_page_is_gathered_from_the_docstring_of_the_stage(results: Path) -> None:
    shown = page("user-managers", "--results", str(results))
    assert '(slide "Simple one for one supervisors"; ' in shown["in the talk"]
    assert shown["cause"].startswith("One process starts, and buries, all users")
    assert shown["lesson"].startswith("A hierarchy. Each of the two supervisors has 20 managers")
    assert "user_sup: UserManagers, in stages/stage2_4/managers.py" in shown["in the code"]
    assert shown["in words"].startswith("What they are for is a day on which something crashes.")
    assert "PartitionSupervisor" in shown["elsewhere"]


def test_what_is_said_of_one_lesson_is_not_said_of_its_neighbour(results: Path) -> None:
    shown = page("redis-pool", "--results", str(results))
    assert shown["in words"].startswith("Without `redis-pool`, Redis 2 ms away, ")
    assert "listeners" not in shown["in words"] + shown["lesson"]
    assert "redis_connections: 200" in shown["in the code"]
    assert "backlog: " not in shown["in the code"]


def test_a_lesson_says_without_which_it_makes_no_sense(results: Path) -> None:
    assert (
        "Makes no sense without fd-plane: there is no plane of fans."
        in page("drain", "--results", str(results))["lesson"]
    )


def test_its_worth_is_read_from_what_the_harness_writes(results: Path) -> None:
    shown = page("backlog", "--results", str(results))
    assert shown["exercised by"].startswith("waves (")
    assert shown["worth here"].startswith(
        "left out of stage 2.1, waves: worse: served \N{MULTIPLICATION SIGN}0.5 [0.47, 0.53]; infinite: response p99; "
        "no change seen: fanout "
        "added to stage 0, few: not by itself, for a reason not exercised: left out of stage 1 (Ratios, "
    )
    assert page("backlog", "--results", str(results / "ablation")) == shown


def test_what_a_door_costs_is_read_from_trials_beside_other_ways_to_watch(results: Path) -> None:
    kept = ResultsDirectory(results / "peers", a_machine())
    ways = (
        ("stage 4, by websocket", {"stage": "4", "door": "websocket"}, 0.020),
        ("stage 4, by websocket", {"stage": "4", "door": "websocket"}, 0.030),
        ("stage 4", {"stage": "4"}, 0.010),
        ("stage 4, 2 nodes", {"stage": "4", "nodes": 2}, 0.001),
        ("nginx with nchan", {"peer": "nchan"}, 0.123),
        ("Redis", {"peer": "redis"}, 0.001),
        ("invalid", {"stage": "4", "door": "websocket"}, 9.0),
    )
    for number, (name, what, art_s) in enumerate(ways):
        trial = a_trial_of(name, art_s, valid=name != "invalid")
        target = msgspec.structs.replace(trial.asked.target, **what)
        asked = msgspec.structs.replace(trial.asked, target=target)
        server = msgspec.structs.replace(a_server(), memory_per_connection_bytes=1500)
        kept.keep(f"trial-{number}", msgspec.structs.replace(trial, asked=asked, server=server))
    shown = page("websocket", "--results", str(results))["costs here"]
    first, *others = shown.split("; memory a fan 1,500 B ")
    assert first.startswith("by websocket: ART 25.0 ms (20.0 to 30.0); an event to each fan ")
    assert first.endswith(", to the last 45.0 ms")
    assert [other.partition(";")[0] for other in others] == [
        "as text: ART 10.0 ms",
        "nginx with nchan: ART 123 ms",
        "(Means of the runs of make lab-peers, and from where to where they reach",
    ]
    assert "costs here" not in page("event-source", "--results", str(results))


def test_what_was_not_measured_is_said_to_be_so(results: Path) -> None:
    assert page("vm", "--results", str(results))["worth here"].startswith("left out of stage 2.5, waves: not measured")
    assert page("drain", "--results", str(results))["exercised by"].startswith("no scenario that was run")


def test_without_a_checkout_it_says_that_no_results_are_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "RESULTS", tmp_path / "reports" / "results")
    assert "no results are here" in page("backlog")["exercised by, and worth here"]


@pytest.mark.skipif(not summaries_in(RESULTS), reason="needs results: make lab report")
def test_the_results_of_this_checkout_are_read() -> None:
    told = {name: page(name) for name in NAMES}
    measured = {name: shown["worth here"] for name, shown in told.items() if "worth here" in shown}
    assert set(told) - set(measured) <= {"event-source", "websocket"}  # which are younger than the results
    assert any("worse: " in worth for worth in measured.values())


def test_a_name_that_is_none_is_refused_with_the_nearest() -> None:
    assert refused("lessons", "backlok") == (
        "matchstream: there is no lesson 'backlok'; the nearest is backlog (matchstream lessons lists all)"
    )
    assert "the nearest is " in refused("lessons", "")


@pytest.mark.parametrize("option", ["--stage", "--parts"])
def test_one_lesson_and_those_of_a_stage_are_not_told_at_once(option: str) -> None:
    assert "give NAME, or --stage or --parts" in refused("lessons", "backlog", option, "1")


def test_a_directory_without_results_is_refused(tmp_path: Path) -> None:
    assert "harness ablate --out" in refused("lessons", "backlog", "--results", str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "matchstream-lab/ablation/1", "lessons": []}', b"\xff"])
def test_what_is_no_summary_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ablation.json").write_bytes(content)
    assert "is no summary of harness ablate" in refused("lessons", "backlog", "--results", str(tmp_path))


def test_what_somebody_wrote_into_results_is_shown_harmlessly(tmp_path: Path) -> None:
    write(tmp_path / "ablation.json", an_ablation(lessons=(a_worth("backlog", scenario="\x1b[2J"),)))
    assert r"\x1b" in page("backlog", "--results", str(tmp_path))["worth here"]


def test_what_a_lesson_is_called_elsewhere_has_a_source() -> None:
    table = load_elsewhere()
    assert set(table) <= set(NAMES)
    for found in table.values():
        named = [*found.named()]
        assert named
        assert all(SOURCE.match(name.source) and name.says for _, name in named)
