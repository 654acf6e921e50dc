"""A match that a reporter taps on a phone, for fans in two browsers and one at `telnet`, while nodes are killed.

All of them know nginx only, and have every event once.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from common.http.client import ReporterClient
from common.wire.frames import epoch_of
from common.wire.reader import Frame, FrameReader, ResumedLine
from tests.needs import needs
from tests.stages.behind_nginx import behind, in_front_of, needs_nginx
from tests.stages.chromium import Shown, chromium, needs_chromium
from tests.stages.game import Game
from tests.stages.reporting import PHONE, Reporter
from tests.stages.serving import TOKEN, ServerProcess
from tests.stages.stage3.nodes import nodes_below
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser

    from common.wire.reader import Heard

pytestmark = [needs_chromium, needs_nginx, needs("telnet", "telnet")]

SERVED: Final = ("--nodes", "2", "--workers", "1", "--browser-port", "0")
_BEFORE: Final = re.compile(rb".*?Escape character is [^\n]*\n", re.DOTALL)
"""What `telnet` itself says; what the server says comes after that, with `\\r` left out."""
_PAUSE_S: Final = 0.1


class TelnetFan:
    """A fan at `telnet`, who comes again whenever the line breaks, and says what it heard last."""

    def __init__(self, address: tuple[str, int], match_id: str) -> None:
        self._address = address
        self._match_id = match_id
        self._heard: list[Heard] = []
        self._now: list[Heard] = []

    @property
    def heard(self) -> list[Heard]:
        return self._heard + self._now

    @property
    def frames(self) -> list[Frame]:
        return [element for element in self.heard if isinstance(element, Frame)]

    @property
    def resumed(self) -> list[str]:
        return [element.message for element in self.heard if isinstance(element, ResumedLine)]

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[TelnetFan]:
        """Watch, until the match is over."""
        watching = asyncio.create_task(self._watch())
        try:
            await eventually(lambda: bool(self.frames), "a fan at telnet watches")
            yield self
            async with asyncio.timeout(DEADLINE_S):
                await watching
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _watch(self) -> None:
        while not self.frames or self.frames[-1].kind != "stop":
            await self._call()
            self._heard, self._now = self.heard, []
            await asyncio.sleep(_PAUSE_S)

    async def _call(self) -> None:
        """Connect, and hear what comes until the line breaks."""
        pipe = asyncio.subprocess.PIPE
        telnet = await asyncio.create_subprocess_exec("telnet", *map(str, self._address), stdin=pipe, stdout=pipe)
        assert telnet.stdin is not None
        assert telnet.stdout is not None
        place = ":{}:{}".format(*self.frames[-1].place or ()) if self.frames else ""
        telnet.stdin.write(f"V:3:me:{self._match_id}{place}\n".encode())
        raw = b""
        try:
            while data := await telnet.stdout.read(65536):
                raw += data
                if _BEFORE.match(raw):
                    said = _BEFORE.sub(b"", raw, count=1).replace(b"\n\n", b"\n\r\n")
                    self._now = list(FrameReader().feed(said))
        finally:
            if telnet.returncode is None:
                telnet.kill()
            await telnet.wait()


async def watched(browser: Browser, url: str, match_id: str, width: int) -> Shown:
    shown = Shown(await browser.new_page(viewport={"width": width, "height": 800}))
    await shown.page.goto(f"{url}/match/{match_id}")
    await shown.says("#link", "live")
    await shown.says("#events", "Kick-off")
    return shown


async def test_all_who_watch_have_every_event_once_while_each_node_is_killed(tmp_path: Path) -> None:
    with ServerProcess("4", tmp_path, *SERVED) as server:
        async with in_front_of(tmp_path, *behind(server)) as front, ReporterClient(front.url, TOKEN) as api:
            game = await Game.announced(api, "phone")
            async with chromium() as phone, chromium() as first, chromium() as second:
                reporter = await Reporter.at(phone, front.url, game.id, PHONE)
                await reporter.sign_in()
                await reporter.line_up((1, 7), (10, 12))
                await reporter.says("#said", "Accepted: Kick-off")
                pages = [await watched(browser, front.url, game.id, 1100) for browser in (first, second)]
                async with TelnetFan(front.fans, game.id).watching() as fan:
                    for number, player, plays in ((0, 7, ("Shot", "Corner")), (1, 1, ("Foul", "Offside"))):
                        await reporter.goal(player)
                        await kill_node(server, number)
                        for words in plays:
                            await reporter.more(1, words)
                        await reporter.tap(reporter.player(player).locator(".yellow"))
                        await reporter.answered()
                        for shown in pages:
                            await shown.says("#events", plays[-1])
                        await all_are_there(server)
                    await reporter.substitute(7, 12)
                    await reporter.show("visit")
                    await reporter.tap(reporter.player(12).locator(".red"))
                    await reporter.tap(reporter.button("Full time"))
                    await reporter.choose("Full time")
                    await reporter.answered()
                for shown in pages:
                    await shown.says("#link", "the match is over")
                await reporter.says("#events", "Full time")
                history = await game.api.history(game.id)
                told = await reporter.events()
                assert [await shown.events() for shown in pages] == [told, told]
                assert await pages[0].text("#home-score") == "2"
                for shown in (reporter, *pages):
                    assert shown.complaints == []
                    assert shown.asked == {front.url}
    kinds = ["goal", "shot", "corner", "card", "goal", "foul", "offside", "card", "substitution", "card", "stop"]
    assert [event.kind for event in history] == ["start", *kinds]
    assert len(told) == len(history)
    status, *frames = fan.frames
    assert status.kind == "status"
    assert [(frame.kind, frame.place) for frame in frames] == [
        (event.kind, (event.seq, epoch_of(event.at))) for event in history[1:]
    ]
    assert fan.resumed


async def kill_node(server: ServerProcess, number: int) -> None:
    """End one of the nodes as a crash would."""
    nodes = nodes_below(server.pid)
    os.kill(nodes[sorted(nodes)[number]], signal.SIGKILL)


async def all_are_there(server: ServerProcess) -> None:
    """Return when each node serves."""

    async def serve() -> bool:
        half = len(server.http_ports) // 2
        for port in (server.http_ports[0], server.http_ports[half]):
            try:
                async with ReporterClient(f"http://{server.host}:{port}") as api:
                    await api.checkin()
            except Exception:
                return False
        return True

    await eventually(serve, "the node is back")
