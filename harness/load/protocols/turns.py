"""What a fan says after its hello: one message after the other, each when the one before was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.load.protocols.reader import Callbacks
    from harness.load.workload import Turn


class Turns:
    """How far each fan is in its `turns`, of which something is kept only while it waits for an answer.

    `framed` returns a message as the protocol has it.
    """

    __slots__ = ("_callbacks", "_framed", "_next", "_turns")

    def __init__(self, turns: tuple[Turn, ...], callbacks: Callbacks, framed: Callable[[bytes], bytes]) -> None:
        self._turns = turns
        self._callbacks = callbacks
        self._framed = framed
        self._next: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._turns)

    def awaited(self, fan: int) -> bytes | None:
        """Return what the answer has in it that a fan waits for; None for the answer to its hello."""
        upto = self._next.get(fan)
        return None if upto is None else self._turns[upto - 1].until

    def go_on(self, fan: int) -> bool:
        """Have a fan say what comes next, up to what is answered; return whether it waits for an answer."""
        for index in range(self._next.pop(fan, 0), len(self._turns)):
            turn = self._turns[index]
            if turn.says:
                self._callbacks.say(fan, self._framed(self._callbacks.fill(fan, turn.says)))
            if turn.until is not None:
                self._next[fan] = index + 1
                return True
        return False

    def forget(self, fan: int) -> None:
        """Drop what is kept of a fan that hears no more."""
        self._next.pop(fan, None)
