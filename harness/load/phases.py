"""The phases of a fan, a byte each, in the order in which it goes through them."""

from __future__ import annotations

from typing import Final

PREPARED: Final = 0
"""It waits for its moment."""
CONNECTING: Final = 1
SECURING: Final = 2
"""Connected, and in the handshake of TLS."""
CONNECTED: Final = 3
"""And waits for the greeting."""
ASKED: Final = 4
WATCHING: Final = 5
STALLED: Final = 6
"""Answered, and reads no more."""
OVER: Final = 7
AWAY: Final = 8
"""It has no connection, and waits for the moment of its next try; then it is connecting again."""
