"""Whom a command measures: a stage, another server that is started, or one that runs already."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from common.addresses import without_login
from harness.commands.options import AskedError
from harness.records.asked import Door, Topology
from harness.targets.address import AddressTarget
from harness.targets.brokers.target import BrokerTarget, broker_target, is_broker
from harness.targets.custom import CustomTarget
from harness.targets.description import (
    DEFAULT_MARK,
    HEADER_NAME,
    Description,
    HeartbeatTexts,
    check,
    load_description,
)
from harness.targets.peers.catalogue import PEERS, peer_target
from harness.targets.stage import StageTarget
from harness.targets.target import Target
from harness.targets.variant import Variant


@dataclass(frozen=True, slots=True)
class WhichStage:
    """The options that name a stage, and say how it is to differ from itself; None where they were not given."""

    stage: Annotated[str | None, typer.Option("--stage", help="The stage to start and measure, e.g. 0.")] = None
    with_lessons: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="LESSON", help="A lesson the stage is to have too; repeatable."),
    ] = None
    without_lessons: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="LESSON", help="A lesson the stage is not to have; repeatable."),
    ] = None
    nodes: Annotated[
        int | None, typer.Option("--nodes", min=1, help="Node processes of the stage, if it has nodes.")
    ] = None
    topology: Annotated[
        Topology | None, typer.Option("--topology", help="How its nodes learn of each other's events.")
    ] = None
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, help="Worker processes of each node, if it has workers; 0: none.")
    ] = None

    @property
    def variant(self) -> Variant | None:
        """The stage as it was asked for, or None if none was named."""
        if self.stage is None:
            return None
        with_lessons, without_lessons = tuple(self.with_lessons or ()), tuple(self.without_lessons or ())
        return Variant(self.stage, with_lessons, without_lessons, self.nodes, self.topology, self.workers)

    @property
    def differences(self) -> dict[str, object]:
        """The options that go with the stage, and what was given."""
        return {
            "--with": self.with_lessons,
            "--without": self.without_lessons,
            "--nodes": self.nodes,
            "--topology": self.topology,
            "--workers": self.workers,
        }


@dataclass(frozen=True, slots=True)
class Whom(WhichStage):
    """The options that say whom to measure, None where they were not given."""

    address: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="ADDRESS|FILE.toml",
            help="A server that runs already: HOST:PORT[-PORT] of this project's; of any other tcp, tls, http, https, "
            "ws or wss://, and redis, rediss, nats, mqtt or mqtts://HOST:PORT/CHANNEL.",
        ),
    ] = None
    http: Annotated[str | None, typer.Option("--http", metavar="URL", help="The API of --target, to post events.")] = (
        None
    )
    door: Annotated[
        Door | None,
        typer.Option("--door", help="How fans of the stage come, if it serves browsers. Default: by text."),
    ] = None
    peer: Annotated[
        str | None, typer.Option("--peer", metavar="NAME", help=f"Another server to start: {', '.join(PEERS)}.")
    ] = None
    hello: Annotated[
        str | None,
        typer.Option("--hello", metavar="TEXT", help="What a fan of --target says, such as 'SUB {user}\\r\\n'."),
    ] = None
    welcome: Annotated[
        str | None, typer.Option("--welcome", metavar="TEXT", help="How its greeting ends, if it speaks first.")
    ] = None
    answer: Annotated[
        str | None,
        typer.Option(
            "--answer", metavar="TEXT", help="How the answer to a fan ends. Default: end of line; HTTP: the head."
        ),
    ] = None
    mark: Annotated[
        str | None, typer.Option("--mark", metavar="TEXT", help="What stands before an event's number. Default: #.")
    ] = None
    error: Annotated[
        str | None, typer.Option("--error", metavar="TEXT", help="How a line begins that refuses a fan.")
    ] = None
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header", metavar="'NAME: VALUE'", help="A header of a fan's request, over HTTP or WebSocket; repeatable."
        ),
    ] = None
    vars_file: Annotated[
        Path | None,
        typer.Option(
            "--vars", metavar="FILE.csv", help="What differs from fan to fan: {token} is the value in its column token."
        ),
    ] = None
    ping: Annotated[
        str | None, typer.Option("--ping", metavar="TEXT", help="What a server of lines says to find out who is there.")
    ] = None
    pong: Annotated[str | None, typer.Option("--pong", metavar="TEXT", help="What a fan says to --ping.")] = None
    ca: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="Who signed the server's certificate, in PEM, where it speaks TLS."),
    ] = None
    insecure: Annotated[bool, typer.Option("--insecure", help="Verify no certificate of --target.")] = False
    at: Annotated[
        str | None, typer.Argument(metavar="ADDRESS|FILE.toml", show_default=False, help="The same as --target.")
    ] = None

    @property
    def kinds(self) -> dict[str, str | None]:
        """The options of which one says whom, and what was given."""
        return {"--stage": self.stage, "--peer": self.peer, "--target": self.address or self.at}

    @property
    def dialogue(self) -> dict[str, object]:
        """The options that say how a fan of another server speaks, and what was given."""
        return {
            "--hello": self.hello,
            "--welcome": self.welcome,
            "--answer": self.answer,
            "--mark": self.mark,
            "--error": self.error,
            "--header": self.header,
            "--vars": self.vars_file,
            "--ping": self.ping,
            "--pong": self.pong,
            "--ca": self.ca,
            "--insecure": self.insecure or None,
        }

    @property
    def belongings(self) -> dict[str, dict[str, object]]:
        """The options that go with each of those, and what was given."""
        return {
            "--stage": {**self.differences, "--door": self.door},
            "--target": {"--http": self.http, **self.dialogue},
        }


def target_of(whom: Whom) -> Target:
    """Return what to measure.

    Raise AskedError for options that do not go together, TargetError for what is no address, no description and no
    peer, and for a peer that is not installed.
    """
    if whom.address is not None and whom.at is not None:
        raise AskedError(f"give {whom.at} or --target {whom.address}, not both")
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
    if whom.variant is not None:
        return StageTarget(replace(whom.variant, door=whom.door))
    if whom.peer is not None:
        return peer_target(whom.peer)
    return _running_already(whom.address or whom.at or "", whom)


def _running_already(address: str, whom: Whom) -> Target:
    if address.endswith(".toml"):
        file = Path(address)
        strangers = [option for option, value in whom.belongings["--target"].items() if value is not None]
        if strangers:
            raise AskedError(f"{strangers[0]}: {address} describes the server, so write it there")
        return _described(file)
    if is_broker(address):
        return _broker(address, whom)
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
        headers=dict(map(_header, whom.header or ())),
        vars=None if whom.vars_file is None else str(whom.vars_file),
        ca=None if whom.ca is None else str(whom.ca),
        insecure=whom.insecure,
        heartbeat=_heartbeat(whom.ping, whom.pong),
    )
    name = without_login(address)
    return CustomTarget(name, check(described, name))


def _described(file: Path) -> Target:
    """Return the server that a file describes. Raise TargetError."""
    description = load_description(file)
    if not is_broker(description.address):
        return CustomTarget(file.stem, check(description, str(file)))
    trusts = Description(description.address, ca=description.ca, insecure=description.insecure)
    strangers = [name for name in Description.__struct_fields__ if getattr(description, name) != getattr(trusts, name)]
    if strangers:
        raise AskedError(f"{file}: {strangers[0]}: how fans and reporter speak to a broker is known: leave it out")
    ca = None if description.ca is None else Path(description.ca)
    return broker_target(description.address, ca, insecure=description.insecure)


def _broker(address: str, whom: Whom) -> BrokerTarget:
    """Return the broker. Raise AskedError for what is known of its protocol anyway."""
    trusts = {"--ca", "--insecure"}
    strangers = [
        name for name, value in whom.belongings["--target"].items() if value is not None and name not in trusts
    ]
    if strangers:
        raise AskedError(f"{strangers[0]}: how fans and reporter speak to a broker is known: leave it out")
    return broker_target(address, whom.ca, insecure=whom.insecure)


def _header(text: str) -> tuple[str, str]:
    """Return the name and the value of a header. Raise AskedError."""
    name, separator, value = text.partition(":")
    if not separator or HEADER_NAME.fullmatch(name) is None or not value.isprintable():
        raise AskedError(f"--header {text!r} is none: write 'Name: value'")
    return name, value.strip()


def _heartbeat(ping: str | None, pong: str | None) -> HeartbeatTexts | None:
    if ping is None and pong is None:
        return None
    if ping is None or pong is None:
        raise AskedError("--ping and --pong go together: what the server says, and what a fan says to that")
    return HeartbeatTexts(ping, pong)
