"""The options that several commands share: whom to measure, under what load, against which SLO."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError
from harness.placement.namespaces import check_possible
from harness.placement.pinning import Pins, allowed_cpus, parse_pins
from harness.result import Placement
from harness.targets.address import AddressTarget
from harness.targets.stage import StageTarget
from harness.targets.target import Target
from harness.targets.variant import Topology, Variant

StageOption = Annotated[str | None, typer.Option("--stage", help="The stage to start and measure, e.g. 0.")]
WithOption = Annotated[
    list[str] | None, typer.Option("--with", metavar="LESSON", help="A lesson the stage is to have too; repeatable.")
]
WithoutOption = Annotated[
    list[str] | None, typer.Option("--without", metavar="LESSON", help="One it is not to have; repeatable.")
]
NodesOption = Annotated[
    int | None, typer.Option("--nodes", min=1, help="Node processes of the stage, if it has nodes.")
]
TopologyOption = Annotated[Topology | None, typer.Option("--topology", help="Whether its nodes tell each other.")]
TargetOption = Annotated[
    str | None,
    typer.Option("--target", metavar="HOST:PORT[-PORT]", help="A server that runs already, to measure instead."),
]
HttpOption = Annotated[str | None, typer.Option("--http", metavar="URL", help="The API of --target, to post events.")]
IntervalOption = Annotated[float, typer.Option("--interval", help="Seconds from one wave to the next.")]
SloOption = Annotated[
    str, typer.Option("--slo", metavar="TERMS", help="What must be met, such as failures=0,p99<1s,fanout_p99<500ms.")
]
NetnsOption = Annotated[
    bool,
    typer.Option("--netns", help="Put server and generator into network namespaces of their own; it needs root."),
]
PinOption = Annotated[
    str | None,
    typer.Option("--pin", metavar="PART=CPUS,...", help="Keep parts on CPUs, such as server=0,generator=1,redis=0."),
]


class AskedError(HarnessError):
    """Options that do not go together, or a place where nothing can be written."""


@dataclass(frozen=True, slots=True)
class Whom:
    """The options that say whom to measure, None or empty where they were not given."""

    stage: str | None
    with_lessons: tuple[str, ...] = ()
    without_lessons: tuple[str, ...] = ()
    nodes: int | None = None
    topology: Topology | None = None
    address: str | None = None
    http: str | None = None


def target_of(whom: Whom) -> Target:
    """Return what to measure. Raise AskedError for options that do not go together, TargetError for no address."""
    if whom.address is None:
        if whom.stage is None:
            raise AskedError("whom to measure? give --stage 0, or --target HOST:PORT for a server that runs already")
        if whom.http is not None:
            raise AskedError("--http goes with --target: a stage that the harness starts has its own API")
        return StageTarget(Variant(whom.stage, whom.with_lessons, whom.without_lessons, whom.nodes, whom.topology))
    if whom.stage is not None:
        raise AskedError("give --stage or --target, not both")
    of_stages = {
        "--with": whom.with_lessons,
        "--without": whom.without_lessons,
        "--nodes": whom.nodes,
        "--topology": whom.topology,
    }
    given = [option for option, value in of_stages.items() if value]
    if given:
        raise AskedError(f"{given[0]} goes with --stage: a server that runs already is what it is")
    return AddressTarget(whom.address, whom.http)


def placement_of(*, netns: bool, pin: str | None) -> Placement:
    """Return where a trial is to run. Raise PlacementError where that is not possible here, or `pin` makes no sense."""
    if netns:
        check_possible()
    pins = Pins() if pin is None else parse_pins(pin, allowed_cpus())
    return Placement(
        network="netns" if netns else "loopback",
        server_cpus=pins.server,
        generator_cpus=pins.generator,
        redis_cpus=pins.redis,
    )


def make_directory(out: Path) -> None:
    """Make the directory for results, if it is not there. Raise AskedError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AskedError(
            f"{out}: cannot be made a directory for results ({error.strerror}): choose another --out"
        ) from error
