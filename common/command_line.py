"""What the two command lines have in common: their version, and one line for what was typed wrongly."""

import importlib.metadata
import sys
from collections.abc import Callable, Sequence

import typer


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


def _command(app: typer.Typer, name: str, words: Sequence[str]) -> str:
    """Return the name of the command that `words` begin with, as far as there is one; an error does not always know."""
    commands = getattr(typer.main.get_command(app), "commands", {})
    for word in words:
        if word not in commands:
            break
        name, commands = f"{name} {word}", getattr(commands[word], "commands", {})
    return name
