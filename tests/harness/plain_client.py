"""What the harness says of a server, held against what a plain client of asyncio sees of it.

    python -m tests.harness.plain_client [--fans 1000] [--wave 100] [--events 20] [--rounds 5]

The server is aiohttp's, with an EventSource stream, in a process of its own. Both play the same waves and post as many
events, each round in turn. Printed are response and fan-out of both, and the ratio of the medians. It takes the time
as any program would that is written in an hour: when its own loop comes to what has arrived.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import aiohttp
from aiohttp import web

from common.tuning.children import command_that_dies_with_parent, python_module
from common.tuning.open_files import all_open_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

INTERVAL_S: Final = 0.25
RATE_PER_S: Final = 5.0
STREAM: Final = """address = 'http://127.0.0.1:PORT/live'
[publish]
url = 'http://127.0.0.1:PORT/post'
body = 'goal #{mark}'
"""
_NUMBER: Final = re.compile(rb"#(\d+)")


class Load(NamedTuple):
    """So many fans in waves, and then so many events."""

    fans: int
    wave: int
    events: int


class Seen(NamedTuple):
    """Means, in seconds, and how many fans were answered."""

    answered: int
    response_s: float
    fanout_s: float


Served: TypeAlias = "Callable[[], AbstractContextManager[int]]"
Client: TypeAlias = "Callable[[int, Load], Seen]"


async def serve() -> None:
    """Serve a stream to all who ask for it, say on which port, and pass on what is posted."""
    fans: set[web.StreamResponse] = set()

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        fans.add(answer)
        try:
            await asyncio.Event().wait()
        finally:  # who leaves is cancelled
            fans.discard(answer)
        return answer

    async def post(request: web.Request) -> web.Response:
        data = b"data: " + await request.read() + b"\n\n"
        for fan in list(fans):
            with suppress(ConnectionError):
                await fan.write(data)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_get("/live", stream)
    app.router.add_post("/post", post)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=65_535).start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 -- who started this reads it
    await asyncio.Event().wait()


@contextmanager
def served() -> Iterator[int]:
    """Give the port of a server inside."""
    command = command_that_dies_with_parent([sys.executable, "-m", "tests.harness.plain_client", "--serve"])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class PlainClient:
    """Fans that are a task each."""

    def __init__(self, port: int, load: Load) -> None:
        self._port = port
        self._load = load
        self._response_s: list[float] = []
        self._posted_s: dict[int, float] = {}
        self._fanout_s: list[float] = []
        self._all_answered = asyncio.Event()
        self._all_received = asyncio.Event()

    async def play(self) -> Seen:
        """Play the load, and return what was seen."""
        began_s = time.monotonic() + 0.1
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._fan(began_s + fan // self._load.wave * INTERVAL_S), name=f"fan {fan}")
                for fan in range(self._load.fans)
            ]
            await self._all_answered.wait()
            await self._post_all()
            await self._all_received.wait()
            for task in tasks:
                task.cancel()
        return Seen(len(self._response_s), statistics.fmean(self._response_s), statistics.fmean(self._fanout_s))

    async def _fan(self, intended_s: float) -> None:
        await asyncio.sleep(max(0.0, intended_s - time.monotonic()))
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        self._response_s.append(time.monotonic() - intended_s)
        if len(self._response_s) == self._load.fans:
            self._all_answered.set()
        try:
            while line := await reader.readline():
                if found := _NUMBER.search(line):
                    self._fanout_s.append(time.monotonic() - self._posted_s[int(found[1])])
                    if len(self._fanout_s) == self._load.fans * self._load.events:
                        self._all_received.set()
        finally:
            writer.close()

    async def _post_all(self) -> None:
        async with aiohttp.ClientSession() as session:
            first_s = time.monotonic()
            for number in range(1, self._load.events + 1):
                due_s = first_s + (number - 1) / RATE_PER_S
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                self._posted_s[number] = due_s
                async with session.post(f"http://127.0.0.1:{self._port}/post", data=f"goal #{number}"):
                    pass


def by_harness(description: str, load: Load) -> Seen:
    """Return what `harness measure` says of the server that a file describes so."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "live.toml"
        file.write_text(description)
        words = ("-N", str(load.fans), "-C", str(load.wave), "--events", str(load.events - 1), "--out", directory)
        command = python_module("harness", "measure", str(file), *words, "--json")
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    seen = json.loads(done.stdout)["seen"]
    response, fanout = seen["response"]["intended"], seen["delivery"]["fanout"]
    return Seen(seen["fans"]["answered"], response["mean_s"], fanout["mean_s"])


def compare(name: str, served: Served, description: str, other: Client) -> None:
    """Play what the command line asks for, once with each in every round, and print a line for each round.

    In the description of the server `PORT` stands for its port.
    """
    parser = argparse.ArgumentParser()
    for option, default in (("fans", 1000), ("wave", 100), ("events", 20), ("rounds", 5)):
        parser.add_argument(f"--{option}", type=int, default=default)
    asked = parser.parse_args()
    load = Load(asked.fans, asked.wave, asked.events)
    rounds = []
    for _ in range(asked.rounds):
        pair = []
        with all_open_files(), served() as port:
            pair.append(by_harness(description.replace("PORT", str(port)), load))
        with all_open_files(), served() as port:
            pair.append(other(port, load))
        rounds.append(pair)
        sys.stdout.write(f"harness {_shown(pair[0])}; {name} {_shown(pair[1])}\n")
    for figure in ("response_s", "fanout_s"):
        ours, theirs = (statistics.median(getattr(pair[side], figure) for pair in rounds) for side in (0, 1))
        sys.stdout.write(f"{figure}: {ours / theirs:.3f} of what {name} says\n")


def _shown(seen: Seen) -> str:
    return f"{seen.answered} answered, response {seen.response_s * 1e3:.1f} ms, fan-out {seen.fanout_s * 1e3:.1f} ms"


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        with all_open_files():
            asyncio.run(serve())
    else:
        compare("plain client", served, STREAM, lambda port, load: asyncio.run(PlainClient(port, load).play()))
