"""The client's states on virtual time: who does not get on within a minute is closed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from common.otp import Node
from common.wire.frames import WELCOME
from stages.stage0.client import CLOSED, LINGER_S, STATE_TIMEOUT_S, Client, Connected, SocketPort
from stages.stage0.messages import Dismissal, Notification, Status
from stages.traffic import Drop, Traffic
from tests.virtual_time import idle, now_s, run_virtual

if TYPE_CHECKING:
    from common.otp import Process
    from stages.stage0.parts import Parts, Stage


class FakeTransport(asyncio.Transport):
    """Keeps what is written; `unread` bytes are never taken by the peer."""

    def __init__(self, unread: int = 0) -> None:
        super().__init__()
        self.written = b""
        self.done: list[tuple[str, float]] = []
        self._unread = unread

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self._unread

    def write_eof(self) -> None:
        self.done.append(("eof", now_s()))

    def close(self) -> None:
        self.done.append(("close", now_s()))

    def abort(self) -> None:
        self.done.append(("abort", now_s()))


@dataclass(slots=True)
class Connection:
    """A client process, its port and its transport."""

    process: Process
    transport: FakeTransport
    port: SocketPort = field(init=False)

    def __post_init__(self) -> None:
        self.port = SocketPort(self.process, 0.0)
        self.port.connection_made(self.transport)


@pytest.fixture
def parts(stage: Stage) -> Parts:
    return replace(stage.parts, traffic=Traffic())


async def start(parts: Parts) -> Process:
    return await Node().start(parts.client(parts))


async def start_connected(parts: Parts, unread: int = 0) -> Connection:
    return Connection(await start(parts), FakeTransport(unread))


def test_a_socket_that_never_arrives_ends_the_client(parts: Parts) -> None:
    async def main() -> None:
        client = await start(parts)
        await asyncio.sleep(STATE_TIMEOUT_S - 1)
        assert client.alive
        await client.wait()
        assert now_s() == STATE_TIMEOUT_S

    run_virtual(main())


def test_the_minute_of_the_greeting_starts_with_the_socket(parts: Parts) -> None:
    async def main() -> None:
        client = await start(parts)
        await asyncio.sleep(STATE_TIMEOUT_S - 1)
        transport = FakeTransport()
        client.cast(Connected(SocketPort(client, 0.0), transport, 0.0))
        await idle()
        assert transport.written == WELCOME
        await client.wait()
        assert now_s() == 2 * STATE_TIMEOUT_S - 1

    run_virtual(main())


def test_who_says_nothing_is_told_and_closed(parts: Parts) -> None:
    async def main() -> None:
        fan = await start_connected(parts)
        await fan.process.wait()
        assert now_s() == STATE_TIMEOUT_S
        error = fan.transport.written.removeprefix(WELCOME)
        assert error.startswith(b"ERROR: nothing was said for 60 s")
        assert error.count(b"\n") == 1
        assert fan.transport.done == [("eof", STATE_TIMEOUT_S)]
        assert +parts.traffic.drops == {Drop.SILENCE: 1}

    run_virtual(main())


def test_a_byte_now_and_then_does_not_renew_the_minute(parts: Parts) -> None:
    async def main() -> None:
        fan = await start_connected(parts)
        for byte in b"V:2:" + b"x" * 100:
            fan.port.data_received(bytes([byte]))
            await asyncio.sleep(1)
            if not fan.process.alive:
                break
        assert now_s() == STATE_TIMEOUT_S
        assert b"ERROR: nothing was said" in fan.transport.written

    run_virtual(main())


def test_a_refused_fan_that_stays_is_cut_off(parts: Parts) -> None:
    async def main() -> None:
        fan = await start_connected(parts)
        fan.port.data_received(b"nonsense\n")
        await fan.process.wait()
        await asyncio.sleep(LINGER_S + 1)
        assert fan.transport.done == [("eof", 0), ("abort", LINGER_S)]

    run_virtual(main())


def test_a_fan_that_goes_away_ends_its_client_at_once(parts: Parts) -> None:
    async def main() -> None:
        fan = await start_connected(parts)
        fan.port.data_received(b"V:2:ha")
        fan.port.connection_lost(ConnectionResetError())
        await fan.process.wait()
        await asyncio.sleep(LINGER_S + 1)
        assert fan.transport.done == [("close", 0)]
        assert +parts.traffic.drops == {Drop.BROKEN: 1}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())


def run_to_its_last_event(parts: Parts, unread: int) -> FakeTransport:
    """Have a client that is running pass on its last event to a peer that leaves `unread` bytes of it."""

    async def main() -> FakeTransport:
        fan = await start_connected(parts, unread)
        await idle()
        client = fan.process.server
        assert isinstance(client, Client)
        client.next_state(client.running)
        fan.process.cast(Status(b"one", is_last=False))
        await asyncio.sleep(10 * STATE_TIMEOUT_S)  # a match may be dull
        fan.process.cast(Notification(2, b"two", is_last=True, accepted_at=datetime.now(UTC)))
        await fan.process.wait()
        await asyncio.sleep(LINGER_S + 1)
        return fan.transport

    return run_virtual(main())


def test_the_connection_is_closed_after_the_last_event(parts: Parts) -> None:
    transport = run_to_its_last_event(parts, unread=0)
    assert transport.written == WELCOME + b"onetwo"
    assert transport.done == [("close", 10 * STATE_TIMEOUT_S)]


def test_a_fan_that_does_not_read_is_cut_off_after_the_last_event(parts: Parts) -> None:
    transport = run_to_its_last_event(parts, unread=1)
    assert transport.done == [("close", 10 * STATE_TIMEOUT_S), ("abort", 10 * STATE_TIMEOUT_S + LINGER_S)]


def test_a_fan_that_is_sent_away_is_told_why_and_closed(parts: Parts) -> None:
    async def main() -> None:
        fan = await start_connected(parts)
        await idle()
        client = fan.process.server
        assert isinstance(client, Client)
        client.next_state(client.running)
        fan.process.cast(Status(b"one", is_last=False))
        fan.process.cast(Dismissal(b"why"))
        await fan.process.wait()
        assert fan.transport.written == WELCOME + b"onewhy"
        assert fan.transport.done == [("close", 0)]
        assert (parts.traffic.greetings, parts.traffic.deliveries) == (1, 1)

    run_virtual(main())


def test_a_fan_that_goes_away_from_a_match_ends_its_client(parts: Parts) -> None:
    async def main() -> None:
        fan = await start_connected(parts)
        await idle()
        client = fan.process.server
        assert isinstance(client, Client)
        client.next_state(client.running)
        fan.process.send(CLOSED)
        await fan.process.wait()

    run_virtual(main())


def test_a_socket_whose_client_has_ended_is_closed(parts: Parts) -> None:
    async def main() -> None:
        client = await start(parts)
        client.kill()
        await client.wait()
        transport = FakeTransport()
        SocketPort(client, 0.0).connection_made(transport)
        assert transport.done == [("abort", 0)]

    run_virtual(main())
