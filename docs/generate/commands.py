"""The reference of a command line: what `--help` says of every command, from the same declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from docs.generate.markdown import code, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator


def describe_commands(name: str, app: typer.Typer) -> str:
    """Return the text of a program's page."""
    group: Any = typer.main.get_command(app)
    return f"# {name}\n\n{plain(group.help)}\n\n{''.join(_commands(name, group))}"


def _commands(path: str, group: Any) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(f"{path} {name}", command)
            continue
        context = command.make_context(f"{path} {name}", [], resilient_parsing=True)
        usage = command.get_usage(context).removeprefix("Usage: ")
        yield f"## {path} {name}\n\n    {usage}\n\n{plain(command.help)}\n\n"
        for kind in ("argument", "option"):
            told = (one.get_help_record(context) for one in command.params if one.param_type_name == kind)
            yield table((kind, "what it is"), ((code(names), plain(says)) for names, says in filter(None, told)))
