"""The judgement: records in, violations out. Pure; it knows what was promised, and nothing of how the server does it.

What is promised, and under which name a breach of it is found:

* what was answered 201 is stored once (LOST, DOUBLED) and under the number of the answer (MOVED); what was not answered
  is stored once at most (DOUBLED); nothing else is stored (FOREIGN), the numbers run from 1 (NUMBERS), and the match
  stands as its events say (SCORE); a right event is not refused (REFUSED);
* where Redis came back with less, that is so of each timeline: what was answered before the save began survives, and so
  does what was sent after Redis was back. Only what lies in between may be gone;
* between a status and the end of what follows it a fan hears one timeline without gap (GAP), double (REPEATED) or
  disorder (DISORDER), and nothing that is in none (UNSTORED); the status says how many events went before (STATUS);
* who stays, or comes again, hears the end of the match (UNFINISHED), and nobody is told what is not so (UNTRUE) or
  cannot be read (GARBLED). No fault leaves a traceback in a log (CRASHED).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.records import FinalScore, Posted, Records, Segment, Stored, Stream, Timeline

_UNTRUE: Final = re.compile(r"was cancelled$|there is no match")
"""What fans may not be told in a run, in which every match is there from the beginning to the end."""


class Breach(StrEnum):
    """What was promised and not kept."""

    LOST = "lost"
    DOUBLED = "doubled"
    MOVED = "moved"
    FOREIGN = "foreign"
    NUMBERS = "numbers"
    SCORE = "score"
    REFUSED = "refused"
    GAP = "gap"
    REPEATED = "repeated"
    DISORDER = "disorder"
    UNSTORED = "unstored"
    STATUS = "status"
    UNFINISHED = "unfinished"
    UNTRUE = "untrue"
    GARBLED = "garbled"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach: of what, and what shows it, on one line."""

    breach: Breach
    what: str


def check(records: Records) -> list[Violation]:
    """Return all violations in the records of a run; none if the server kept its word."""
    found = [Violation(Breach.CRASHED, where) for where in records.tracebacks]
    for final_score in records.final_scores:
        match = final_score.match
        posted = [event for event in records.posted if event.match == match]
        timelines = [timeline for timeline in records.timelines if timeline.match == match]
        found += _check_final_score(final_score, timelines[-1])
        found += _check_refusals(posted)
        for number, timeline in enumerate(timelines):
            found += _check_stored(timeline, posted)
            found += _check_answered(timelines[: number + 1], posted)
        for stream in records.streams:
            if stream.match == match:
                found += _check_stream(stream, timelines)
    return found


def _check_final_score(final_score: FinalScore, last: Timeline) -> Iterator[Violation]:
    home, visit = _score(last.events)
    if (final_score.seq, final_score.home, final_score.visit) != (len(last.events), home, visit):
        says = f"{final_score.match} is at {final_score.home}:{final_score.visit} after {final_score.seq} events"
        yield Violation(Breach.SCORE, f"{says}, its history at {home}:{visit} after {len(last.events)}")


def _check_refusals(posted: Sequence[Posted]) -> Iterator[Violation]:
    for event in posted:
        if event.refusal is not None:
            yield Violation(Breach.REFUSED, f"{event.comment}: {event.refusal}")


def _check_stored(timeline: Timeline, posted: Sequence[Posted]) -> Iterator[Violation]:
    """Check what is stored by itself, whatever was answered."""
    numbers = [event.seq for event in timeline.events]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Violation(Breach.NUMBERS, f"{timeline.match} has the events {numbers}")
    known = {event.comment for event in posted}
    for comment, times in Counter(timeline.comments).items():
        if times > 1:
            at = [event.seq for event in timeline.events if event.comment == comment]
            yield Violation(Breach.DOUBLED, f"{comment} is stored {times} times, as {at}")
        if comment not in known:
            yield Violation(Breach.FOREIGN, f"{comment} was posted by nobody")


def _check_answered(lineage: Sequence[Timeline], posted: Sequence[Posted]) -> Iterator[Violation]:
    """Check that what was answered is in the last timeline of `lineage`, which those before it led to."""
    stored: defaultdict[str, list[int]] = defaultdict(list)
    for event in lineage[-1].events:
        stored[event.comment].append(event.seq)
    for answered in posted:
        if answered.seq is None or not _must_be_in(lineage, answered):
            continue
        numbers = stored[answered.comment]
        if not numbers:
            yield Violation(Breach.LOST, f"{answered.comment} was answered as {answered.seq} and is not stored")
        elif answered.seq not in numbers:
            where = f"was answered as {answered.seq} and is stored as {numbers[0]}"
            yield Violation(Breach.MOVED, f"{answered.comment} {where}")


def _must_be_in(lineage: Sequence[Timeline], event: Posted) -> bool:
    """Whether an event that was answered must be in the last timeline: since it is of that time, or by inheritance."""
    *before, timeline = lineage
    if timeline.fork is not None and event.ended_s >= timeline.fork.killed_s:
        return False
    if not before or before[-1].fork is None:
        return True
    fork = before[-1].fork
    return event.sent_s > fork.back_s or (event.ended_s < fork.saved_s and _must_be_in(before, event))


def _check_stream(stream: Stream, timelines: Sequence[Timeline]) -> Iterator[Violation]:
    who = f"{stream.fan} of {stream.match}"
    for words in stream.garbled:
        yield Violation(Breach.GARBLED, f"{who}: {words}")
    for words in stream.errors:
        if _UNTRUE.search(words):
            yield Violation(Breach.UNTRUE, f"{who} was told: {words}")
    for segment in stream.segments:
        yield from _check_segment(who, segment, timelines)
    if not stream.is_over:
        after = stream.segments[-1] if stream.segments else None
        heard = "nothing" if after is None else f"{after.told} events by the status and then {len(after.heard)}"
        yield Violation(Breach.UNFINISHED, f"{who} never heard the end: last {heard} of {len(timelines[-1].events)}")


def _check_segment(who: str, segment: Segment, timelines: Sequence[Timeline]) -> Iterator[Violation]:
    if any(_is_part_of(segment, timeline) for timeline in timelines):
        return
    parting = max((_parting(segment, timeline) for timeline in timelines), key=lambda parting: parting[0])
    where = f"{who}, status {segment.home}:{segment.visit}, then {parting[0]} right events, then {parting[1]}"
    yield Violation(_what_is_wrong(segment, timelines), where)


def _is_part_of(segment: Segment, timeline: Timeline) -> bool:
    until = segment.told + len(segment.heard)
    return timeline.comments[segment.told : until] == tuple(segment.heard) and _status_fits(segment, timeline)


def _status_fits(segment: Segment, timeline: Timeline) -> bool:
    told = timeline.events[: segment.told]
    return len(told) == segment.told and _score(told) == (segment.home, segment.visit)


def _parting(segment: Segment, timeline: Timeline) -> tuple[int, str]:
    """Return how many of the events heard are the timeline's, and what was heard and was to be heard after them."""
    expected = timeline.comments[segment.told :]
    same = 0
    for heard, right in zip(segment.heard, expected, strict=False):
        if heard != right:
            break
        same += 1
    heard, right = (_first(comments[same:]) for comments in (segment.heard, expected))
    return same, f"{heard} in place of {right}"


def _what_is_wrong(segment: Segment, timelines: Sequence[Timeline]) -> Breach:
    """Return the name of what is wrong with a segment that is a part of no timeline."""
    if len(set(segment.heard)) < len(segment.heard):
        return Breach.REPEATED
    if not set(segment.heard) <= {comment for timeline in timelines for comment in timeline.comments}:
        return Breach.UNSTORED
    order = {comment: number for number, comment in enumerate(timelines[-1].comments)}
    places = [order[comment] for comment in segment.heard if comment in order]
    if any(one > other for one, other in pairwise(places)):
        return Breach.DISORDER
    if not any(_status_fits(segment, timeline) for timeline in timelines) or (places and places[0] < segment.told):
        return Breach.STATUS
    return Breach.GAP


def _score(events: Sequence[Stored]) -> tuple[int, int]:
    return sum(event.is_home_goal for event in events), sum(event.is_visit_goal for event in events)


def _first(comments: Sequence[str]) -> str:
    return comments[0] if comments else "nothing"
