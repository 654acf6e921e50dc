"""Options from the environment: each has a variable, which `--help` names, and so does what is said of a bad value."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import typer
from typer.core import TyperGroup, TyperOption
from typer.testing import CliRunner

from common.command_line import without_variables
from harness.cli import app as harness
from harness.cli import main as harness_main
from stages.cli import app as matchstream

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = {"MATCHSTREAM": matchstream, "HARNESS": harness}


def commands(group: object, *words: str) -> Iterator[tuple[tuple[str, ...], list[TyperOption]]]:
    """Give the options of each command, and the words that call it."""
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, *words, name)
        else:
            yield (*words, name), [option for option in command.params if isinstance(option, TyperOption)]


@pytest.mark.parametrize("prefix", PROGRAMS)
def test_every_option_has_a_variable_of_its_own_and_help_names_it(prefix: str) -> None:
    for words, options in commands(typer.main.get_command(PROGRAMS[prefix])):
        shown = CliRunner().invoke(PROGRAMS[prefix], [*words, "--help"], env={"COLUMNS": "300"}).stdout
        variables = [option.envvar for option in options]
        assert all(isinstance(name, str) and name.startswith(f"{prefix}_") for name in variables), words
        assert max(Counter(variables).values(), default=1) == 1, words
        told = [option.envvar for option in options if not option.hidden]
        assert [name for name in told if str(name) not in shown] == [], words


def test_common_options_have_plain_names() -> None:
    names = {option.envvar for _, options in commands(typer.main.get_command(matchstream)) for option in options}
    wanted = ("STAGE", "HOST", "PORT", "HTTP_PORT", "REDIS", "JOIN", "NODES", "WITH", "WITHOUT", "PLAY", "LOOP", "URL")
    assert {f"MATCHSTREAM_{name}" for name in wanted} <= names


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MATCHSTREAM_PORT", "many"),
        ("MATCHSTREAM_HTTP_PORT", "70000"),
        ("MATCHSTREAM_LOOP", "maybe"),
        ("MATCHSTREAM_TOPOLOGY", "ring"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    refused = CliRunner().invoke(matchstream, ["serve", "--stage", "0"], env={variable: value, "COLUMNS": "300"})
    assert refused.exit_code == 2
    assert f"(env var: '{variable}')" in refused.stderr


def test_what_is_given_wins_and_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATCHSTREAM_STAGE", "1")
    assert CliRunner().invoke(matchstream, ["lessons"]).stdout.startswith("open-files ")
    assert CliRunner().invoke(matchstream, ["lessons", "--stage", "0"]).stdout == ""
    monkeypatch.setenv("MATCHSTREAM_STAGE", "")
    assert CliRunner().invoke(matchstream, ["lessons"]).stdout.startswith("1 ")


def test_the_harness_has_a_variable_for_each_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARNESS_SEARCH_N", "none")  # another command's
    monkeypatch.setenv("HARNESS_MEASURE_N", "many")
    assert harness_main(["measure", "--stage", "0"]) == 2
    assert "(env var: 'HARNESS_MEASURE_N')" in capsys.readouterr().err


def test_a_program_that_is_started_has_none_of_ours() -> None:
    environ = {"MATCHSTREAM_PORT": "1", "MATCHSTREAMS": "2", "PATH": "3"}
    assert without_variables(environ, "MATCHSTREAM") == {"MATCHSTREAMS": "2", "PATH": "3"}
