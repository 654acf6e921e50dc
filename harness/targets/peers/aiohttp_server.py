"""A WebSocket server as one writes it with aiohttp: every client of `/live` hears what is posted to `/post`.

`python -m harness.targets.peers.aiohttp_server HOST PORT` runs until it is ended.
"""

import sys
from collections.abc import Sequence

from aiohttp import web

from harness.targets.peers.peer import BACKLOG


async def _hold(request: web.Request) -> web.WebSocketResponse:
    fan = web.WebSocketResponse(compress=False)
    await fan.prepare(request)
    fans = request.app[_FANS]
    fans.add(fan)
    try:
        async for _ in fan:
            pass
    finally:
        fans.discard(fan)
    return fan


async def _post(request: web.Request) -> web.Response:
    line = (await request.read()).decode()
    fans = request.app[_FANS]
    for fan in list(fans):
        await fan.send_str(line)
    return web.Response(status=204)


_FANS: web.AppKey[set[web.WebSocketResponse]] = web.AppKey("fans", set)


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    """Serve where the command line says."""
    host, port = arguments
    app = web.Application()
    fans: set[web.WebSocketResponse] = set()
    app[_FANS] = fans
    app.router.add_get("/live", _hold)
    app.router.add_post("/post", _post)
    web.run_app(app, host=host, port=int(port), backlog=BACKLOG, access_log=None, print=None)


if __name__ == "__main__":
    main()
