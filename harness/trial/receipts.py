"""What every fan saw and received, each by itself, as a file of numpy: by choice, since it has no bounds.

A receipt is 16 bytes in the process of its fan, and again in that of the trial when it is over.
"""

import io
from pathlib import Path

import numpy as np
import psutil

from harness.errors import HarnessError
from harness.load.lost_connections import LostConnections
from harness.load.samples import Outcome, Samples
from harness.records.files import replace_file
from harness.trial.plan import TrialPlan
from harness.units import show_bytes

BYTES_A_RECEIPT = 2 * 16
_BYTES_A_FAN = 2 * 57
_MOST_SHARE = 0.5
"""Of the memory that is available. The server needs some, too."""


class TooManyReceiptsError(HarnessError):
    """So many receipts do not fit into memory; the message says how many do."""


def estimated_bytes(plan: TrialPlan) -> int:
    """Return how much memory it takes to keep the receipts of a trial, as far as its events are known beforehand."""
    events = 0 if plan.match is None else len(plan.match.posts)
    fans = plan.load.n + plan.disturbances.joining
    return fans * (_BYTES_A_FAN + events * BYTES_A_RECEIPT)


def check_room(plan: TrialPlan) -> int:
    """Return that estimate. Raise TooManyReceiptsError where it is more than half of what is available."""
    needed, available = estimated_bytes(plan), psutil.virtual_memory().available
    if needed > _MOST_SHARE * available:
        raise TooManyReceiptsError(
            f"--raw needs some {show_bytes(needed)}, more than half of the {show_bytes(available)} that are free: use "
            "fewer fans or events, or leave it out, as all figures are made without"
        )
    return needed


def write_receipts(path: Path, samples: Samples) -> None:
    """Write what fans saw (numpy.load): a column each, seconds after the first intended start, NaN for what was not.

    `intended_s` … `closed_s` and `outcome`, an index of `outcomes`, have a row for each fan; `receipt_fan`,
    `receipt_number` and `receipt_s` one for each event that a fan received. Where fans connect again, `lost_fan`,
    `lost_s` and `lost_back_s` have one for each connection that was lost. Raise ResultError.
    """
    buffer = io.BytesIO()
    number = np.asarray(samples.receipt_sequence, np.int32)
    is_receipt = number >= 0
    lost = samples.lost or LostConnections()
    np.savez_compressed(
        buffer,
        intended_s=np.asarray(samples.intended_s),
        started_s=np.asarray(samples.started_s),
        connected_s=np.asarray(samples.connected_s),
        welcomed_s=np.asarray(samples.welcomed_s),
        asked_s=np.asarray(samples.asked_s),
        answered_s=np.asarray(samples.answered_s),
        closed_s=np.asarray(samples.closed_s),
        outcome=np.frombuffer(bytes(samples.outcome), np.uint8),
        outcomes=np.array([outcome.name.lower() for outcome in Outcome]),
        receipt_fan=np.asarray(samples.receipt_fan, np.int32)[is_receipt],
        receipt_number=number[is_receipt],
        receipt_s=np.asarray(samples.receipt_s)[is_receipt],
        lost_fan=np.asarray(lost.fan, np.int32),
        lost_s=np.asarray(lost.lost_s),
        lost_back_s=np.asarray(lost.back_s),
    )
    replace_file(path, buffer.getvalue(), "choose another --raw")
