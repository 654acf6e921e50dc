"""The ports of a server: those that were asked for, or a range that is free."""

from __future__ import annotations

import itertools
import re
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from common.listening import CannotListenError, PortTakenError, reserve
from stages.catalogue import STAGES
from stages.options import Options
from stages.stage0.ports import bind_api, listen
from tests.loopback import OWN_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST: Final = OWN_ADDRESS
MANY: Final = 4
PARTS: Final = replace(STAGES["0"].parts, fan_listeners=MANY, http_listeners=MANY)


def options(port: int = 0, http_port: int = 0, host: str = HOST) -> Options:
    return Options(host=host, port=port, http_port=http_port, redis_url=None)


def ports_of(sockets: list[socket.socket]) -> list[int]:
    return [sock.getsockname()[1] for sock in sockets]


def close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port on which somebody listens, the third of four."""
    reserved = reserve(HOST, 0, MANY)
    close([*reserved[:2], reserved[3]])
    reserved[2].listen()
    yield ports_of([reserved[2]])[0]
    reserved[2].close()


def test_a_range_that_is_free_is_listened_on() -> None:
    sockets = listen(PARTS, options())
    try:
        first, *_ = ports = ports_of(sockets)
        assert ports == list(range(first, first + MANY))
        for port in ports:
            socket.create_connection((HOST, port)).close()
    finally:
        close(sockets)
    again = listen(PARTS, options(port=first))
    assert ports_of(again) == ports
    close(again)


async def test_the_apis_range_likewise() -> None:
    api = await bind_api(PARTS, options())
    try:
        assert list(api.ports) == list(range(api.ports[0], api.ports[0] + MANY))
    finally:
        await api.stop()


def test_a_reserved_range_may_be_listened_on_by_another() -> None:
    reserved = reserve(HOST, 0, MANY)
    first = ports_of(reserved)[0]
    sockets = listen(PARTS, options(port=first))
    assert ports_of(sockets) == ports_of(reserved)
    close([*sockets, *reserved])


def test_a_taken_port_is_named_and_nothing_is_left_bound(taken: int) -> None:
    message = f"cannot listen on {HOST}:{taken}: Address already in use; choose another --host, --port or --http-port"
    with pytest.raises(PortTakenError, match=f"^{re.escape(message)}$"):
        listen(PARTS, options(port=taken - 2))
    with pytest.raises(PortTakenError, match=f"^{re.escape(message)}$"):
        reserve(HOST, taken - 2, MANY)
    close(reserve(HOST, taken - 2, 2))


async def test_a_taken_port_of_the_api_is_named_and_nothing_is_left_bound(taken: int) -> None:
    message = f"cannot listen on {HOST}:{taken}: Address already in use; choose another --host, --port or --http-port"
    with pytest.raises(PortTakenError, match=f"^{re.escape(message)}$"):
        await bind_api(PARTS, options(http_port=taken - 2))
    close(reserve(HOST, taken - 2, 2))


async def test_a_range_that_is_taken_is_passed_over(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    firsts = itertools.cycle([taken - 2, taken + 1])
    monkeypatch.setattr("random.randrange", lambda *_: next(firsts))
    sockets = listen(PARTS, options())
    assert ports_of(sockets)[0] == taken + 1
    close(sockets)
    api = await bind_api(PARTS, options())
    assert api.ports[0] == taken + 1
    await api.stop()


async def test_a_range_that_another_server_has_reserved_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    reserved = reserve(HOST, 0, MANY)  # as the parent of nodes does, before they listen
    first = ports_of(reserved)[0]
    firsts = itertools.cycle([first + 1, first + MANY])
    monkeypatch.setattr("random.randrange", lambda *_: next(firsts))
    for take in (lambda: reserve(HOST, 0, MANY), lambda: listen(PARTS, options())):
        sockets = take()
        assert ports_of(sockets)[0] == first + MANY
        close(sockets)
    api = await bind_api(PARTS, options())
    assert api.ports[0] == first + MANY
    await api.stop()
    close(reserved)


async def test_where_no_range_is_free_it_is_said(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.randrange", lambda *_: taken - 2)
    message = f"^found no {MANY} free ports in a row: choose a --port and an --http-port$"
    with pytest.raises(CannotListenError, match=message):
        listen(PARTS, options())
    with pytest.raises(CannotListenError, match=message):
        reserve(HOST, 0, MANY)
    with pytest.raises(CannotListenError, match=message):
        await bind_api(PARTS, options())


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 70])
def test_a_host_that_is_not_here_is_said_at_once(host: str) -> None:
    with pytest.raises(
        CannotListenError, match=rf"^cannot listen on {host}:\d+: .*; choose another --host, --port or --http-port$"
    ):
        listen(PARTS, options(host=host))
