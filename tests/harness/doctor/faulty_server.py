"""A server of lines with one fault: `python -m tests.harness.doctor.faulty_server FAULT [PORT OF A STORE]`.

It says where it listens in the first line of its standard output, which is a pipe.
"""

import asyncio
import hashlib
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable

from harness.doctor.listeners import listeners

LIMIT = 5
"""Of who is refused, and of the accept queue."""
WHO_TRY = 3
"""Connections before the wave: one that sees whether anybody is there, a fan, and one that says nothing."""


def serve_lines(act: Callable[[int], bytes]) -> None:
    """Answer each line of a fan, the k-th that came, with `act(k)`."""
    came = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        if await reader.readline():  # who says nothing only listens whether it is greeted
            came += 1
            writer.write(act(came))
            await reader.read()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
        tell(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def tell(port: int) -> None:
    os.write(1, b"%d\n" % port)


def accept_seldom() -> None:
    """Accept who is there, ten times a second; after those who try, nobody until somebody was turned away."""
    with socket.create_server(("127.0.0.1", 0), backlog=LIMIT) as listener:
        port = listener.getsockname()[1]
        tell(port)
        listener.setblocking(False)
        fans: list[socket.socket] = []
        while True:
            time.sleep(0.1)
            if len(fans) >= WHO_TRY and not listeners([port])[port].drops:
                continue
            try:
                while True:
                    fan, _ = listener.accept()
                    fan.settimeout(10)
                    fan.recv(100)
                    fan.sendall(b"ok\n")
                    fans.append(fan)
            except BlockingIOError:
                pass


def good(_: int) -> bytes:
    return b"ok\n"


def logs(_: int) -> bytes:
    os.write(1, b"x" * 100_000)  # more than a pipe has room for
    return b"ok\n"


def logs_to_a_terminal(_: int) -> bytes:
    os.write(2, b"x" * 8_000)  # twice what a terminal has room for
    return b"ok\n"


def sleeps(_: int) -> bytes:
    time.sleep(0.02)
    return b"ok\n"


def waits_for_a_thread(_: int) -> bytes:
    threading.Event().wait(0.02)  # for one that does not come
    return b"ok\n"


def computes(_: int) -> bytes:
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 40_000)
    return b"ok\n"


def refuses(came: int) -> bytes:
    return b"ok\n" if came <= LIMIT else b"-ERR full\n"


def is_overloaded(came: int) -> bytes:
    if came <= LIMIT:
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


def asks(store: socket.socket) -> Callable[[int], bytes]:
    def act(_: int) -> bytes:
        store.sendall(b"?\n")
        store.recv(10)
        return b"ok\n"

    return act


def main() -> None:
    match sys.argv[1:]:
        case ["files"]:
            resource.setrlimit(resource.RLIMIT_NOFILE, (24, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            serve_lines(good)
        case ["backlog"]:
            accept_seldom()
        case ["store", port]:
            serve_lines(asks(socket.create_connection(("127.0.0.1", int(port)))))
        case [fault]:
            acts = {
                "none": good,
                "log": logs,
                "terminal": logs_to_a_terminal,
                "sleep": sleeps,
                "lock": waits_for_a_thread,
                "cpu": computes,
                "limit": refuses,
                "overloaded": is_overloaded,
            }
            serve_lines(acts[fault])


if __name__ == "__main__":
    main()
