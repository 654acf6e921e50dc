"""The options that several commands share, besides whom they measure: under what load, against which SLO, and where."""

from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer

from harness.errors import HarnessError
from harness.records.asked import Placement
from harness.trial.placement.chosen import chosen_sources
from harness.trial.placement.namespaces import check_possible
from harness.trial.placement.pinning import Pins, allowed_cpus, parse_pins

IntervalOption = Annotated[float, typer.Option("--interval", help="Seconds from one wave to the next.")]
SloOption = Annotated[
    str, typer.Option("--slo", metavar="TERMS", help="What must be met, such as failures=0,p99<1s,fanout_p99<500ms.")
]


class AskedError(HarnessError):
    """Options that do not go together, or a place where nothing can be written."""


@dataclass(frozen=True, slots=True)
class Where:
    """The options that say where server and generator run."""

    netns: Annotated[
        bool,
        typer.Option("--netns", help="Put server and generator into network namespaces of their own; it needs root."),
    ] = False
    pin: Annotated[
        str | None,
        typer.Option(
            "--pin", metavar="PART=CPUS,...", help="Keep parts on CPUs, such as server=0,generator=1,redis=0."
        ),
    ] = None

    def placement(self) -> Placement:
        """Return where a trial is to run.

        Raise PlacementError where that is not possible here, or what was given with --pin makes no sense.
        """
        if self.netns:
            check_possible()
        pins = Pins() if self.pin is None else parse_pins(self.pin, allowed_cpus())
        return Placement(
            network="netns" if self.netns else "loopback",
            server_cpus=pins.server,
            generator_cpus=pins.generator,
            redis_cpus=pins.redis,
        )


@dataclass(frozen=True, slots=True)
class WhereAndWhence(Where):
    """Those options, and those that say where fans come from."""

    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="Have the fans come from the workers of a Dask cluster: its scheduler, such as tcp://10.0.0.1:8786.",
        ),
    ] = None

    source: Annotated[
        str | None,
        typer.Option(
            "--source", metavar="ADDRESS|NETWORK", help="Have the fans come from these addresses of this machine."
        ),
    ] = None

    def placement(self) -> Placement:
        """Return where a trial is to run. Raise PlacementError as without these, AskedError for two at once."""
        if self.cluster is not None and self.netns:
            raise AskedError("--netns is for fans of this machine, and with --cluster they come from others")
        if self.source is not None and (self.netns or self.cluster is not None):
            option = "--netns" if self.netns else "--cluster"
            raise AskedError(f"--source are addresses of this machine, and with {option} fans have others")
        placement = super(WhereAndWhence, self).placement()
        if self.source is not None:
            chosen_sources(self.source)
            return msgspec.structs.replace(placement, sources=self.source)
        if self.cluster is None:
            return placement
        if placement.generator_cpus is not None:
            raise AskedError("--pin generator is for fans of this machine, and with --cluster they come from others")
        return msgspec.structs.replace(placement, cluster=self.cluster)
