"""What the nodes of a server told of their event loops, look by look, put on one clock. Pure.

A node tells moments of its own clock, as its uptime. How far that is behind time.monotonic here is what the look with
the fastest answer says: an answer can only come later, by as long as the node, the network or this process was busy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from common.otp.loop_lag import PERIOD_S
from harness.records.usage import LoopLag
from harness.trial.figures.usage import TRACE_STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.targets.poller import Look, Polled

_SAME_S: Final = PERIOD_S / 2
"""Samples are further apart than this. One that was told before comes again with its moment but for a rounding."""


@dataclass(slots=True)
class _Node:
    """What a node told between two of its starts: moments are of its uptime, `behind_s` is what they lack of ours."""

    uptime_s: float = 0.0
    behind_s: float = math.inf
    at_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)

    def add(self, seen: Polled) -> None:
        told = seen.statistics
        self.uptime_s = told.uptime_s
        self.behind_s = min(self.behind_s, seen.at_s - told.uptime_s)
        last_s = self.at_s[-1] if self.at_s else -math.inf
        for sample in () if told.loop_lag is None else told.loop_lag.samples:
            at_s = told.uptime_s - sample.ago_s
            if at_s > last_s + _SAME_S:
                self.at_s.append(at_s)
                self.late_s.append(sample.late_s)


class LagLog:
    """Collects what nodes tell of their loops."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._ended: list[_Node] = []

    def add(self, looks: Iterable[Look]) -> None:
        """Add what is new in these looks; of nodes that did not answer there is nothing."""
        for look in looks:
            if look.now is not None and look.away is None:
                self._node(look.now).add(look.now)

    def within(self, t0: float, over_s: float) -> LoopLag | None:
        """Return how late the loops were from `t0` on time.monotonic until `over_s` after it; None if nobody told.

        A timer that was due by then counts, so that the stall counts that was the end. There are `TRACE_STEPS` samples
        at most, but for those, and no more than one in `PERIOD_S`: the latest of all that fall together.
        """
        nodes = (*self._ended, *self._nodes.values())
        at_s = np.array([at_s + node.behind_s - t0 for node in nodes for at_s in node.at_s])
        late_s = np.array([late_s for node in nodes for late_s in node.late_s])
        is_within = (at_s >= 0.0) & (at_s - late_s <= over_s)
        at_s, late_s = at_s[is_within], late_s[is_within]
        if not at_s.size:
            return None
        step = (at_s // max(PERIOD_S, over_s / TRACE_STEPS)).astype(int)
        order = np.lexsort((late_s, step))
        latest = order[np.append(np.diff(step[order]) > 0, True)]  # the last step has one, too
        return LoopLag(at_s=tuple(at_s[latest].round(4).tolist()), late_s=tuple(late_s[latest].round(6).tolist()))

    def _node(self, seen: Polled) -> _Node:
        node = self._nodes.get(seen.statistics.node)
        if node is not None and seen.statistics.uptime_s < node.uptime_s:  # it was started anew
            self._ended.append(node)
            node = None
        if node is None:
            node = self._nodes[seen.statistics.node] = _Node()
        return node
