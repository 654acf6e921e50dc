"""The options by which more happens in a trial than fans who come and watch."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

import typer

from common.durations import DurationError, parse_duration
from harness.commands.options import AskedError
from harness.records.asked import Disturbances

_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")
_LONGEST_LATENCY_S: Final = 1.0
_STORM_WITHIN_S: Final = 1.0
_RECONNECT_CAP_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Disturbing:
    """The options of what else happens, None where they were not given."""

    churn: Annotated[
        str | None,
        typer.Option(
            "--churn",
            metavar="PERCENT/s",
            help="Share of the fans who leave each second and are replaced, such as 5%/s.",
        ),
    ] = None
    slow: Annotated[
        str | None, typer.Option("--slow", metavar="PERCENT", help="Share of the fans who stop reading, such as 5%.")
    ] = None
    reset: Annotated[
        str | None,
        typer.Option(
            "--reset",
            metavar="FANS@TIME",
            help="How many fans break off at once, how long after the first event: 2000@10s. With --reconnect they "
            "are back.",
        ),
    ] = None
    arrivals_during_events: Annotated[
        bool, typer.Option("--arrivals-during-events", help="Post events, and ask the API, while the fans come.")
    ] = False
    joining: Annotated[
        str | None,
        typer.Option(
            "--joining",
            metavar="FANS/WAVE",
            help="How many fans come besides the N while events flow, and how many at once: 5000/500.",
        ),
    ] = None
    storm: Annotated[
        str | None,
        typer.Option(
            "--storm",
            metavar="PERCENT@TIME[/TIME]",
            help="Share of the fans who break off so long after the first event, and in how long as many come again: "
            "50%@30s/5s. Default: within 1s.",
        ),
    ] = None
    reconnect: Annotated[
        str | None,
        typer.Option(
            "--reconnect",
            metavar="TIME[..TIME]",
            help="Fans who are cut off, or turned away, greet again after a random wait: up to the first time, which "
            "doubles with each try up to the second: 1s..30s. Default: up to 30s. What was told meanwhile they miss, "
            "unless they say where they were, as an EventSource does, and a fan of a stage with the lesson resume.",
        ),
    ] = None
    redis_latency: Annotated[
        str | None,
        typer.Option("--redis-latency", metavar="TIME", help="How much further away a stage's Redis is, such as 2ms."),
    ] = None
    faults: Annotated[
        str | None,
        typer.Option(
            "--faults", metavar="FAULTS", help="What a stage breaks in itself: client=1%/s,client-supervisor@2s."
        ),
    ] = None
    small_buffers: Annotated[
        bool, typer.Option("--small-buffers", help="With --netns: sockets of the server have room for two pages each.")
    ] = False

    small_queues: Annotated[
        bool,
        typer.Option(
            "--small-queues", help="With --netns: an accept queue of the server takes 128, as before Linux 5.4."
        ),
    ] = False
    open_files: Annotated[
        int | None,
        typer.Option(
            "--open-files",
            min=256,
            max=1 << 20,
            help="How many files a process of the stage may have open at most. Default: as the harness may.",
        ),
    ] = None
    stop_nodes: Annotated[
        str | None,
        typer.Option(
            "--stop-nodes",
            metavar="NODES@TIME",
            help="How many nodes of the stage are told to stop, how long after the first event: 1@1s.",
        ),
    ] = None

    def disturbances(self) -> Disturbances:
        """Return what was asked for. Raise AskedError."""
        reset, reset_at_s = (0, 0.0) if self.reset is None else _parse_at("--reset", self.reset, "fans", "2000@10s")
        stops, stop_at_s = (
            (0, 0.0) if self.stop_nodes is None else _parse_at("--stop-nodes", self.stop_nodes, "nodes", "1@1s")
        )
        joining, joining_c = (0, 0) if self.joining is None else _parse_joining(self.joining)
        storm, storm_at_s, storm_within_s = (0.0, 0.0, 0.0) if self.storm is None else _parse_storm(self.storm)
        base_s, cap_s = (0.0, 0.0) if self.reconnect is None else _parse_reconnect(self.reconnect)
        latency_s = 0.0 if self.redis_latency is None else _parse_latency(self.redis_latency)
        return Disturbances(
            churn_per_s=0.0 if self.churn is None else _parse_churn(self.churn),
            slow=0.0 if self.slow is None else _parse_share("--slow", self.slow, "5%"),
            reset=reset,
            reset_at_s=reset_at_s,
            arrivals_during_events=self.arrivals_during_events,
            joining=joining,
            joining_c=joining_c,
            storm=storm,
            storm_at_s=storm_at_s,
            storm_within_s=storm_within_s,
            reconnect_base_s=base_s,
            reconnect_cap_s=cap_s,
            redis_latency_s=latency_s,
            redis_latency_by="proxy" if latency_s else None,
            faults=self.faults or "",
            small_buffers=self.small_buffers,
            small_queues=self.small_queues,
            open_files=self.open_files or 0,
            stops=stops,
            stop_at_s=stop_at_s,
        )


def _parse_churn(text: str) -> float:
    share, slash, unit = text.strip().rpartition("/")
    if not slash or unit != "s":
        raise AskedError(f"--churn {text}: say how many leave in a second, such as 5%/s")
    return _parse_share("--churn", share, "5%/s")


def _parse_share(option: str, text: str, example: str) -> float:
    """Return a percentage as a share of 1."""
    found = _PERCENT.fullmatch(text.strip())
    if found is None or not 0 < float(found[1]) <= 100:
        raise AskedError(f"{option} {text}: a share of the fans is above 0% and at most 100%, such as {example}")
    return float(found[1]) / 100


def _parse_at(option: str, text: str, of: str, example: str) -> tuple[int, float]:
    """Return how many, and when."""
    count, at, moment = text.strip().partition("@")
    if not at or not count.isascii() or not count.isdigit() or int(count) < 1:
        raise AskedError(f"{option} {text}: say how many {of} and when, such as {example}")
    return int(count), _parse_time(option, text, moment)


def _parse_storm(text: str) -> tuple[float, float, float]:
    share, at, moments = text.strip().partition("@")
    moment, slash, within = moments.partition("/")
    if not at:
        raise AskedError(f"--storm {text}: say what share of the fans, and when, such as 50%@30s, or 50%@30s/5s")
    within_s = _parse_time("--storm", text, within) if slash else _STORM_WITHIN_S
    return _parse_share("--storm", share, "50%@30s"), _parse_time("--storm", text, moment), within_s


def _parse_reconnect(text: str) -> tuple[float, float]:
    base, dots, cap = text.strip().partition("..")
    base_s = _parse_time("--reconnect", text, base)
    cap_s = _parse_time("--reconnect", text, cap) if dots else max(base_s, _RECONNECT_CAP_S)
    if not 0 < base_s <= cap_s:
        raise AskedError(f"--reconnect {text}: the wait begins above 0 and does not become shorter, such as 1s..30s")
    return base_s, cap_s


def _parse_joining(text: str) -> tuple[int, int]:
    counts = text.strip().split("/")
    if len(counts) != 2 or not all(count.isascii() and count.isdigit() and int(count) for count in counts):
        raise AskedError(f"--joining {text}: say how many fans, and how many of them come at once, such as 5000/500")
    return int(counts[0]), int(counts[1])


def _parse_latency(text: str) -> float:
    latency_s = _parse_time("--redis-latency", text, text)
    if not 0 < latency_s <= _LONGEST_LATENCY_S:
        raise AskedError(f"--redis-latency {text}: above 0 and at most {_LONGEST_LATENCY_S:g}s, such as 2ms")
    return latency_s


def _parse_time(option: str, text: str, moment: str) -> float:
    try:
        return parse_duration(moment)
    except DurationError as error:
        raise AskedError(f"{option} {text}: {error}") from None
