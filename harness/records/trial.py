"""What a trial leaves behind: one JSON file that says what was asked and seen, what bound first, and on which machine.

The types below are the format: the JSON Schema that `harness schema` prints is made from them, and a stored result
is read back through them. A change that an older reader would misread needs a new number at the end of `SCHEMA`.

A field that is added needs none if it has a default: an older file is read with it, and an older reader refuses a file
that has a field which it does not know, rather than leave out what changes the meaning of the rest.

What a trial was from moment to moment (`Timeline`, `Trace`, `LoopLag`, `EventSeen`) is left out where it is kept as a
line of a directory (`harness.records.directory`): those are empty then, and `has_time_lines` says so.
"""

from datetime import datetime
from typing import Literal

import msgspec

from harness.records.asked import Asked
from harness.records.files import encode
from harness.records.machine import Machine
from harness.records.section import Seconds, Section
from harness.records.seen import Seen, Timeline
from harness.records.usage import GeneratorSeen, Host, LoopLag, ServerSeen, Trace, Wave

SCHEMA: Literal["matchstream-lab/trial/2"] = "matchstream-lab/trial/2"


class Validity(Section, frozen=True, kw_only=True):
    """Whether the figures say something about the server; the reasons why not, each a sentence."""

    valid: bool
    reasons: tuple[str, ...]


class Bound(Section, frozen=True, kw_only=True):
    """What bound first, and the evidence for it."""

    name: str
    evidence: str


class Verdict(Section, frozen=True, kw_only=True):
    """Whether the SLO was met, and each broken term with what was seen instead."""

    met: bool
    broken: tuple[str, ...]


class TrialResult(Section, frozen=True, kw_only=True):
    """One measured run. An interrupted one has what was seen until then, and is invalid.

    `loop_lag` and its p99 are beside `server`, since a server on another machine tells it, too; None where it was not
    asked for or not told. `wave` is None in a result from before it was judged.
    """

    schema: Literal["matchstream-lab/trial/2"]
    harness: str
    started_at: datetime
    asked: Asked
    seen: Seen
    generator: GeneratorSeen
    server: ServerSeen | None
    host: Host
    validity: Validity
    verdict: Verdict
    bound: Bound
    machine: Machine
    wave: Wave | None = None
    interrupted: bool = False
    loop_lag: LoopLag | None = None
    loop_lag_p99_s: Seconds | None = None

    @property
    def passed(self) -> bool:
        """Whether the trial is valid and its SLO was met."""
        return self.validity.valid and self.verdict.met

    @property
    def is_moment(self) -> bool:
        """Whether C was started at the same moment; a result from before that was judged is taken to say so."""
        return self.wave is None or self.wave.moment

    @property
    def within_s(self) -> float | None:
        """In how many seconds C was started, where that was no moment; None where it was."""
        return None if self.wave is None or self.wave.moment else self.wave.within_s

    @property
    def has_time_lines(self) -> bool:
        """Whether it still says what the trial was from moment to moment."""
        return bool(self.seen.timeline.at_s)

    def without_time_lines(self) -> "TrialResult":
        """Return it without what the trial was from moment to moment, which is most of its size."""
        seen, server, replace = self.seen, self.server, msgspec.structs.replace
        delivery = None if seen.delivery is None else replace(seen.delivery, events=())
        timeline = Timeline(at_s=(), connected=(), answered=(), slowest_s=())
        trace = Trace(at_s=(), cpu_share=(), rss_bytes=(), open_files=())
        return replace(
            self,
            seen=replace(seen, timeline=timeline, delivery=delivery),
            server=None if server is None else replace(server, trace=trace),
            loop_lag=None,
        )


def encode_result(result: TrialResult) -> bytes:
    """Return a result as indented JSON with a newline at its end."""
    return encode(result)
