"""gen_server: a server as the callbacks that a process runs, one message at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from common.otp.node import Node
    from common.otp.process import Process, ReplyTo
    from common.otp.signals import Reason


class _Done:
    """What can be awaited and does not wait."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


DONE: Final[Awaitable[None]] = _Done()
"""Returned by a plain callback that a coroutine in a subclass may await; a process takes it for None."""


class GenServer:
    """Base of all servers; the instance is the state (OTP: `gen_server`).

    Each callback may be a plain method or a coroutine method: what need not wait should not pay for a coroutine. A
    callback ends its process by raising `Stop(reason)`; any other exception is a crash, which links and monitors see as
    the reason.
    """

    __slots__ = ("process",)

    trap_exit: ClassVar[bool] = False
    """Whether the exit of a linked process arrives as an `Exit` message instead of ending this one too."""

    hibernates: ClassVar[bool] = False
    """Whether the process hibernates whenever its mailbox is empty (OTP: `hibernate` in what each callback returns).

    It has a task only while a callback waits, so a plain callback has none: `asyncio.current_task()` is None there.
    """

    many: ClassVar[bool] = False
    """Whether there may be a hundred thousand of its kind, one for each person: statistics do not tell their names."""

    process: Process
    """The process that runs this server; set before `init`."""

    @property
    def node(self) -> Node:
        """The node this server runs on."""
        return self.process.node

    def init(self) -> Awaitable[None] | None:
        """Prepare; whoever starts the process waits for it. An exception here is what the starter gets."""

    def handle_call(self, request: Any, reply_to: ReplyTo) -> Any | Awaitable[Any]:  # by server
        """Answer a call: return the reply, `Failure(error)` to have it raised there, or `NO_REPLY` to `reply` later."""
        raise NotImplementedError(f"{type(self).__name__} does not take calls: {request!r} ({reply_to!r})")

    def handle_cast(self, message: Any) -> Awaitable[None] | None:  # whatever the server takes
        """Handle a cast."""
        raise NotImplementedError(f"{type(self).__name__} does not take casts: {message!r}")

    def handle_info(self, message: Any) -> Awaitable[None] | None:  # whatever the server takes
        """Handle any other message: `Exit`, `Down`, timers, sockets."""
        raise NotImplementedError(f"{type(self).__name__} does not take messages: {message!r}")

    def terminate(self, reason: Reason) -> Awaitable[None] | None:
        """Clean up; called once at the end, with the reason, unless the process was killed."""

    def close_port(self) -> None:
        """Close the socket of a process that was killed, at once: a port is linked to its owner and ends with it.

        Source: https://www.erlang.org/doc/system/ports ("If the port owner terminates, so does the port").
        """

    def reply_later(self, reply_to: ReplyTo, awaitable: Awaitable[Any]) -> None:
        """Work on a call beside the server's loop, and answer when done; `handle_call` returns `NO_REPLY`.

        What the awaitable returns is the reply, a `Failure` too, and the call raises what it raises. It runs in a task
        of its own, which is cancelled when the process ends; the caller gets a CallError then, as always.

        Source: the slides "Stage 2.3, gen_server: queued calls", `proc_lib:spawn_link` and `gen_server:reply/2`.
        """
        self.process.reply_later(reply_to, awaitable)

    def spawn(self, awaitable: Awaitable[object]) -> None:
        """Have something done beside the server's loop, in a task that ends with the process (`spawn_link/1`).

        What it raises ends the process, as if a callback had raised it: `Stop` too.
        """
        self.process.spawn(awaitable)
