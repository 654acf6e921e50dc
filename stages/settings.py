"""The settings of `matchstream serve`: made from its options, so that a file, the environment and a flag mean the same.

A setting has its flag's name (`--http-port`: `http-port = 8888`). What is given by a flag wins over a variable, that
over the file, and that over the default. The file is as strict as TOML: a number is written without quotes, a name
(a stage is one) in quotes. Paths in it are as the flag's are: from where the server is started.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import typer
from typer.core import TyperOption

from common.config_file import ConfigFileError, Entry, Fault, nearest, parse, read_text
from common.http.token import TOKEN_VARIABLE, TokenError, check_token
from stages.redis_url import shows_password

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

CONFIG_VARIABLE: Final = "MATCHSTREAM_CONFIG"
TOKEN: Final = "token"  # noqa: S105  # its name
_CONFIG: Final = "config"
_DEFAULT_TOLD: Final = "  [default: "
"""How the help of an option says what becomes of it where it is not given, if that is no fixed value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What can be set, and how."""

    name: str
    """As a file has it; the flag is `--` and this, if there is one."""
    variable: str
    takes: str
    """Its unit, the words that it may be, or what kind it is of."""
    default: str
    """As a variable would have it, or in words; empty if there is none."""
    in_toml: str
    """The default as a file has it; empty if there is none, or only in words."""
    does: str
    has_flag: bool = True


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file that was read, and nothing is wrong in it."""

    path: Path
    entries: Mapping[str, Entry] = field(repr=False)  # they may hold the token

    @property
    def token(self) -> str | None:
        """The reporter's, if the file has it."""
        return str(self.entries[TOKEN].value) if TOKEN in self.entries else None

    def where(self, name: str) -> str:
        """Return `FILE:LINE` of a setting that the file has."""
        return f"{self.path}:{self.entries[name].line}"


class ConfigError(Exception):
    """A file of settings cannot be used: `lines` say of each fault what to do, with the file and the line."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def name_of(option: TyperOption) -> str:
    """Return the name that a setting has in a file: its flag, without what every flag begins with."""
    return max(option.opts, key=len).removeprefix("--")


def settable(parameters: Iterable[object]) -> dict[str, TyperOption]:
    """Return by name the options among the parameters of a command that are settings, in their order."""
    options = {name_of(one): one for one in parameters if isinstance(one, TyperOption) and not one.hidden}
    options.pop(_CONFIG, None)
    return options


def settings_of(parameters: Iterable[object]) -> Iterator[Setting]:
    """Give all settings among the parameters of a command, and the token at their end."""
    for name, option in settable(parameters).items():
        does, _, told = (option.help or "").partition(_DEFAULT_TOLD)
        yield Setting(
            name, str(option.envvar), _takes(option), told.removesuffix("]") or _default(option), _in_toml(option), does
        )
    yield Setting(
        TOKEN,
        TOKEN_VARIABLE,
        "TOKEN",
        "made at each start",
        "",
        "Who may report: whoever knows it. Never on a command line; in a file that others cannot read.",
        has_flag=False,
    )


def read_config(path: Path, parameters: Iterable[object], context: typer.Context) -> ConfigFile:
    """Return a file whose every setting is one of the parameters, by the rule of its flag. Raise ConfigError."""
    options = settable(parameters)
    try:
        entries, faults = parse(read_text(path))
        is_open = bool(path.stat().st_mode & stat.S_IRWXO)
    except ConfigFileError as error:
        raise ConfigError([f"{path}: {error}"]) from error
    found = [*faults, *(fault for entry in entries for fault in _faults(entry, options, context, is_open=is_open))]
    if found:
        raise ConfigError([_line(path, fault) for fault in sorted(found)])
    return ConfigFile(path, {entry.key: entry for entry in entries})


def fault_of(option: TyperOption, value: object, context: typer.Context) -> str | None:
    """Return what is wrong with a value by the rule that the option has for its flag, None if nothing is."""
    try:
        option.process_value(context, value)
    except typer.BadParameter as error:
        return " ".join(error.message.split()).removeprefix("Value error, ").rstrip(".")
    return None


def show_value(value: object) -> str:
    """Return a value as an environment would have it."""
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def unknown_variables(environ: Iterable[str], known: Iterable[str], prefix: str) -> list[str]:
    """Return a line for each variable that looks like one of ours, and is none."""
    names = sorted(known)
    return [
        f"{name} is no setting, and is passed over{nearest(name, names)}"
        for name in sorted(environ)
        if name.startswith(f"{prefix}_") and name not in names
    ]


def _line(path: Path, fault: Fault) -> str:
    return f"{path}:{fault.line}: {fault.message}"


def _faults(
    entry: Entry, options: Mapping[str, TyperOption], context: typer.Context, *, is_open: bool
) -> Iterator[Fault]:
    name, value, line = entry.key, entry.value, entry.line
    if name != TOKEN and name not in options:
        advice = nearest(name, [*options, TOKEN]) or ": matchstream config settings lists all"
        yield Fault(line, f"there is no setting {name!r}{advice}")
        return
    option = options.get(name)
    if wrong := _wrong_type(option, value):
        yield Fault(line, f"{name} is to be {wrong}")
    elif option is None:
        try:
            check_token(str(value), name)
        except TokenError as error:
            yield Fault(line, str(error))
    elif reason := fault_of(option, value, context):
        yield Fault(line, f"{name}: {reason}")
    if is_open and (name == TOKEN or (isinstance(value, str) and shows_password(value))):
        secret = "the token" if name == TOKEN else f"the password in {name}"
        yield Fault(line, f"others on this machine may read {secret}, or change it: chmod o= this file")


def _wrong_type(option: TyperOption | None, value: object) -> str:
    """Return how the value of an option (None: the token) is to be written in TOML, empty if it is so."""
    kind = str if option is None else option.type_descriptor.annotation
    if option is not None and option.multiple:
        good = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return "" if good else 'a list of names: write it so, ["backlog"]'
    if kind is bool:
        return "" if isinstance(value, bool) else "true or false: write it without quotes"
    if kind in {int, float}:
        good = not isinstance(value, bool) and isinstance(value, int if kind is int else (int, float))
        whole = " whole" if kind is int else ""
        return "" if good else f"a{whole} number: write it without quotes"
    return "" if isinstance(value, str) else "a string: write it in quotes"


def _takes(option: TyperOption) -> str:
    descriptor = option.type_descriptor
    if descriptor.choices:
        return "|".join(str(choice.value) for choice in descriptor.choices)
    if option.is_flag:
        return "true|false"
    unit = option.metavar or ("NUMBER" if descriptor.annotation in {int, float} else "NAME")
    if option.multiple:
        return f"{unit} …"
    if option.min is None:
        return unit
    return f"{unit} from {option.min:,}" + ("" if option.max is None else f" to {option.max:,.10g}")


def _default(option: TyperOption) -> str:
    return "" if option.default in (None, [], "") else show_value(option.default)


def _in_toml(option: TyperOption) -> str:
    shown = "[]" if option.multiple else _default(option)
    return f'"{shown}"' if shown and isinstance(option.default, str) else shown
