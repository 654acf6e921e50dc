"""The floor: a bare server that does nothing else. No other gets below what it takes by magic, so charts show it.

It is a peer of its own, measured as any other: a chart draws those of its results that were made under the same load.
"""

from collections.abc import Sequence

from harness.records.asked import AskedTarget
from harness.records.kinds import Record
from harness.records.search import SearchResult
from harness.records.trial import TrialResult

Floor = TrialResult | SearchResult
"""What may be known of the floor: what it takes under a load, and what limit was found for it."""


def is_floor(target: AskedTarget) -> bool:
    """Whether it is the bare server that does nothing else."""
    return target.peer == "floor"


def floors_in(records: Sequence[Record]) -> tuple[Floor, ...]:
    """Return the results of the floor among some records; a trial that is not valid says nothing of it."""
    return tuple(
        record
        for record in records
        if (isinstance(record, TrialResult) and is_floor(record.asked.target) and record.validity.valid)
        or (isinstance(record, SearchResult) and is_floor(record.asked.target))
    )


def belongs(floor: Floor, record: Record) -> bool:
    """Whether the chart of a record can show that result of the floor: it was asked for the same."""
    match floor, record:
        case TrialResult(), TrialResult():
            return floor.asked.load == record.asked.load
        case SearchResult(), SearchResult():
            return (floor.asked.dimension, floor.asked.slo) == (record.asked.dimension, record.asked.slo)
    return False


def with_floors(results: Sequence[TrialResult], floors: Sequence[Floor]) -> tuple[TrialResult, ...]:
    """Return the results, and after them the trials of the floor under a load of theirs, each once."""
    more = (
        floor
        for floor in floors
        if isinstance(floor, TrialResult) and floor not in results and any(belongs(floor, result) for result in results)
    )
    return (*results, *more)
