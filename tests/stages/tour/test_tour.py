"""`matchstream tour`, with an answering reader, and as a script."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import msgspec
import pytest
import typer

from stages.tour import tourist
from stages.tour.course import load_course
from stages.tour.tourist import take_tour
from stages.tour.trial import Trial, TrialFailedError, command, measured
from tests.stages.refusals import refused
from tests.stages.serving import environment, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STEPS = [step.lesson for step in load_course()]
RESULT = b"""{
  "seen": {"fans": {"asked": 400, "served": %d}, "response": {"art": {"mean_s": 0.0125}}, "delivery": null},
  "server": {"memory_per_connection_bytes": 2048.0}, "bound": {"name": "accept queue", "evidence": "it was full"}
}"""


class Answers(io.StringIO):
    """Standard input, as a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Have nothing measured: without its lesson a server serves 100 fans, with it 400. Give what was to be."""
    asked: list[str] = []

    def pretend(server: Sequence[str], load: Sequence[str]) -> Trial:
        asked.append(" ".join(command(server, load)))
        return msgspec.json.decode(RESULT % (100 if len(asked) % 2 else 400), type=Trial)

    monkeypatch.setattr(tourist, "measured", pretend)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return asked


def answer(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", Answers("".join(f"{line}\n" for line in lines)))


def test_a_step_is_seen_named_read_foretold_and_seen_again(
    measuring: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "7", "3", "many", "1,000")
    take_tour(begin=None, only="backlog", asks=True)
    said = capsys.readouterr().out
    assert measuring == [
        f"harness measure --stage 1 {more}-N 400 -C 100 --events 3 --timeout 5" for more in ("", "--with backlog ")
    ]
    assert said.index("    $ harness measure --stage 1 -N") < said.index("What is the cause?") < said.index("Yes.\n")
    assert "'7' is none of them" in said
    assert "The harness says: accept queue: it was full." in said
    assert re.search(r"Read \(stages/stage2_1/backlog.py:\d+\):\n\n    class BurstListener\(Listener\):", said)
    assert "'many' is no number" in said
    assert "How many fans are served: 100 without, 400 with it; you said 1,000." in said
    assert "Your own server" not in said


def test_a_wrong_answer_is_told(
    measuring: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "1", "")
    take_tour(begin=None, only="backlog", asks=True)
    said = capsys.readouterr().out
    assert "It is 3.\n" in said
    assert "How many fans are served: 100 without, 400 with it." in said
    assert len(measuring) == 2


def test_it_goes_on_where_it_was_left_and_begins_anew_when_it_is_over(
    measuring: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "1", "", "")  # the second step asks, and nobody answers any more
    with pytest.raises(typer.Abort):
        take_tour(begin=None, only=None, asks=True)
    assert [words.split(" -N ")[0] for words in measuring] == [
        "harness measure --stage 0",
        "harness measure --stage 0 --with open-files",
        "harness measure --stage 1",
    ]
    measuring.clear()
    answer(monkeypatch, *(("1", "", "") * len(STEPS)))
    take_tour(begin=None, only=None, asks=True)
    assert measuring[0].startswith("harness measure --stage 1 -N")
    assert len(measuring) == 2 * (len(STEPS) - 1)
    assert "    harness doctor my.toml" in capsys.readouterr().out
    assert tourist.read_bookmark() is None


def test_as_a_script_it_asks_nothing_and_keeps_no_place(
    measuring: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    take_tour(begin="logging", only=None, asks=False)
    assert len(measuring) == 2 * (len(STEPS) - STEPS.index("logging"))
    said = capsys.readouterr().out
    assert "\nIt is 2. To make a line and to write it takes" in said
    assert tourist.read_bookmark() is None


def test_a_trial_that_cannot_be_made_is_told_in_the_words_of_the_harness() -> None:
    with pytest.raises(TrialFailedError, match=r"^harness: .*there is no stage '9'"):
        measured(["--stage", "9"], ["-N", "1", "-C", "1"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "the tour asks, and standard input is no terminal: give --yes to have it as a script"),
        (("--yes", "--only", "vm"), "the tour has no step 'vm': give one of open-files,"),
        (("--yes", "--only", "backlog", "--from", "backlog"), "give --from or --only, not both"),
    ],
)
def test_bad_input_is_one_line_and_status_2(words: tuple[str, ...], says: str) -> None:
    assert refused("tour", *words).startswith(f"matchstream: {says}")


@pytest.mark.slow
def test_a_step_with_its_real_trials(tmp_path: Path) -> None:
    done = run(environment(tmp_path), "tour", "--yes", "--only", "redis-pool")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.count("of 1,000 fans served; what bound first:") == 2
