"""What fans of a test come to, turn by turn: a socket that listens, and the epoll object that they are in."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

import pytest

from tests.harness.known_servers import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener


@pytest.fixture
def epoll() -> Iterator[select.epoll]:
    with select.epoll() as epoll:
        yield epoll
