"""`harness tune`: the kernel's settings, compared with a profile of `sysctl/`; applied, and put back."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import typer
from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from common.tuning.applying import apply as apply_profile
from common.tuning.applying import restore as restore_settings
from common.tuning.profile import Scope
from common.tuning.remembered import default_state
from common.tuning.sysctl import PROC_SYS, Finding, Standing, load_profile
from common.tuning.sysctl import check as check_profile
from harness.errors import HarnessError
from harness.show.terminal import Terminal
from harness.units import NOTHING

DEFAULT_PROFILE: Final = "server"

_STYLES: Final = MappingProxyType({Standing.MET: "green", Standing.SHORT: "bold red", Standing.UNKNOWN: "yellow"})

Named = Annotated[
    str, typer.Argument(metavar="[PROFILE]", help="A profile of sysctl/ by its name, or the path of one.")
]
Root = Annotated[
    Path, typer.Option(metavar="DIR", help="Where the settings are; a container may have its host's elsewhere.")
]
State = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="File that keeps what was there. Default: matchstream/sysctl.json in your state directory."
    ),
]


class NothingReadError(HarnessError):
    """There are no kernel settings where they were looked for."""


app = typer.Typer(
    help="Compare the kernel's settings with a profile, apply it, put back what was there.", no_args_is_help=True
)


@app.command()
def check(profile: Named = DEFAULT_PROFILE, root: Root = PROC_SYS) -> None:
    """Show which settings are as a profile asks, and why it asks. Nothing is changed.

    The exit status is 0 if no setting is short, 1 if one is, 2 if there is no such profile or nothing can be read.
    """
    asked = load_profile(profile)
    findings = check_profile(asked, root)
    short = [found for found in findings if found.standing is Standing.SHORT]
    unknown = [found for found in findings if found.standing is Standing.UNKNOWN]
    if len(unknown) == len(findings):
        raise NothingReadError(f"{root}: no setting of {asked.name} can be read there: give --root, or run it on Linux")
    console = Terminal()
    console.print(f"{asked.name}: {asked.purpose}", style="bold", soft_wrap=True)
    console.print(_table(findings))
    console.print(_reasons(findings))
    if short:
        console.print(f"SHORT: {_names(short)}", style="bold red", soft_wrap=True)
        console.print(f"apply the profile: sudo harness tune apply {profile}", soft_wrap=True)
        raise typer.Exit(1)
    unread = f", but for what cannot be read here: {_names(unknown)}" if unknown else ""
    console.print(f"MET{unread}", style="bold green", soft_wrap=True)


@app.command()
def apply(profile: Named = DEFAULT_PROFILE, state: State = None, root: Root = PROC_SYS) -> None:
    """Change what is short of a profile until `harness tune restore`, or the next boot. It needs root.

    The exit status is 0 if no setting is short now, 1 if one may not be changed here, 2 if nothing was changed.
    """
    kept = state or default_state(os.environ)
    done = apply_profile(load_profile(profile), kept, root)
    for found in done.changed:
        typer.echo(f"{found.setting.name}: {found.now} -> {found.target} ({found.setting.belongs_to})")
    everybody = [found for found in done.changed if found.setting.belongs_to is Scope.MACHINE]
    if everybody:
        typer.echo(f"these belong to the whole machine, and everything that runs on it has them: {_names(everybody)}")
    if done.unknown:
        typer.echo(f"left alone, cannot be read here: {_names(done.unknown)}")
    if done.refused:
        typer.echo(f"still short, cannot be changed here: {_names(done.refused)}")
    if done.changed:
        typer.echo(f"to put back what was there (in {kept}): sudo harness tune restore{_option(state)}")
    else:
        typer.echo("nothing had to be changed")
    if done.refused:
        raise typer.Exit(1)


@app.command()
def restore(state: State = None, root: Root = PROC_SYS) -> None:
    """Put back what was there before the first `harness tune apply`, of all profiles. It needs root."""
    done = restore_settings(state or default_state(os.environ), root)
    if done.rebooted:
        typer.echo("the machine was booted since: the kernel forgot what was applied, and so does this")
    for name, value in done.values.items():
        typer.echo(f"{name} = {value}")
    if done.gone:
        typer.echo(f"no longer there, so not put back: {', '.join(done.gone)}")


def _table(findings: Iterable[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("setting", no_wrap=True, overflow="fold")
    for name in ("now", "wanted", "default", "belongs to"):
        table.add_column(name, overflow="fold")
    for found in findings:
        setting = found.setting
        table.add_row(
            Text(f"{setting.name}\n  {found.standing}", _STYLES[found.standing]),
            Text(found.now or NOTHING),
            Text(f"{setting.requirement} {found.wanted}"),
            Text(setting.default),
            Text(setting.belongs_to),
        )
    return table


def _reasons(findings: Iterable[Finding]) -> Table:
    """Return why each setting is asked for: text of several lines, which in a column of the table nobody could read."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(overflow="fold")
    for found in findings:
        setting = found.setting
        table.add_row(Text(setting.name, "bold"))
        table.add_row(Padding(Text(f"{setting.reason}\nSource: {setting.source}."), (0, 0, 0, 2)))
    return table


def _names(findings: Iterable[Finding]) -> str:
    return ", ".join(found.setting.name for found in findings)


def _option(state: Path | None) -> str:
    return "" if state is None else f" --state {state}"
