"""How a command is refused: in one line, which says what to do."""

from __future__ import annotations

from typer.testing import CliRunner

from stages.cli import app
from tests.stages.serving import Outcome


def the_line(ended: Outcome) -> str:
    """Return the one line with which a command is refused."""
    assert (ended.status, ended.stdout) == (2, ""), ended
    (line,) = ended.stderr.splitlines()
    assert line.startswith("matchstream: ")
    return line


def refused(*arguments: str, token: str | None = None) -> str:
    """Return the one line with which a command that starts nothing is refused; it is run in this process."""
    ended = CliRunner().invoke(app, arguments, env={"MATCHSTREAM_TOKEN": token})
    assert isinstance(ended.exception, SystemExit), ended.exception
    return the_line(Outcome(ended.exit_code, ended.stdout, ended.stderr))
