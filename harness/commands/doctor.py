"""`harness doctor`: a short trial of somebody's server, and what it advises."""

from typing import Annotated

import typer

from harness.commands.grouped import grouped
from harness.commands.options import AskedError, IntervalOption
from harness.commands.target_options import Whom, target_of
from harness.doctor.advice import load_advice
from harness.doctor.looker import Looker
from harness.doctor.rules import findings
from harness.load.workload import Load
from harness.show.doctor import show_findings
from harness.show.terminal import Terminal
from harness.targets.running import RunningTarget
from harness.trial.figures.slo import parse_slo
from harness.trial.plan import TrialPlan
from harness.trial.run import run_trial


@grouped
def doctor(  # noqa: PLR0913 -- each is an option of the command
    *,
    whom: Whom,
    n: Annotated[int, typer.Option("-N", min=1, help="Connections to hold.")] = 1000,
    c: Annotated[int, typer.Option("-C", min=1, help="Connections started at the same moment: a wave.")] = 500,
    interval: IntervalOption = 0.25,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds within which a client must be answered.")] = 10.0,
    pid: Annotated[
        list[int] | None,
        typer.Option("--pid", help="A process of the server, if its port does not tell; repeatable. On this machine."),
    ] = None,
) -> None:
    """Say what holds back a server that runs already, how sure that is, and which line to change.

    A short trial is made, and meanwhile the server's processes are looked at, as far as they are on this machine and
    may be: their limits, accept queues, threads, what these wait for, and the control group. It takes the owner of the
    processes, or root. What is advised, and where that stands, is a table: `harness/doctor/advice.toml`.

    The exit status is 0 if nothing was found, 1 if something was, 2 if the trial could not be made.
    """
    target = target_of(whom)
    if not isinstance(target, RunningTarget):
        raise AskedError("the doctor looks at a server that runs already: give --target URL, or HOST:PORT")
    reached = target.reached()
    plan = TrialPlan(Load(n, c, interval), parse_slo("failures=0"), None, timeout)
    with Looker(pid or reached.pids, [endpoint.port for endpoint in reached.endpoints]) as looker:
        looker.watch_idle()
        result = run_trial(plan, target, looker)
        found = findings(result, looker.looked(), load_advice())
    Terminal().print(show_findings(found, result))
    if found:
        raise typer.Exit(1)
