"""What a trial needs to know of whoever it measures."""

from typing import Protocol

from common import addresses
from common.addresses import AddressError, HttpUrl, join, parse
from harness.errors import HarnessError
from harness.load.protocols.numbered_frames import END
from harness.load.workload import Dialogue, Endpoint
from harness.targets.publisher import Publisher
from harness.targets.variant import Variant


class TargetError(HarnessError):
    """There is nobody to measure: a server did not start, does not answer, or was addressed wrongly."""


class Target(Protocol):
    """A server to measure.

    Its names, and whether events can be posted, are always known; everything else between `start` and `stop` only.
    """

    @property
    def name(self) -> str:
        """What people call it: `stage 0`, `stage 3, 6 nodes`, or its address."""
        ...

    @property
    def variant(self) -> Variant | None:
        """Which stage it is and how it differs from it, if the harness starts it."""
        ...

    @property
    def peer(self) -> str | None:
        """Which other program it is, as `--peer` names it, if the harness starts one of those."""
        ...

    @property
    def publishes(self) -> bool:
        """Whether events can be posted."""
        ...

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where fans connect; hosts are numeric."""
        ...

    @property
    def publisher(self) -> Publisher | None:
        """Where events are posted; None where `publishes` is not so."""
        ...

    @property
    def pids(self) -> tuple[int, ...]:
        """The roots of its processes, as far as they are on this machine and known."""
        ...

    def start(self) -> None:
        """Start it, or make sure that it answers. Raise TargetError."""
        ...

    def stop(self) -> None:
        """End what `start` started; does nothing a second time."""
        ...

    def ended(self) -> str | None:
        """Return how it ended by itself, or None while it runs, as far as that can be known."""
        ...

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return what a fan says to watch that match, or the current one where it is None."""
        ...


def match_stream_dialogue(match_id: str | None, *, numbers: bool = False) -> Dialogue:
    """Return a fan's part in the protocol of the stages: one line after the welcome, then frames.

    With `numbers`, which only some servers have, a fan who connects again goes on where it was.
    """
    if numbers:
        hello = f"V:3:{{user}}:{match_id or ''}\n"
    else:
        hello = "V:2:{user}\n" if match_id is None else f"VERSION:1:CONNECT:{{user}}:MATCH:{match_id}\n"
    return Dialogue(
        hello=hello.encode(),
        welcome_end=b"\n",
        answer_end=END if numbers else b"\n\r\n",
        mark=b"\tcomment: #",
        error_start=b"ERROR:",
        numbers=numbers,
    )


def parse_address(text: str) -> tuple[Endpoint, ...]:
    """Return the endpoints of `HOST:PORT` or `HOST:PORT-PORT`; an IPv6 address is in brackets. Raise TargetError."""
    try:
        found = parse(text)
    except AddressError as error:
        raise TargetError(str(error)) from None
    return tuple(Endpoint(found.host, port) for port in found.ports)


def parse_http_url(text: str, of: str) -> HttpUrl:
    """Return what a URL says. Raise TargetError, which says that it is none of `of`, such as `an API`."""
    try:
        return addresses.parse_http_url(text, of)
    except AddressError as error:
        raise TargetError(str(error)) from None


def parse_websocket_url(text: str) -> HttpUrl:
    """Return what a URL of a WebSocket says. Raise TargetError."""
    try:
        return addresses.parse_websocket_url(text)
    except AddressError as error:
        raise TargetError(str(error)) from None


def show_address(endpoints: tuple[Endpoint, ...]) -> tuple[str, ...]:
    """Return endpoints as `HOST:PORT`, an IPv6 host in brackets."""
    return tuple(join(at.host, at.port) for at in endpoints)
