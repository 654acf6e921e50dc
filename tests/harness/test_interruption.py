"""An interruption is obeyed where a trial waits, and nowhere else."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from harness.interruption import (
    interrupted_at_once,
    interruptions_deferred,
    raise_if_interrupted,
    run_interruptibly,
    sleep_interruptibly,
)

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Have SIGTERM raise, as in the harness, and all as it was after the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@BOTH
def test_it_waits_for_who_looks(number: signal.Signals) -> None:
    with interruptions_deferred():
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            raise_if_interrupted()


def test_each_is_obeyed_once() -> None:
    with interruptions_deferred():
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                raise_if_interrupted()
            raise_if_interrupted()


def interrupted(error: type[Exception] | None = None) -> None:
    """Be interrupted and do not look; raise `error`."""
    with interruptions_deferred():
        signal.raise_signal(signal.SIGINT)
        if error is not None:
            raise error


def test_one_that_nobody_looked_for_is_obeyed_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    raise_if_interrupted()


def test_an_error_inside_is_what_is_told() -> None:
    with pytest.raises(LookupError):
        interrupted(LookupError)
    raise_if_interrupted()


@BOTH
def test_outside_it_is_obeyed_at_once_as_before(number: signal.Signals) -> None:
    with interruptions_deferred():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_what_the_process_ignores_is_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptions_deferred():
        signal.raise_signal(signal.SIGINT)
        raise_if_interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@BOTH
def test_a_coroutine_that_sleeps_is_cancelled(number: signal.Signals) -> None:
    undone = []

    async def sleep() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            undone.append(True)

    with interruptions_deferred(), pytest.raises(KeyboardInterrupt):
        run_interruptibly(sleep())
    assert undone


def test_one_that_came_before_cancels_too() -> None:
    with interruptions_deferred():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            run_interruptibly(asyncio.sleep(60))


@BOTH
def test_a_system_call_that_lasts_is_interrupted_where_that_is_allowed(number: signal.Signals) -> None:
    ours, theirs = socket.socketpair()
    told = threading.Thread(target=os.kill, args=(os.getpid(), number))

    def hear_nothing() -> None:
        with interrupted_at_once():
            told.start()
            ours.recv(1)

    with ours, theirs, interruptions_deferred():
        ours.settimeout(60)
        with pytest.raises(KeyboardInterrupt):
            hear_nothing()
    told.join()


def test_one_that_came_before_does_not_begin_to_wait() -> None:
    with interruptions_deferred():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interrupted_at_once():
            pytest.fail("it was interrupted before this")
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            sleep_interruptibly(60)


def test_what_was_allowed_is_so_no_longer_after_it() -> None:
    with interruptions_deferred():
        with interrupted_at_once():
            run_interruptibly(asyncio.sleep(0))
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            raise_if_interrupted()


def test_a_coroutine_that_cancels_itself_was_not_interrupted() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with interruptions_deferred(), pytest.raises(asyncio.CancelledError):
        run_interruptibly(cancelled())


@BOTH
def test_outside_a_trial_a_coroutine_is_interrupted_as_well(number: signal.Signals) -> None:
    async def sleep() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(sleep())


def test_what_a_coroutine_returns_and_raises_is_passed_on() -> None:
    async def fail() -> None:
        raise LookupError

    assert run_interruptibly(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(LookupError):
        run_interruptibly(fail())
