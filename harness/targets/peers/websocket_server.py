"""A WebSocket server as one writes it with the `websockets` package: every client hears what comes on another port.

`python -m harness.targets.peers.websocket_server HOST FANS_PORT POSTS_PORT`: each line at the second port goes to all
clients as a text message, and is answered with `ok`. It runs until it is ended.
"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence

from websockets.asyncio.server import ServerConnection, broadcast, serve

from harness.targets.peers.peer import BACKLOG

ACK = b"ok\n"
"""The answer to a line that was handed to all connections."""


async def run(host: str, fans_port: int, posts_port: int) -> None:
    """Serve for ever. Fans only listen: they are not asked whether they are there, and nothing is compressed."""

    async def hold(fan: ServerConnection) -> None:
        await fan.wait_closed()

    async with serve(hold, host, fans_port, compression=None, ping_interval=None, backlog=BACKLOG) as fans:

        async def take(reader: StreamReader, writer: StreamWriter) -> None:
            while line := await reader.readline():
                broadcast(fans.connections, line.rstrip(b"\n").decode())
                writer.write(ACK)
            writer.close()

        async with await asyncio.start_server(take, host, posts_port) as posts:
            await posts.serve_forever()


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    """Serve where the command line says."""
    host, fans_port, posts_port = arguments
    asyncio.run(run(host, int(fans_port), int(posts_port)))


if __name__ == "__main__":
    main()
