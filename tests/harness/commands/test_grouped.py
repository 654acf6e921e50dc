"""Options of a dataclass as options of a command."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from harness.commands.grouped import grouped


@dataclass(frozen=True, slots=True)
class Colour:
    red: Annotated[int, typer.Option("--red", min=0, help="How red.")] = 3
    names: Annotated[list[str] | None, typer.Option("--name", help="What it is called.")] = None


@dataclass(frozen=True, slots=True)
class Deep(Colour):
    depth: Annotated[float, typer.Option("--depth")] = 0.5


@grouped
def paint(*, wall: Annotated[str, typer.Argument(metavar="WALL")], deep: Deep, twice: bool = False) -> None:
    """Paint a wall."""
    typer.echo(f"{wall} {deep} {twice}")


def said(*words: str) -> str:
    app = typer.Typer()
    app.command()(paint)
    return CliRunner().invoke(app, words, env={"COLUMNS": "200"}).output


def test_a_command_gets_the_dataclass_of_what_was_given() -> None:
    assert said("south", "--red", "7", "--name", "a", "--name", "b", "--twice") == (
        f"south {Deep(red=7, names=['a', 'b'])} True\n"
    )
    assert said("south", "--depth", "2") == f"south {Deep(depth=2.0)} False\n"


def test_help_and_refusals_are_those_of_the_fields() -> None:
    shown = said("--help")
    assert "Paint a wall." in shown
    assert "How red." in shown
    assert shown.index("--red") < shown.index("--name") < shown.index("--depth") < shown.index("--twice")
    assert "--deep" not in shown
    assert "Invalid value for '--red'" in said("south", "--red", "-1")
