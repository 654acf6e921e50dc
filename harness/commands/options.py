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
from harness.targets.custom import CustomTarget
from harness.targets.description import DEFAULT_MARK, Description, check, load_description
from harness.targets.peers.catalogue import PEERS, peer_target
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
    typer.Option(
        "--target",
        metavar="ADDRESS|FILE.toml",
        help="A server that runs already: HOST:PORT[-PORT] of this project's, tcp:// or http:// of any other.",
    ),
]
PeerOption = Annotated[
    str | None, typer.Option("--peer", metavar="NAME", help=f"Another server to start: {', '.join(PEERS)}.")
]
HelloOption = Annotated[
    str | None, typer.Option("--hello", metavar="TEXT", help="What a fan of --target says, such as 'SUB {user}\\r\\n'.")
]
WelcomeOption = Annotated[
    str | None, typer.Option("--welcome", metavar="TEXT", help="How its greeting ends, if it speaks first.")
]
AnswerOption = Annotated[
    str | None, typer.Option("--answer", metavar="TEXT", help="How the answer to a fan ends. Default: its line.")
]
MarkOption = Annotated[
    str | None, typer.Option("--mark", metavar="TEXT", help="What stands before an event's number. Default: #.")
]
ErrorOption = Annotated[
    str | None, typer.Option("--error", metavar="TEXT", help="How a line begins that refuses a fan.")
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
    peer: str | None = None
    hello: str | None = None
    welcome: str | None = None
    answer: str | None = None
    mark: str | None = None
    error: str | None = None

    @property
    def kinds(self) -> dict[str, str | None]:
        """The options of which one says whom, and what was given."""
        return {"--stage": self.stage, "--peer": self.peer, "--target": self.address}

    @property
    def dialogue(self) -> dict[str, str | None]:
        """The options that say how a fan of another server speaks, and what was given."""
        return {
            "--hello": self.hello,
            "--welcome": self.welcome,
            "--answer": self.answer,
            "--mark": self.mark,
            "--error": self.error,
        }

    @property
    def belongings(self) -> dict[str, dict[str, object]]:
        """The options that go with each of those, and what was given."""
        return {
            "--stage": {
                "--with": self.with_lessons,
                "--without": self.without_lessons,
                "--nodes": self.nodes,
                "--topology": self.topology,
            },
            "--target": {"--http": self.http, **self.dialogue},
        }


def target_of(whom: Whom) -> Target:
    """Return what to measure.

    Raise AskedError for options that do not go together, TargetError for what is no address, no description and no
    peer, and for a peer that is not installed.
    """
    given = [option for option, value in whom.kinds.items() if value is not None]
    if not given:
        raise AskedError(
            "whom to measure? give --stage 0, --peer redis, or --target HOST:PORT for a server that runs already"
        )
    if len(given) > 1:
        raise AskedError(f"give {' or '.join(given)}, not both")
    (kind,) = given
    for owner, options in whom.belongings.items():
        strangers = [option for option, value in options.items() if value]
        if owner != kind and strangers:
            raise AskedError(f"{strangers[0]} goes with {owner}, not with {kind}")
    if whom.stage is not None:
        return StageTarget(Variant(whom.stage, whom.with_lessons, whom.without_lessons, whom.nodes, whom.topology))
    if whom.peer is not None:
        return peer_target(whom.peer)
    return _running_already(whom.address or "", whom)


def _running_already(address: str, whom: Whom) -> Target:
    if address.endswith(".toml"):
        file = Path(address)
        strangers = [option for option, value in whom.belongings["--target"].items() if value is not None]
        if strangers:
            raise AskedError(f"{strangers[0]}: {address} describes the server, so write it there")
        return CustomTarget(file.stem, check(load_description(file), address))
    if "://" not in address and not any(value is not None for value in whom.dialogue.values()):
        return AddressTarget(address, whom.http)
    if whom.http is not None:
        raise AskedError("--http is the API of this project's servers: describe another in a file, with [publish]")
    described = Description(
        address=address,
        hello=whom.hello,
        welcome_end=whom.welcome or "",
        answer_end=whom.answer,
        mark=DEFAULT_MARK if whom.mark is None else whom.mark,
        error_start=whom.error,
    )
    return CustomTarget(address, check(described, address))


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
