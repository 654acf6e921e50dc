"""`matchstream config`: which settings there are, a file to begin with, and what `serve` would make of one.

What `config check` refuses is what `serve` would refuse, since it goes the same way up to where anything is started:
it is the same function, called by another command (`Check`).
"""

from __future__ import annotations

import os
import re
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from common.domain.script import ScriptError
from common.durations import DurationError
from common.http.token import TOKEN_VARIABLE
from common.store.errors import RedisUrlError
from common.terminal import harmless
from stages.catalogue import UnknownStageError
from stages.lessons import LessonError
from stages.redis_url import without_password
from stages.settings import (
    CONFIG_VARIABLE,
    TOKEN,
    ConfigError,
    ConfigFile,
    fault_of,
    name_of,
    read_config,
    settable,
    settings_of,
    show_value,
    unknown_variables,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PREFIX: Final = "MATCHSTREAM"
_FILE: Final = "config file"
"""Where a context keeps the file that was read for it."""
_WRONG: Final = "wrong"
"""Where it keeps what is wrong besides."""
_HIDDEN: Final = "(is not shown)"

_HEAD: Final = """\
# What a server is to do: matchstream serve --config FILE. All that can be set stands here, commented out, with its
# default where it has one. A flag wins over a variable of the environment, and that over this file.
# matchstream config check FILE says what is wrong in it, by line, and what would run."""

app = typer.Typer(help="What can be set, and what is set: by flags, variables, a file.", no_args_is_help=True)


def _load(context: typer.Context, path: Path | None) -> Path | None:
    """Have a command take from a file what neither a flag nor a variable says; refuse one in which anything is wrong.

    The file is one for `serve`; another command takes from it what it has, too.
    """
    wrong: list[str] = list(context.meta.get(_WRONG, ()))
    if path is not None:
        try:
            found = read_config(path, _of_serve(context), context)
        except ConfigError as error:
            wrong.extend(error.lines)
        else:
            context.meta[_FILE] = found
            options = settable(context.command.params)
            values = {options[name].name: entry.value for name, entry in found.entries.items() if name in options}
            context.default_map = {**(context.default_map or {}), **values}
    for line in wrong:
        _say(line)
    if wrong:
        raise typer.Exit(2)
    return path


Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", is_eager=True, callback=_load, help="A file of settings (TOML): see matchstream config init."
    ),
]


class Check(TyperCommand):
    """`serve`, up to where it would start anything: then it says what would be started, and who says so."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        for number, option in enumerate(self.params):
            if isinstance(option, TyperOption) and option.name == "config":
                self.params[number] = TyperArgument(
                    param_decls=[option.name],
                    type_descriptor=option.type_descriptor,
                    callback=option.callback,
                    metavar="FILE",
                    is_eager=True,
                    envvar=CONFIG_VARIABLE,
                    help="The file of settings (TOML).",
                )

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Say of all settings what is wrong, and not only of the first."""
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        wrong = []
        for name, option in settable(self.params).items():
            value, said_by = given.get(option.name), f"--{name}"
            if value is None:
                value, said_by = option.value_from_envvar(ctx), str(option.envvar)
            if value is not None and (fault := fault_of(option, value, ctx)):
                wrong.append(f"{said_by}: {fault}")
        ctx.meta[_WRONG] = wrong
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> None:
        """Refuse what `serve` would refuse, or print what it would run."""
        super().invoke(ctx)
        _show(ctx)


def config_file(context: typer.Context) -> ConfigFile | None:
    """Return the file that a command was given, if it was."""
    found = context.meta.get(_FILE)
    return found if isinstance(found, ConfigFile) else None


class Source(IntEnum):
    """Who says what a setting is; the greater one wins."""

    DEFAULT = 0
    FILE = 1
    VARIABLE = 2
    FLAG = 3


def source_of(context: typer.Context, parameter: str) -> Source:
    """Return who says what a parameter of the command is."""
    source = context.get_parameter_source(parameter)
    return Source.DEFAULT if source is None else _SOURCES.get(source.name, Source.DEFAULT)


_SOURCES: Final = MappingProxyType(
    {"COMMANDLINE": Source.FLAG, "ENVIRONMENT": Source.VARIABLE, "DEFAULT_MAP": Source.FILE}
)
"""By how Typer calls them."""


def told_where(context: typer.Context, error: Exception) -> str:
    """Return `FILE:LINE: ` where what a user can mend is about a setting that a file decides, else nothing.

    It is about those that its message names by their flags, or else about what errors of its kind are about.
    """
    found = config_file(context)
    if found is None:
        return ""
    kind = next((names for kind, names in _ABOUT.items() if isinstance(error, kind)), ())
    options = settable(context.command.params)
    for name in (*re.findall(r"--([a-z][a-z-]*)", str(error)), *kind):
        if name in options and source_of(context, options[name].name) is Source.FILE:
            return f"{found.where(name)}: "
    return ""


_ABOUT: Final = MappingProxyType(
    {
        DurationError: ("grace",),
        LessonError: ("with", "without"),
        RedisUrlError: ("join", "redis"),
        ScriptError: ("play",),
        UnknownStageError: ("stage",),
    }
)
"""What these errors are about where their message does not name it."""


@app.command(name="settings")
def settings_command(context: typer.Context) -> None:
    """List all settings of a server: name in a file, flag, variable, unit, default, and what each does.

    A flag wins over a variable, that over the file, and that over the default. A variable that is empty is none; in one
    a list is what stands between blanks, and a flag is 1 or 0.
    """
    table = _table("setting", "takes, by default", "what it does")
    for one in settings_of(_of_serve(context)):
        names = [one.name, *([f"--{one.name}"] if one.has_flag else []), one.variable]
        table.add_row("\n  ".join(names), f"{one.takes}\n  {one.default or '-'}", one.does)
    _console().print(table)


@app.command(name="init")
def init_command(context: typer.Context) -> None:
    """Print a file of settings to begin with: all that can be set, commented out, with its default."""
    typer.echo(_HEAD)
    for one in settings_of(_of_serve(context)):
        names = ", ".join([*([f"--{one.name}"] if one.has_flag else []), one.variable])
        typer.echo(f"\n# {one.does}\n# {one.takes}; by default {one.default or 'nothing'} ({names})")
        typer.echo(f"#{one.name} = {one.in_toml}".rstrip())


def _show(context: typer.Context) -> None:
    """Print what each setting is, and who says so; what is no setting of anybody is said on standard error."""
    found = config_file(context)
    defaults = {one.name: one.default for one in settings_of(context.command.params)}
    table = _table("setting", "value", "from")
    for option in context.command.params:
        if not isinstance(option, TyperOption):
            continue
        source, value = source_of(context, option.name), context.params[option.name]
        if source or not option.hidden:
            shown = show_value(without_password(value) if isinstance(value, str) else value)
            shown = defaults.get(name_of(option), "") if value is None else shown
            table.add_row(name_of(option), shown or "-", _from(option, source, found))
    table.add_row(TOKEN, _HIDDEN, _from_of_token(found))
    _console().print(table)
    typer.echo(
        "No fault was found. Ports, Redis and open files are not looked at before it starts (matchstream doctor)."
    )
    for line in unknown_variables(os.environ, _variables(context.find_root().command), _PREFIX):
        _say(line)


def _from(option: TyperOption, source: Source, found: ConfigFile | None) -> str:
    if source is Source.FILE and found is not None:
        return found.where(name_of(option))
    return {Source.FLAG: f"--{name_of(option)}", Source.VARIABLE: str(option.envvar)}.get(source, "default")


def _from_of_token(found: ConfigFile | None) -> str:
    if os.environ.get(TOKEN_VARIABLE):
        return TOKEN_VARIABLE
    return found.where(TOKEN) if found and found.token else "made at the start"


def _variables(group: object) -> Iterator[str]:
    """Give the variables of all commands of a group, and those that no option has."""
    yield from (TOKEN_VARIABLE, CONFIG_VARIABLE)
    for command in group.commands.values() if isinstance(group, TyperGroup) else ():
        if isinstance(command, TyperGroup):
            yield from _variables(command)
        yield from (str(option.envvar) for option in command.params if option.envvar)


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def _of_serve(context: typer.Context) -> Sequence[object]:
    """Return the parameters of the command whose options are the settings."""
    return cast("TyperGroup", context.find_root().command).commands["serve"].params


def _say(line: str) -> None:
    typer.echo(f"matchstream: {harmless(line)}", err=True)
