"""`harness measure --web :8089`: a trial in a browser while it is made, and its page when it is over.

The page asks for what is new once a second (`GET /now`), and draws it with the files of the lab's page of a server
(`common.http.site`): where the server is one of this project's, what it tells of itself stands beside the trial as on
its own page, which is linked. The page of the result has charts of another kind (`harness.show.trial_page`). The button
ends the trial as Ctrl-C does (`POST /stop`): who may do so has the key that is in the page, which no other site can
read. It is served by a thread of its own from before anything is started, in the machine's own network.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import threading
import time
from contextlib import ExitStack
from functools import partial
from html import escape
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
from aiohttp import web
from rich.console import Console

from common.addresses import AddressError, parse_one
from common.http import site
from common.http.page_files import POLICY, read_files
from harness.errors import HarnessError
from harness.show.live.course import Pace, Told
from harness.show.live.moments import Moments
from harness.show.live.screen import show_trial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from common.http.page_files import File
    from harness.targets.poller import Look

_LOOPBACK: Final = "127.0.0.1"
_COLUMNS: Final = 96
_STARTS_IN_S: Final = 10.0
_ENDS_IN_S: Final = 5.0
_LOOKED_AT_S: Final = 3.0
"""Who has not asked for so long has no page open any more."""
_FETCHES_IN_S: Final = 10.0
"""How long whoever has may take to fetch that of the result."""

_PAGE: Final = Path(__file__).with_name("page.html")
"""In which `%TITLE%` and `%KEY%` stand for what they say."""
_SCRIPT: Final = _PAGE.with_suffix(".js")
_LAB: Final = ("lab", "uPlot")
"""What the names of the files begin with that the lab's page has, too."""


class NoPageError(HarnessError):
    """The page cannot be served where it was asked for."""


def parse_web_address(text: str) -> tuple[str, int]:
    """Return where `[HOST]:PORT` says; without a host it is this machine's loopback. Raise NoPageError.

    Port 0 is any that is free, as for the servers of this project.
    """
    host, _, port = text.rpartition(":")
    if port == "0":
        return (host.strip("[]") or _LOOPBACK, 0)
    try:
        return parse_one(f"{_LOOPBACK}{text}" if not host else text)
    except AddressError as error:
        raise NoPageError(f"--web: {error}") from None


class WebScreen:
    """Serves the page of a trial at `address`, which people call `title`; a context manager, and a Screen.

    Entering it raises NoPageError where nothing can be served there. `url` is where the page is. `conclude` puts the
    page of the result in its place, and gives a browser that looks at it the time to fetch that.
    """

    def __init__(self, address: tuple[str, int], name: str, n: int, title: str) -> None:
        self._address = address
        self._name = name
        self._n = n
        self._title = title
        self._key = secrets.token_hex(16)
        self._moments = Moments()
        self._now: dict[str, Any] = {"over": False, **_now(Told(), Pace()), "moments": {}, "tables": "", "nodes": []}
        self._result = ""
        self._asked_at_s = -_LOOKED_AT_S
        self._fetched = threading.Event()
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._cleanup = ExitStack()
        self.url = ""

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._serve, name="web", daemon=True)
        thread.start()
        self._ready.wait(_STARTS_IN_S)
        if self._failure is not None:
            thread.join()
            host, port = self._address
            reason = self._failure.strerror or self._failure
            raise NoPageError(f"no page can be served at {host}:{port} ({reason}): choose another --web")
        self._cleanup.callback(thread.join, _ENDS_IN_S)
        self._cleanup.callback(self._loop.call_soon_threadsafe, self._over.set)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def show(self, told: Told, pace: Pace, looks: Sequence[Look]) -> None:
        """Have the page show it; see `harness.show.live.trial.Screen`."""
        self._moments.add(pace)
        paper = Console(
            file=StringIO(), width=_COLUMNS, color_system=None, force_terminal=False, markup=False, emoji=False
        )
        with paper.capture() as tables:
            paper.print(show_trial(self._name, self._n, told, pace, ()))
        self._now = {
            "over": False,
            **_now(told, pace),
            "moments": self._moments.columns(),
            "tables": tables.get(),
            "nodes": [
                {"page": f"{look.address}/lab", "statistics": look.now.statistics}
                for look in looks
                if look.now is not None
            ],
        }

    def conclude(self, page: str) -> None:
        """Show the page of the result instead, to who looks at it now."""
        self._result = page
        self._now = {"over": True}
        if time.monotonic() - self._asked_at_s < _LOOKED_AT_S:
            self._fetched.wait(_FETCHES_IN_S)

    def _serve(self) -> None:
        try:
            asyncio.run(self._serve_until_over())
        except OSError as error:
            self._failure = error
            self._ready.set()

    async def _serve_until_over(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_get("/", self._get_page)
        app.router.add_get("/now", self._get_now)
        app.router.add_get("/page.js", _get_script)
        for name, file in read_files(site.__name__).items():
            if name.startswith(_LAB):
                app.router.add_get(site.path_of(name), partial(_get_file, file))
        app.router.add_get("/result", self._get_result)
        app.router.add_post("/stop", self._post_stop)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_ENDS_IN_S / 2)
        await runner.setup()
        host, port = self._address
        try:
            await web.TCPSite(runner, host, port).start()
            port = runner.addresses[0][1]
            self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
            self._ready.set()
            await self._over.wait()
        finally:
            await runner.cleanup()
            await asyncio.sleep(0)  # in which what was closed is let go

    async def _get_page(self, _: web.Request) -> web.Response:
        page = _PAGE.read_text()
        for name, text in (("TITLE", escape(self._title)), ("KEY", self._key)):
            page = page.replace(f"%{name}%", text)
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    async def _get_now(self, _: web.Request) -> web.Response:
        self._asked_at_s = time.monotonic()
        return web.Response(body=msgspec.json.encode(self._now), content_type="application/json")

    async def _get_result(self, _: web.Request) -> web.Response:
        if not self._result:
            raise web.HTTPNotFound(text="the trial is not over")
        self._loop.call_later(0.5, self._fetched.set)  # when the page is on its way
        return web.Response(text=self._result, content_type="text/html")

    async def _post_stop(self, request: web.Request) -> web.Response:
        if not secrets.compare_digest(request.headers.get("X-Key", "").encode(), self._key.encode()):
            raise web.HTTPForbidden(text="only the page of this trial may end it")
        os.kill(os.getpid(), signal.SIGINT)
        return web.Response(text="it is being ended")


def _now(told: Told, pace: Pace) -> dict[str, Any]:
    fans = pace.progress
    done = fans.settled if told.phase == "connecting" else told.accepted + told.refused
    return {"phase": told.phase, "total": told.total, "done": min(done, told.total)}


async def _get_script(_: web.Request) -> web.Response:
    return web.Response(text=_SCRIPT.read_text(), content_type="text/javascript")


async def _get_file(file: File, _: web.Request) -> web.Response:
    return web.Response(body=file.body, headers=file.headers)
