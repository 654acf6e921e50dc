"""What a fan that is behind has not been sent yet: whole messages, but for the first, of which a part may be sent.

A message is the same bytes object for all who wait for it, so a fan that is behind costs a reference a message.
"""

from __future__ import annotations

import os
from collections import deque


class Unsent:
    """The messages that one fan's socket did not take, in order."""

    __slots__ = ("_messages", "size")

    def __init__(self, rest: bytes) -> None:
        self._messages = deque((rest,))
        self.size = len(rest)
        """Bytes in all."""

    def add(self, message: bytes) -> None:
        """Take one message more."""
        self._messages.append(message)
        self.size += len(message)

    def drop_whole(self) -> None:
        """Forget all but the first message: of that the fan may have a part already, and needs the rest."""
        first = self._messages[0]
        self._messages = deque((first,))
        self.size = len(first)

    def write(self, fd: int) -> bool:
        """Write what the socket takes; return whether that was all. Raise OSError if the connection has broken."""
        messages = self._messages
        while messages:
            message = messages[0]
            try:
                done = os.write(fd, message)
            except BlockingIOError:
                return False
            self.size -= done
            if done < len(message):
                messages[0] = message[done:]
                return False
            messages.popleft()
        return True
