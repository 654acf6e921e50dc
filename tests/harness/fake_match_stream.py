"""A match stream server of known faults, small enough to be believed: `serve --stage FAULT=VALUE,…` as a stage has it.

Fans are numbered from 0 in the order of their hellos, events by the mark in their comment.
"""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TextIO

from aiohttp import web

PLAYER = {"number": 1, "name": "Player 1"}
NODE = "import sys; sys.stdin.read()"  # it does nothing, and ends with its parent


@dataclass
class Faults:
    """What is wrong; a mark of 0 is none."""

    answer_after: float = 0.0  # seconds until a fan gets its status
    event_after: float = 0.0  # seconds until the fans get an accepted event
    accept_after: float = 0.0  # seconds until a post is answered
    lose: int = 0  # this mark does not reach every second fan
    duplicate: int = 0  # this mark reaches every fan twice
    swap: int = 0  # this mark reaches the fans after the next one
    refuse: int = 0  # the post of this mark is answered 503
    die: int = 0  # the server ends at the post of this mark
    node_dies: int = 0  # one of its nodes (--nodes) ends at the post of this mark, and every second fan is closed
    event_gap: float = 0.0  # seconds from one event's way to the fans to that of the next
    deaf: int = 0  # so many fans are never answered
    early: int = 0  # so many fans are closed right after their answer
    announce: int = 201  # status of the answer to an announcement
    kickoff: int = 201  # status of the answer to a post without a mark
    mute: int = 0  # 1: never says `ready`; 2: says what is wrong and ends; 3: says nonsense
    taken: int = 0  # 1: every match is there already, so the sample match, too


@dataclass
class Fake:
    faults: Faults
    token: str
    fans: list[asyncio.StreamWriter] = field(default_factory=list)
    said: int = 0
    posts: int = 0
    held_back: bytes = b""
    matches: set[str] = field(default_factory=set)
    closing: set[asyncio.Task[None]] = field(default_factory=set)
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    spreading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def start_nodes(self, number: int) -> None:
        for _ in range(number):
            self.nodes.append(subprocess.Popen([sys.executable, "-c", NODE], stdin=subprocess.PIPE))

    async def fan(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Welcome to Match Stream.\n")
        hello = b""
        with contextlib.suppress(ConnectionError):  # a fan that went away
            hello = await reader.readline()
        if not hello:
            writer.close()
            return
        if not hello.startswith((b"V:2:", b"VERSION:1:CONNECT:")):
            writer.write(b"ERROR: say hello\n")
            writer.close()
            return
        number, self.said = self.said, self.said + 1
        await asyncio.sleep(self.faults.answer_after)
        if number < self.faults.deaf:
            return
        self.fans.append(writer)
        writer.write(b"2026-01-01 00:00:00: status:\n\thome: a\n\r\n")
        if number < self.faults.early:
            writer.close()

    async def post(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "the token is wrong", "field": None}, status=401)
        body = await request.json()
        found = re.match(r"#(\d+)", body.get("comment") or "")
        mark = int(found[1]) if found else 0
        await asyncio.sleep(self.faults.accept_after)
        if mark == 0 and self.faults.kickoff != 201:
            return web.json_response({"error": "no kick-off", "field": None}, status=self.faults.kickoff)
        if mark and mark == self.faults.refuse:
            return web.json_response({"error": "no store", "field": None}, status=503)
        if mark and mark == self.faults.die:
            say("fake: dying as told")
            os._exit(3)
        if mark and mark == self.faults.node_dies:
            self.nodes[0].kill()
            self.nodes[0].wait()
            for fan in self.fans[::2]:
                fan.transport.abort()
        self.posts += bool(mark)
        task = asyncio.get_running_loop().create_task(self.spread(mark, body["kind"]), name=f"spread-{mark}")
        self.closing.add(task)
        task.add_done_callback(self.closing.discard)
        event = {"seq": mark, "at": datetime.now(UTC).isoformat(), "kind": body["kind"], "details": {}}
        return web.json_response(event, status=201)

    async def spread(self, mark: int, kind: str) -> None:
        await asyncio.sleep(self.faults.event_after)
        async with self.spreading:  # first come, first served
            await asyncio.sleep(self.faults.event_gap)
        frame = f"2026-01-01 00:00:01: {kind}:\n\tcomment: #{mark}\n\r\n".encode() if mark else b""
        if mark and mark == self.faults.swap:
            self.held_back = frame
            return
        frame, self.held_back = frame + self.held_back, b""
        for number, fan in enumerate(self.fans):
            if fan.is_closing():
                continue
            if mark != self.faults.lose or number % 2 == 0:
                fan.write(frame * (2 if mark and mark == self.faults.duplicate else 1))
            if kind == "stop":
                fan.close()

    async def checkin(self, _: web.Request) -> web.Response:
        return web.json_response({"port": 1})

    async def create(self, request: web.Request) -> web.Response:
        new = await request.json()
        if self.faults.taken:
            return web.json_response({"error": "the match is there", "field": None}, status=409)
        if self.faults.announce != 201:
            return web.json_response({"error": "no match", "field": None}, status=self.faults.announce)
        match_id = f"{new['home']}-{new['visit']}-{new['date']}"
        self.matches.add(match_id)
        squads = {"home_squad": [PLAYER], "visit_squad": [PLAYER]}
        return web.json_response({"id": match_id, **new, **squads}, status=201)

    async def cancel(self, request: web.Request) -> web.Response:
        self.matches.discard(request.match_info["id"])
        say(f"cancelled {request.match_info['id']}")
        return web.Response(status=204)

    async def team(self, request: web.Request) -> web.Response:
        return web.json_response(await request.json(), status=201)

    async def count_posts(self, _: web.Request) -> web.Response:
        return web.json_response({"posts": self.posts})

    async def list_matches(self, request: web.Request) -> web.Response:
        matches = [
            {"id": one, "date": "2026-01-01", "home": "a", "visit": "b", "home_squad": [], "visit_squad": []}
            for one in sorted(self.matches)
        ]
        return web.json_response({"matches": matches})


def say(line: str, stream: TextIO = sys.stderr) -> None:
    stream.write(f"{line}\n")
    stream.flush()


def parse(stage: str) -> Faults:
    """Return the faults that a stage's name spells."""
    kinds = {one.name: one.type for one in fields(Faults)}
    chosen = dict(part.split("=") for part in stage.split(",")) if "=" in stage else {}
    return Faults(**{name: kinds[name](value) for name, value in chosen.items()})  # type: ignore[operator]


async def main(arguments: list[str]) -> int:
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    if arguments[0] == "lessons":
        say("sysctl  what the kernel keeps for each network namespace", sys.stdout)
        return 0
    faults = parse(options["--stage"])
    if faults.mute == 2:
        say("loading\nfake: port taken\n")
        return 2
    fake = Fake(faults, os.environ.get("MATCHSTREAM_TOKEN", ""))
    fake.start_nodes(int(options.get("--nodes", 0)))
    if faults.taken:
        fake.matches.add("elp-tig-2011-09-10")
    host = options.get("--host", "127.0.0.1")
    server = await asyncio.start_server(fake.fan, host, int(options["--port"]), backlog=1024)
    app = web.Application()
    app.router.add_get("/1/checkin", fake.checkin)
    app.router.add_get("/1/matches", fake.list_matches)
    app.router.add_get("/1/posts", fake.count_posts)
    app.router.add_put("/1/team/{id}", fake.team)
    app.router.add_post("/1/matches", fake.create)
    app.router.add_post("/1/match/{id}/events", fake.post)
    app.router.add_delete("/1/match/{id}", fake.cancel)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, host, int(options["--http-port"])).start()
    fans, http = server.sockets[0].getsockname()[1], runner.addresses[0][1]
    if faults.mute == 3:
        say("ready fans=nowhere http=nowhere", sys.stdout)
    if not faults.mute:
        say(f"ready fans={host}:{fans} http={host}:{http}", sys.stdout)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await over.wait()
    for node in fake.nodes:
        node.communicate()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
