"""What runs in a worker: the plane and its fans as in a server of one process, and stand-ins for all else.

It is the stage's server with another tree: `db` and the matches are those of the node (`stages.stage4.node_proxy`), and
what a node has once (the API, its name in Redis, its part in the system) is left out. The sockets on which it listens
were opened by the node and outlive it, so who waits there when a worker crashes is served by the next.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from common.http.server import ApiServer
from common.http.statistics import StatisticsQuery
from common.otp import ChildSpec, Supervisor
from stages.stage0.listener import Listener
from stages.stage0.parts import layered
from stages.stage0.presence import PresenceKeeper
from stages.stage0.server import Server
from stages.stage0.web import Web
from stages.stage3.db_writer import DbWriter
from stages.stage3.requests import Requests
from stages.stage3.subscriptions import Subscriptions
from stages.stage4.channel import Channel
from stages.stage4.node_proxy import RelayedDb, RelayedMatches
from stages.stage4.worker_messages import Farewell, HasRoom, Look, Ready, Seen

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from stages.options import Options
    from stages.stage0.parts import Parts, Stage
    from stages.stage0.web import WebBackend
    from stages.stage4.worker_messages import Setup, StopServing

ROOM_S: Final = 1.0
"""The time between two looks for whether there are files for more fans."""
WEIGH_S: Final = 30.0
"""The time between two looks at the memory: to look takes the kernel some 10 ms."""

_ONCE_A_NODE: Final = frozenset({PresenceKeeper.NAME, Subscriptions.NAME, Requests.NAME, DbWriter.NAME, Web.NAME})
_STOPPED, _GAVE_UP, _LOST_ITS_NODE = 0, 1, 3
"""Exit statuses."""


class WorkerServer(Server):
    """A server of fans only, that stands on a node; `serve` takes the place of `start` and `wait`."""

    _channel: Channel
    _backend: WebBackend

    def __init__(self, parts: Parts, options: Options) -> None:
        super().__init__(parts, options)
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._beside: set[asyncio.Task[None]] = set()
        self._has_room = True
        self._weighed_s, self._pss_bytes = -WEIGH_S, 0
        self._serves = self._is_told_to_stop = False

    async def serve(self, channel: socket.socket, listening: Sequence[socket.socket]) -> int:
        """Serve fans at these sockets until the node says to stop, or has gone; return the exit status."""
        self._listening = listening
        self._channel = await Channel.over(channel, self._hear, self._lost)
        no_api = ApiServer(self.options.host, ())
        self._top = await self.node.start(Supervisor(self._children(no_api)), name="worker_sup")
        self._top.gone().add_done_callback(self._gave_up)
        self._backend = self.parts.web.backend(self.parts, self.node, "", self._fan_ports(), no_api)
        self.parts.vm.started()
        self._look_for_room()
        self._serves = True
        self._channel.tell(Ready(await self._seen()))
        return await self._end

    def _children(self, api: ApiServer) -> list[ChildSpec]:
        parts, channel = self.parts, self._channel
        relayed = {
            parts.db.NAME: ChildSpec(parts.db.NAME, lambda: RelayedDb(channel)),
            parts.match_sup.NAME: ChildSpec(parts.match_sup.NAME, lambda: RelayedMatches(parts, channel)),
        }
        own = (child for child in super()._children(api) if child.id not in _ONCE_A_NODE)
        return [relayed.get(child.id, child) for child in own]

    async def _say_goodbye(self, until_s: float) -> None:
        farewells = self.parts.farewells
        cut_off = await farewells.sent(until_s - monotonic())
        self._channel.tell(Farewell(farewells.said, cut_off))

    # What the node says.

    def _hear(self, number: int, message: Look | StopServing) -> None:
        if isinstance(message, Look):
            self._do(self._tell_counts(number), "look")
        elif not self._serves:
            self._ends(_STOPPED)
        elif not self._is_told_to_stop:
            self._is_told_to_stop = True
            self._do(self._stop_serving(), "stop")

    async def _tell_counts(self, number: int) -> None:
        self._channel.answer(number, await self._seen())

    async def _seen(self) -> Seen:
        statistics = await self._backend.statistics(StatisticsQuery(actors=0))
        now_s = monotonic()
        if now_s >= self._weighed_s + WEIGH_S:
            self._weighed_s, self._pss_bytes = now_s, proportional_bytes()
        return Seen(statistics, self._pss_bytes, self.parts.server_plane.unsent)

    async def _stop_serving(self) -> None:
        await self.stop()
        self._channel.close()

    def _lost(self) -> None:
        self._ends(_STOPPED if self._is_told_to_stop else _LOST_ITS_NODE)

    def _gave_up(self, _gone: asyncio.Future[None]) -> None:
        if not self._is_told_to_stop:
            self._ends(_GAVE_UP)

    def _ends(self, status: int) -> None:
        if not self._end.done():
            self._end.set_result(status)

    def _do(self, what: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(what, name=name)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _look_for_room(self) -> None:
        """Tell the node when there are no files for more fans, and when there are again."""
        has_room = all(listener.has_file() for listener in self.node.servers(Listener))
        if has_room != self._has_room:
            self._has_room = has_room
            self._channel.tell(HasRoom(has_room))
        if not self._end.done():
            asyncio.get_running_loop().call_later(ROOM_S, self._look_for_room)


def run_worker(stage: Stage, setup: Setup, channel: int, listening: Sequence[int]) -> int:
    """Be a worker of a node of that stage, in a process that was forked for it; return the exit status.

    What runs then is left as it is: the process is to end at once, and its memory with it.
    """
    parts = replace(stage.parts, server=layered(stage.parts.server, WorkerServer))

    async def serve() -> int:
        server = parts.server(parts, setup.options)
        assert isinstance(server, WorkerServer)  # noqa: S101  # it is the last layer
        return await server.serve(socket.socket(fileno=channel), [socket.socket(fileno=fd) for fd in listening])

    with parts.log():
        return asyncio.Runner(loop_factory=parts.vm.new_event_loop).run(serve())


def proportional_bytes() -> int:
    """Return the memory of this process, of what it shares with others its share; 0 where the kernel does not tell."""
    with suppress(OSError):
        for line in Path("/proc/self/smaps_rollup").read_text().splitlines():  # proc(5)
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
