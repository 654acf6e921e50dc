"""A WebSocket server as one writes it for uvicorn: every client of `/live` hears what is posted to `/post`.

`python -m harness.targets.peers.uvicorn_server HOST PORT` runs until it is ended.
"""

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uvicorn

from harness.targets.peers.peer import BACKLOG

_Message = dict[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

_fans: set[_Send] = set()


async def app(scope: _Message, receive: _Receive, send: _Send) -> None:
    """Serve a connection, or a request (ASGI 3)."""
    if scope["type"] == "websocket":
        await _hold(receive, send)
    elif scope["type"] == "http":
        await _post(receive, send)


async def _hold(receive: _Receive, send: _Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    _fans.add(send)
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        _fans.discard(send)


async def _post(receive: _Receive, send: _Send) -> None:
    line = (await receive())["body"].decode()
    for fan in list(_fans):
        await fan({"type": "websocket.send", "text": line})
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    """Serve where the command line says. Fans only listen: they are not asked whether they are there."""
    host, port = arguments
    uvicorn.run(
        app,
        host=host,
        port=int(port),
        backlog=BACKLOG,
        lifespan="off",
        log_level="warning",
        access_log=False,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
    )


if __name__ == "__main__":
    main()
