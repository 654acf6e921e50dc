"""A token bucket: how often something may happen in the long run, and how often at once.

Source: the bucket of RFC 2697, without its excess burst. Pure: whoever asks says what time it is.
"""

from __future__ import annotations


class TokenBucket:
    """Holds up to `burst` tokens, is full at first, and gains `rate_per_s` of them a second."""

    __slots__ = ("_at_s", "_burst", "_rate_per_s", "_tokens")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = self._tokens = burst
        self._at_s = float("-inf")

    def take(self, now_s: float) -> bool:
        """Take one token; return False if there is none. `now_s` is a moment of a clock that never goes back."""
        gained = (now_s - self._at_s) * self._rate_per_s
        self._tokens, self._at_s = min(self._burst, self._tokens + gained), now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
