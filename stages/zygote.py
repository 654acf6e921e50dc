"""The program that forks the workers of a node (`stages.stage4.zygote`): it knows its stage by name.

    python -m stages.zygote FD STAGE [--with=LESSON …] [--without=LESSON …]

FD is the socket by which the node speaks to it. It is started by a node, and by nobody else.
"""

from __future__ import annotations

import os
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

from stages.catalogue import find_stage
from stages.stage1 import MOST_FILES
from stages.stage4.worker import run_worker
from stages.stage4.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str]) -> None:
    """Fork workers until the node has gone."""
    control, name, *lessons = words
    os.closerange(3, int(control))  # what a node has open besides is nothing to its workers
    os.closerange(int(control) + 1, MOST_FILES)
    stage = find_stage(
        name,
        added=[word.removeprefix("--with=") for word in lessons if word.startswith("--with=")],
        left_out=[word.removeprefix("--without=") for word in lessons if word.startswith("--without=")],
    )
    Zygote(socket.socket(fileno=int(control)), partial(run_worker, stage)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
