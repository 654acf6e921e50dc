"""The clock that the other tests of this package rely on."""

import asyncio
import socket

import pytest

from tests.virtual_time import DeadlockError, idle, now_s, run_virtual


def test_time_jumps_to_the_next_timer() -> None:
    async def main() -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def wait(name: str, delay_s: float) -> None:
            await asyncio.sleep(delay_s)
            seen.append((name, now_s()))

        async with asyncio.TaskGroup() as group:
            group.create_task(wait("a month", 30 * 86400.0))
            group.create_task(wait("a minute", 60.0))
        return seen

    assert run_virtual(main()) == [("a minute", 60.0), ("a month", 30 * 86400.0)]


def test_a_deadlock_is_an_error_that_names_the_tasks() -> None:
    async def main() -> None:
        await asyncio.create_task(asyncio.Event().wait(), name="waits-for-ever")

    with pytest.raises(DeadlockError, match="waits-for-ever"):
        run_virtual(main())


def test_registered_io_is_no_deadlock() -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            far.setblocking(False)
            reading = asyncio.create_task(loop.sock_recv(near, 10))
            loop.call_later(3600.0, far.send, b"late")
            return await reading

    assert run_virtual(main()) == b"late"


def test_idle_returns_when_everybody_else_waits() -> None:
    async def main() -> int:
        steps = 0

        async def work() -> None:
            nonlocal steps
            for _ in range(1000):
                await asyncio.sleep(0)
                steps += 1

        working = asyncio.create_task(work())
        await idle()
        assert working.done()
        return steps

    assert run_virtual(main()) == 1000


async def test_the_tests_of_this_package_run_on_virtual_time() -> None:
    await asyncio.sleep(1e6)
    assert now_s() == 1e6
