"""What both commands have: each of their options can come from a variable of the environment, too.

A variable is for what is the same at every start (a container's settings), and for what must not stand on a command
line, which everyone on the machine can read (ps(1)). An option that is given wins over its variable; one that is set to
nothing counts as not set; a list is what stands between blanks; a flag is 1 or 0. `--help` names them, and so does what
is said of a value that makes no sense.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typer.core import TyperGroup, TyperOption

if TYPE_CHECKING:
    from collections.abc import Mapping


class Commands(TyperGroup):
    """The commands of a program: a subclass says how the variables of their options are called."""

    prefix: ClassVar[str]
    """What every variable begins with, without the `_` behind it."""
    by_command: ClassVar[bool]
    """Whether the command comes next: where an option has another meaning in another command, it has to."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        _name_variables(self, self.prefix, by_command=self.by_command)


def without_variables(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the environment for a program of ours that is to have the options it is given, and no others."""
    return {name: value for name, value in environ.items() if not name.startswith(f"{prefix}_")}


def _name_variables(group: TyperGroup, prefix: str, *, by_command: bool) -> None:
    for name, command in group.commands.items():
        its_prefix = f"{prefix}_{_upper(name)}" if by_command else prefix
        if isinstance(command, TyperGroup):
            _name_variables(command, its_prefix, by_command=by_command)
        for option in command.params:
            if isinstance(option, TyperOption) and not option.is_eager:
                option.envvar = f"{its_prefix}_{_upper(max(option.opts, key=len))}"


def _upper(name: str) -> str:
    return name.lstrip("-").replace("-", "_").upper()
