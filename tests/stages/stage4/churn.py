"""Fans that come and go for as long as one likes, and what the server is like before and after: does anything grow?

    python -m tests.stages.stage4.churn --minutes 60 --out reports/churn.json
    python -m tests.stages.stage4.churn --minutes 60 --door event-source --door websocket --out reports/churn-doors.json

A minute of churn warms the server up. Then all fans leave and it is looked at, churn goes on, and it is looked at again
in the same state: nobody there. A third of the fans close their connection, a third reset it, and a third close their
side first. Meanwhile a match is played, an event a second. Where there are doors, fans come by them in turn.
"""

from __future__ import annotations

import asyncio
import itertools
import platform
import random
import socket
import struct
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import psutil
import typer
import uvloop

from common.http.client import ReporterClient
from common.tuning.open_files import OpenFiles, set_soft_limit
from tests.stages.game import Game
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

_TICK_S: Final = 0.01
_STAY_S: Final = 1.0
"""How long a fan stays after its status, on the mean."""
_MOST: Final = 10_000
"""Fans at once: on a machine that is too busy they come more slowly, and the result says how many there were."""
_RESET: Final = struct.pack("ii", 1, 0)


class Way(msgspec.Struct, frozen=True):
    """How a fan comes: what it says, after how many lines of the server, and how the status ends that answers it."""

    hello: str
    welcome_lines: int
    status_end: bytes


_TEXT: Final = "text"
_WAYS: Final = {
    _TEXT: Way("VERSION:1:CONNECT:churn:MATCH:{match}\r\n", 2, b"\n\r\n"),
    "event-source": Way("GET /1/match/{match}/stream HTTP/1.1\r\nHost: churn\r\n\r\n", 0, b"}}\n\n"),
    "websocket": Way(
        "GET /1/match/{match}/ws HTTP/1.1\r\nHost: churn\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        0,
        b"}}",
    ),
}


class Look(msgspec.Struct, frozen=True):
    """A server at a moment when nobody is there: bytes of memory (PSS), open files, lines of /proc/PID/maps; in all."""

    pss: int
    open_files: int
    maps: int


class Churn(msgspec.Struct, frozen=True):
    """How fans came and went, what became of them, and the server before and after."""

    seconds: float
    rate_per_s: float
    fans: dict[str, int]
    server: dict[str, int]
    """Of its statistics: accepted, greetings, deliveries, and drops by their reasons."""
    before: Look
    after: Look
    peak: Look
    machine: str


@dataclass(slots=True)
class Crowd:
    """All fans, and what became of them."""

    match_id: str
    outcomes: Counter[str] = field(default_factory=Counter)
    there: int = 0


class ChurningFan(asyncio.Protocol):
    """One fan: it greets, hears the status, stays for a while, and leaves in one of three ways."""

    def __init__(self, crowd: Crowd, way: Way) -> None:
        self._crowd = crowd
        self._way = way
        self._heard = bytearray()
        self._has_status = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it, and greet a server that does not speak first."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's derives from none of asyncio's
        self._crowd.there += 1
        if not self._way.welcome_lines:
            self._greet()

    def data_received(self, data: bytes) -> None:
        """Greet after the welcome; begin to stay with the status."""
        if self._has_status:
            return
        self._heard += data
        if self._way.welcome_lines and self._heard.count(b"\n") == self._way.welcome_lines:
            self._greet()
        elif self._heard.endswith(self._way.status_end):
            self._has_status = True
            self._heard.clear()
            asyncio.get_running_loop().call_later(random.expovariate(1 / _STAY_S), self._leave)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count how it was."""
        del exc
        self._crowd.there -= 1
        self._crowd.outcomes["served" if self._has_status else "not served"] += 1

    def _greet(self) -> None:
        self._transport.write(self._way.hello.format(match=self._crowd.match_id).encode())

    def _leave(self) -> None:
        way = random.randrange(3)  # noqa: S311  # no secret
        if way == 0:
            self._transport.close()
        elif way == 1:
            with suppress(OSError):
                self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        else:
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(0.1, self._transport.abort)


def look(pid: int) -> Look:
    """Look at the server now: at its process and all that come from it, but for Redis, which keeps what it is told."""
    family = (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    looks = [_look_at(process.pid) for process in family if "python" in process.name()]
    return Look(*(sum(getattr(one, name) for one in looks) for name in Look.__struct_fields__))


def _look_at(pid: int) -> Look:
    proc = Path(f"/proc/{pid}")
    pss = next(line for line in (proc / "smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
    return Look(int(pss.split()[1]) * 1024, len(list((proc / "fd").iterdir())), (proc / "maps").read_text().count("\n"))


def _most(found: list[Look]) -> Look:
    return Look(max(one.pss for one in found), max(one.open_files for one in found), max(one.maps for one in found))


async def churn(server: ServerProcess, seconds: float, rate_per_s: float, doors: Sequence[str]) -> Churn:
    """Have fans come and go by these doors for so long, after a warm-up of a tenth of it, a minute at most."""
    peaks: list[Look] = []
    async with ReporterClient(server.url, TOKEN) as api:
        game = await Game.announced(api, "churn")
        await game.start()
        crowd = Crowd(game.id)
        playing = asyncio.create_task(_play(game), name="play")
        connecting: set[asyncio.Task[Any]] = set()
        addresses, ways = server.fan_addresses(), itertools.cycle(_WAYS[door] for door in doors or (_TEXT,))
        browsers = itertools.cycle((server.host, port) for port in server.browser_ports)

        async def connect() -> None:
            way = next(ways)
            address = next(addresses if way.welcome_lines else browsers)
            try:
                await asyncio.get_running_loop().create_connection(lambda: ChurningFan(crowd, way), *address)
            except OSError:
                crowd.outcomes["not connected"] += 1

        async def come_and_go(for_s: float) -> Look:
            loop = asyncio.get_running_loop()
            begin_s = looked_s = loop.time()
            due = begun = 0.0
            while (passed_s := loop.time() - begin_s) < for_s:
                due = passed_s * rate_per_s
                while begun < due and crowd.there + len(connecting) < _MOST:
                    begun += 1
                    task = asyncio.create_task(connect(), name="connect")
                    connecting.add(task)
                    task.add_done_callback(connecting.discard)
                if loop.time() - looked_s >= for_s / 60:
                    looked_s = loop.time()
                    peaks.append(look(server.pid))
                await asyncio.sleep(_TICK_S)

            async def nobody_is_there() -> bool:
                return not connecting and not crowd.there and (await api.statistics()).connections == 0

            await eventually(nobody_is_there, "everybody has gone")
            return look(server.pid)

        try:
            before = await come_and_go(min(60.0, seconds / 10))
            after = await come_and_go(seconds)
        finally:
            playing.cancel()
            await asyncio.wait((playing,))
        found = await api.statistics()
        await api.cancel_match(game.id)
    counts = {"accepted": found.accepted, "greetings": found.greetings, "deliveries": found.deliveries, **found.drops}
    return Churn(seconds, rate_per_s, dict(crowd.outcomes), counts, before, after, _most(peaks), platform.platform())


async def _play(game: Game) -> None:
    while True:
        await asyncio.sleep(1)
        await game.foul("on we go")


def main(
    minutes: Annotated[float, typer.Option(help="How long, besides the warm-up.")] = 1.0,
    rate: Annotated[float, typer.Option(help="Fans a second.")] = 1000.0,
    options: Annotated[list[str] | None, typer.Option(help="An option for the server; may be repeated.")] = None,
    door: Annotated[
        list[str] | None, typer.Option(help="A door for browsers; may be repeated. Default: by text.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the result goes, as JSON.")] = None,
) -> None:
    """Have fans come and go at a server of its own, and say what grew."""
    set_soft_limit(OpenFiles.read().hard)
    with (
        tempfile.TemporaryDirectory() as directory,
        ServerProcess("4", Path(directory), *(["--browser-port", "0"] if door else []), *(options or [])) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        result = runner.run(churn(server, minutes * 60, rate, door or ()))
    text = msgspec.json.format(msgspec.json.encode(result)).decode()
    typer.echo(text)
    if out is not None:
        out.write_text(f"{text}\n")


if __name__ == "__main__":
    typer.run(main)
