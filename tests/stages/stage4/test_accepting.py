"""accept4(2) on sockets that listen, and on one that does not."""

from __future__ import annotations

import os
import socket

import pytest

from stages.stage4.accepting import accept


def test_a_connection_is_a_descriptor_that_does_not_block_and_is_not_passed_on() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as fan,
        socket.socket(fileno=accept(listening.fileno())) as server,
    ):
        assert not os.get_blocking(server.fileno())
        assert not os.get_inheritable(server.fileno())
        server.sendall(b"welcome")
        assert fan.recv(16) == b"welcome"


def test_who_does_not_wait_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            accept(listening.fileno())


def test_what_the_kernel_refuses_is_said_as_it_says_it() -> None:
    with socket.socket() as deaf, pytest.raises(OSError, match="Invalid argument"):
        accept(deaf.fileno())
