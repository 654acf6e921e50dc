"""The talk's own figures, to stand beside what is measured here: "Scaling Erlang Web Applications", 2012.

They are from its author's machine of that time, and each row is at the N and C of its own stage.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class TalkRow:
    """What the talk says of a stage: connections held, connections started at once, mean response in seconds."""

    stage: str
    n: int
    c: int
    art_s: float


TALK: Final = (
    TalkRow("0", 1_000, 4, 26.0),  # slide: Stage 1, Results (the first of that name, after *Establishing a baseline*)
    TalkRow("1", 4_000, 4, 31.0),  # slide: Stage 1, Results
    TalkRow("2.1", 8_000, 500, 15.0),  # slide: Stage 2.1, Results
    TalkRow("2.2", 8_000, 1_000, 2.0),  # slide: Stage 2.2, Results
    TalkRow("2.3", 40_000, 5_000, 0.025),  # slide: Stage 2.3, Results
    TalkRow("2.4", 50_000, 8_000, 0.025),  # slide: Stage 2.4, Results
    TalkRow("2.5", 50_000, 8_000, 0.010),  # slide: Stage 2.5, Results
    TalkRow("3", 100_000, 32_000, 0.010),  # slide: Stage 3, Results (four nodes on one machine)
)
"""In the talk's order."""


def said(stage: str | None) -> TalkRow | None:
    """Return the talk's row of a stage, or None where it has none."""
    return next((row for row in TALK if row.stage == stage), None)
