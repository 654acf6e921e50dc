"""A trial of a step, made by the harness as anybody would make it: by its command."""

import shlex
import subprocess
from collections.abc import Sequence

import msgspec

from common.tuning.children import command_that_dies_with_parent, python_module
from stages.tour.course import Figure


class TrialFailedError(Exception):
    """The harness could not measure; the message is its own line."""


class _Fans(msgspec.Struct):
    asked: int
    served: int


class _Times(msgspec.Struct):
    mean_s: float | None


class _Response(msgspec.Struct):
    art: _Times | None


class _Delivery(msgspec.Struct):
    last_mean_s: float | None


class _Seen(msgspec.Struct):
    fans: _Fans
    response: _Response
    delivery: _Delivery | None


class _Server(msgspec.Struct):
    memory_per_connection_bytes: float | None


class _Bound(msgspec.Struct):
    name: str
    evidence: str


class Trial(msgspec.Struct):
    """What the tour shows of a result of the harness (`harness schema trial`); the rest is left."""

    seen: _Seen
    server: _Server | None
    bound: _Bound

    def figure(self, figure: Figure) -> float | None:
        """Return a figure in the unit in which it is asked for; None if there is none."""
        match figure:
            case "served":
                return self.seen.fans.served
            case "art":
                art = self.seen.response.art
                return None if art is None else _scaled(art.mean_s, 1e3)
            case "fanout_last":
                delivery = self.seen.delivery
                return None if delivery is None else _scaled(delivery.last_mean_s, 1e3)
            case "memory":
                return None if self.server is None else _scaled(self.server.memory_per_connection_bytes, 1 / 1024)


def command(server: Sequence[str], load: Sequence[str]) -> list[str]:
    """Return the words that measure a server under a load."""
    return ["harness", "measure", *server, *load]


def shown(words: Sequence[str]) -> str:
    """Return a command as one types it."""
    return shlex.join(words)


def measured(server: Sequence[str], load: Sequence[str]) -> Trial:
    """Return what the harness sees. Raise TrialFailedError."""
    program, *words = command(server, load)
    done = subprocess.run(  # noqa: S603  # this project's own command
        command_that_dies_with_parent(python_module(program, *words, "--json")),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return msgspec.json.decode(done.stdout, type=Trial)
    except msgspec.DecodeError:
        said = done.stderr.strip().splitlines()
        raise TrialFailedError(said[-1] if said else f"the harness ended with status {done.returncode}") from None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
