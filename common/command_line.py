"""What the two command lines have in common: variables, their version, and one line for what was typed wrongly.

Each of their options can come from a variable of the environment, too. A variable is for what is the same at every
start (a container's settings), and for what must not stand on a command line, which everyone on the machine can read
(ps(1)). An option that is given wins over its variable; one that is set to nothing counts as not set; a list is what
stands between blanks; a flag is 1 or 0. `--help` names them, and so does what is said of a value that makes no sense.
"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperGroup, TyperOption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Commands(TyperGroup):
    """The commands of a program: a subclass says how the variables of their options are called."""

    prefix: ClassVar[str]
    """What every variable begins with, without the `_` behind it."""
    by_command: ClassVar[bool]
    """Whether the command comes next: where an option has another meaning in another command, it has to."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        _name_variables(self, self.prefix, by_command=self.by_command)


def show_version(name: str) -> Callable[[bool], None]:
    """Return what `--version` calls: it prints the version of the command `name` and ends it."""

    def show(wanted: bool) -> None:
        if wanted:
            typer.echo(f"{name} {importlib.metadata.version('matchstream-lab')}")
            raise typer.Exit

    return show


def run_app(app: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (that of the process if None) of the program `name`; return its exit status.

    What cannot be understood is said in one line on standard error that names the help to look at, and gives 2.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        status = app(args=words, standalone_mode=False)
    except typer.TyperException as error:
        if message := " ".join(error.format_message().split()):
            typer.echo(f"{name}: {message.rstrip('.')} (see {_command(app, name, words)} --help)", err=True)
        return 2  # without a command it showed its help
    return status if isinstance(status, int) else 0


def without_variables(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the environment for a program of ours that is to have the options it is given, and no others."""
    return {name: value for name, value in environ.items() if not name.startswith(f"{prefix}_")}


def _command(app: typer.Typer, name: str, words: Sequence[str]) -> str:
    """Return the name of the command that `words` begin with, as far as there is one; an error does not always know."""
    commands = getattr(typer.main.get_command(app), "commands", {})
    for word in words:
        if word not in commands:
            break
        name, commands = f"{name} {word}", getattr(commands[word], "commands", {})
    return name


def _name_variables(group: TyperGroup, prefix: str, *, by_command: bool) -> None:
    for name, command in group.commands.items():
        its_prefix = f"{prefix}_{_upper(name)}" if by_command else prefix
        if isinstance(command, TyperGroup):
            _name_variables(command, its_prefix, by_command=by_command)
        for option in command.params:
            if isinstance(option, TyperOption):
                option.envvar = f"{its_prefix}_{_upper(max(option.opts, key=len))}"


def _upper(name: str) -> str:
    return name.lstrip("-").replace("-", "_").upper()
