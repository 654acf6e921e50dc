"""The command `harness`: measure a server, check the instrument itself, tune the machine.

Errors are one line on standard error. Exit status 0: all went well; 1: the trial missed its SLO, or the machine is
short of a profile; 2: what was asked cannot be done; 3: the trial is invalid; 130: interrupted.
"""

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from common.command_line import Commands, run_app, show_version
from common.domain.script import ScriptError
from common.durations import DurationError
from common.process_start import ending_signals, open_standard_streams
from common.tuning.applying import ApplyError
from common.tuning.children import ParentDeathSignalError
from common.tuning.profile import ProfileError
from common.tuning.remembered import StateError
from harness.commands.ablate import ablate
from harness.commands.check import check
from harness.commands.cluster import app as cluster
from harness.commands.compare import compare_command
from harness.commands.demo import demo
from harness.commands.doctor import doctor
from harness.commands.draw import draw
from harness.commands.fill import fill
from harness.commands.http import http
from harness.commands.init import init
from harness.commands.measure import measure
from harness.commands.report import report
from harness.commands.scenarios import scenarios
from harness.commands.schema import schema
from harness.commands.search import search
from harness.commands.selftest import selftest
from harness.commands.staircase import staircase_command
from harness.commands.table import table
from harness.commands.top import top
from harness.commands.tune import app as tune
from harness.errors import HarnessError
from harness.show.terminal import say

_USER_ERRORS = (ApplyError, DurationError, HarnessError, ParentDeathSignalError, ProfileError, ScriptError, StateError)
"""What a user can mend: it is said in one line."""

INTERRUPTED = 130
"""The exit status that shells give to what Ctrl-C ended: 128 and the number of SIGINT."""


class Harness(Commands):
    """Its commands have options of one name and many meanings, so `-N` of measure is `HARNESS_MEASURE_N`."""

    prefix = "HARNESS"
    by_command = True


app = typer.Typer(
    cls=Harness,
    help="Measure servers of long-lived connections: N, C and ART, honestly.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=show_version("harness"), is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Take the options that no command has."""


app.command()(demo)
app.command()(measure)
app.command()(doctor)
app.command()(init)
app.command()(check)
app.command()(search)
app.command("staircase")(staircase_command)
app.command()(ablate)
app.command()(scenarios)
app.command("compare")(compare_command)
app.command()(http)
app.command()(table)
app.command()(draw)
app.command()(report)
app.command()(fill)
app.command()(selftest)
app.command()(schema)
app.command()(top)
app.add_typer(tune, name="tune")
app.add_typer(cluster, name="cluster")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (that of the process if None) and return the exit status."""
    open_standard_streams()
    for number in ending_signals():
        signal.signal(number, _interrupt)
    try:
        status = run_app(app, "harness", arguments)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except _USER_ERRORS as error:
        return _fail(str(error), 2)
    if status == INTERRUPTED:  # Typer, too, makes this of a KeyboardInterrupt
        return _fail("interrupted: nothing was left behind", INTERRUPTED)
    return status


def _interrupt(number: int, frame: object) -> None:
    """Have SIGTERM and SIGHUP end a trial as Ctrl-C does: everything that was started is ended first."""
    raise KeyboardInterrupt


def _fail(message: str, status: int) -> int:
    say(f"harness: {' '.join(message.split())}", err=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
