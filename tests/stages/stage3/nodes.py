"""Nodes as programs: a `matchstream serve --stage 3` with a look at its nodes, and the reporter of a match on them."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import psutil

from common.http.client import ApiError, ApiUnreachableError, ReporterClient
from stages.catalogue import STAGES
from tests.stages.fan import Fan
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from common.domain.events import Event

STAGE: Final = STAGES["3"]
LISTENERS: Final = STAGE.parts.fan_listeners
API_LISTENERS: Final = STAGE.parts.http_listeners

_PAUSE_S: Final = 0.01


class NodesProcess(ServerProcess):
    """A parent with nodes; a node's number is that of its ports in the ranges."""

    def __init__(
        self,
        directory: Path,
        *options: str,
        stage: str = STAGE.name,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        super().__init__(stage, directory, *options, environ=environ, prefix=prefix)

    @property
    def numbers(self) -> range:
        """The numbers of the nodes."""
        return range(len(self.fan_ports) // LISTENERS)

    def pid_of(self, number: int) -> int | None:
        """Return the process id of a node, None if it does not run now."""
        nodes = nodes_below(self.pid)
        return nodes.get(self.fans_of(number)[0])

    def number_of(self, pid: int) -> int:
        """Return which node that process is."""
        ports = {pid: port for port, pid in nodes_below(self.pid).items()}
        return self.fan_ports.index(ports[pid]) // LISTENERS

    def fans_of(self, number: int) -> range:
        """Return a node's ports for fans."""
        return self.fan_ports[number * LISTENERS : (number + 1) * LISTENERS]

    def api_of(self, number: int) -> range:
        """Return a node's ports of the API."""
        return self.http_ports[number * API_LISTENERS : (number + 1) * API_LISTENERS]

    def url_of(self, number: int) -> str:
        """Return the URL of a node's API."""
        return f"http://{self.host}:{self.api_of(number)[0]}"

    def fan(self, number: int) -> Fan:
        """Return a new fan, who will connect to that node."""
        return Fan((self.host, self.fans_of(number)[0]))


def nodes_below(pid: int) -> dict[int, int]:
    """Return the process ids of the nodes that process has started, by their first port for fans."""
    found = {}
    parent = psutil.Process(pid)
    for child in parent.children():
        try:
            words = child.cmdline()
        except psutil.NoSuchProcess:
            continue
        if "serve" in words and words != parent.cmdline():  # one that is being forked still has those of its parent
            found[int(words[words.index("--port") + 1])] = child.pid
    return found


@asynccontextmanager
async def apis(*urls: str) -> AsyncIterator[list[ReporterClient]]:
    """Give a client for each API."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(ReporterClient(url, TOKEN)) for url in urls]


async def kicked_off(clients: Sequence[ReporterClient]) -> list[Game]:
    """Announce and start a match; return it as it is to be had at each of the APIs."""
    game = await Game.announced(clients[0], "m")
    await game.start()
    return [Game(client, game.new) for client in clients]


@dataclass
class Reporter:
    """Posts events to one API after the other, whatever becomes of them, and keeps those that were accepted.

    `games` are one match at several APIs. No comment is posted twice.
    """

    games: Sequence[Game]
    accepted: list[Event] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _over: bool = False

    async def report(self) -> None:
        """Post until `stop`; may run several times side by side."""
        while not self._over:
            if not await self.post_one():
                await asyncio.sleep(_PAUSE_S)

    async def post_one(self) -> bool:
        """Post one event to the next API; return whether it was accepted. If not, it may be stored all the same."""
        number = next(self._numbers)
        try:
            self.accepted.append(await self.games[number % len(self.games)].foul(f"event {number}"))
        except ApiUnreachableError:
            return False
        except ApiError as error:
            if error.status != 503:
                raise
            return False
        return True

    async def more(self, count: int) -> None:
        """Return when that many more were accepted."""
        enough = len(self.accepted) + count
        await eventually(lambda: len(self.accepted) >= enough, f"{count} more events are accepted")

    def stop(self) -> None:
        """Have `report` return."""
        self._over = True

    async def check(self, fans: Sequence[Fan]) -> Sequence[Event]:
        """Check that what was accepted is stored once, and that `fans` heard all that is stored, once and in order.

        The match has ended, and the fans have watched it from its first event on. Return what is stored.
        """
        history = list(await self.games[0].api.history(self.games[0].id))
        assert [event.seq for event in history] == list(range(1, len(history) + 1))
        assert [history[event.seq - 1] for event in self.accepted] == self.accepted
        stored = comments(history)
        assert len(stored) == len(set(stored))
        for fan in fans:
            assert fan.told() == stored
            assert fan.kinds == ["status", *(event.kind for event in history[1:])]
        return history


def comments(history: Sequence[Event]) -> list[object]:
    """Return the comments of the events."""
    return [event.details["comment"] for event in history if "comment" in event.details]
