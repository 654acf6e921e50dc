"""gen_server: a server as the callbacks that a process runs, one message at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from common.otp.node import Node
    from common.otp.process import Process, ReplyTo
    from common.otp.signals import Reason


class GenServer:
    """Base of all servers; the instance is the state (OTP: `gen_server`).

    Each callback may be a plain method or a coroutine method: what need not wait should not pay for a coroutine. A
    callback ends its process by raising `Stop(reason)`; any other exception is a crash, which links and monitors see as
    the reason.
    """

    trap_exit: ClassVar[bool] = False
    """Whether the exit of a linked process arrives as an `Exit` message instead of ending this one too."""

    process: Process
    """The process that runs this server; set before `init`."""

    @property
    def node(self) -> Node:
        """The node this server runs on."""
        return self.process.node

    async def init(self) -> None:
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

    async def terminate(self, reason: Reason) -> None:
        """Clean up; called once at the end, with the reason, unless the process was killed."""
