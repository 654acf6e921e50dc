"""gen_fsm: a server whose messages go to the method of the state it is in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from common.otp.gen_server import GenServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from common.otp.signals import Reason

    State = Callable[[Any], Awaitable[None] | None]


class StateTimeout:
    """The message that a state gets when its time is up: one for each stay, told apart by identity."""

    __slots__ = ()


class GenFsm(GenServer):
    """A finite state machine: `next_state` says which method takes the messages from now on.

    Casts and other messages are handled alike. The time limit of a state counts from its beginning and is not renewed
    by messages (gen_statem's `state_timeout`, not gen_fsm's), so a peer cannot stay by sending a byte now and then.
    """

    _state: str  # a name: the method itself would tie the server to itself, and leave it to the garbage collector
    _timeout: StateTimeout | None = None
    _timer: asyncio.TimerHandle | None = None

    def next_state(self, state: State, timeout_s: float | None = None) -> None:
        """Enter `state`; after `timeout_s` seconds in it, it gets a `StateTimeout`."""
        self._stop_timer()
        self._state = state.__name__
        if timeout_s is not None:
            self._timeout = StateTimeout()
            self._timer = asyncio.get_running_loop().call_later(timeout_s, self.process.send, self._timeout)

    def handle_cast(self, message: Any) -> Awaitable[None] | None:  # whatever the states take
        """Hand the message to the current state."""
        return self._hand_to_state(message)

    def handle_info(self, message: Any) -> Awaitable[None] | None:  # whatever the states take
        """Hand the message to the current state; drop a timeout that is not of the state's present stay."""
        if isinstance(message, StateTimeout) and message is not self._timeout:
            return None
        return self._hand_to_state(message)

    def terminate(self, reason: Reason) -> Awaitable[None] | None:
        """Stop the timer; a subclass that has its own calls this one too."""
        del reason
        self._stop_timer()
        return None

    def _hand_to_state(self, message: Any) -> Awaitable[None] | None:  # whatever the states take
        state: State = getattr(self, self._state)
        return state(message)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._timeout = None
