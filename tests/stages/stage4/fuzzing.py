"""What strangers might say in place of a greeting, said byte by byte: `python -m tests.stages.stage4.fuzzing`.

    python -m tests.stages.stage4.fuzzing --inputs 1000000 [--seed N] [--keep reports/fuzzing/greeting.json]

Each input is said to a plane over a pair of sockets, a byte a turn, by one of a batch of fans, so that it is split at
every byte. What becomes of it has to be what a reader says that gets it in one piece. Then the fan closes its side, or
altogether; at the end of a batch nothing may be known of anybody, and at the end of all no file be left open. What is
said otherwise ends it with a FuzzingError and its input, so there is something to keep only if all went well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from common.tuning.open_files import count_open_files
from common.wire.frames import WELCOME, error_line
from common.wire.greeting import LIMIT, Greeting, GreetingError, GreetingReader
from stages.traffic import Drop
from tests.stages.stage4.arena import PlaneFan, arena

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.stages.stage4.arena import Arena

BATCH: Final = 64
"""Fans who speak at a time: a byte each, then a turn, which serves as many."""

_LINES: Final = (
    b"V:2:ann\n",
    b"VERSION:1:CONNECT:ann:MATCH:elp-tig-2011-09-10\r\n",
    "V:2:Ñandú\r".encode(),
    b"\xff\xfb\x1f\xff\xfd\x03V:2:putty\r\n",
    b"\xff\xfa\x18\x00xterm\xff\xf0V:2:ann\r\0",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)
_BYTES: Final = b"\n\r\0\t :V2\xff\xf0\xfa\xfb\xfd\xc3\x91\xe2\x80\xae\x7f" + bytes(range(256))
_LONG: Final = 1 / 200
"""How many inputs are about as long as the limit."""


class FuzzingError(Exception):
    """The plane did otherwise than it should; the message has the input."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was said, and what became of it."""

    inputs: int
    said_bytes: int
    greetings: int
    refusals: int
    unfinished: int
    """Said no line to its end, and left."""


def an_input(rng: random.Random) -> bytes:
    """Return what one fan says: a line that a fan may say, changed in places; or anything."""
    if rng.random() < _LONG:
        return rng.choice((b"V:2:", b"\xff\xfa", b"x")) * 2 + rng.randbytes(rng.randrange(LIMIT - 40, LIMIT + 40))
    if rng.random() < 1 / 4:
        return rng.randbytes(rng.randrange(24))
    said = bytearray(rng.choice(_LINES))
    for _ in range(rng.randrange(4)):
        place = rng.randrange(len(said) + 1)
        match rng.randrange(4):
            case 0:
                said[place:place] = rng.choices(_BYTES, k=rng.randrange(1, 4))
            case 1:
                del said[place : place + rng.randrange(4)]
            case 2:
                said[place : place + 1] = rng.choices(_BYTES)
            case _:
                said[place:place] = said[: rng.randrange(len(said) + 1)]
    return bytes(said)


def in_one_piece(said: bytes, *, is_the_end: bool) -> Greeting | str | None:
    """Return what a reader makes of it: a greeting, why it is none, None if it is not complete."""
    reader = GreetingReader()
    try:
        greeting = reader.feed(said) if said else None
        if greeting is None and is_the_end:
            return reader.end()
    except GreetingError as error:
        return str(error)
    return greeting


def batch(rng: random.Random, fans: int) -> Tally:
    """Have so many fans speak on a plane of their own. Raise FuzzingError."""
    inputs = [an_input(rng) for _ in range(fans)]
    ends = [rng.choice((PlaneFan.say_no_more, PlaneFan.close)) for _ in inputs]
    with ExitStack() as stack:
        found = stack.enter_context(arena())
        crowd = [found.connect() for _ in inputs]
        for place in range(max(map(len, inputs))):
            for fan, said in zip(crowd, inputs, strict=True):
                if place < len(said):
                    fan.say(said[place : place + 1])
            found.turn()
        is_ended = [end is PlaneFan.say_no_more for end in ends]
        for fan, half in zip(crowd, is_ended, strict=True):
            if half:
                fan.say_no_more()
        found.turn()
        outcomes = [in_one_piece(said, is_the_end=half) for said, half in zip(inputs, is_ended, strict=True)]
        for fan, said, outcome in zip(crowd, inputs, outcomes, strict=True):
            _compare(found, fan, said, outcome)
        kinds = Counter(map(type, outcomes))
        if found.drops != ({Drop.GREETING: kinds[str]} if kinds[str] else {}):
            raise FuzzingError(f"{kinds[str]} were refused, and counted are {found.drops}: {inputs}")
        for fan in crowd:
            fan.close()
        found.turn(2)
        if not found.nothing_is_left():
            raise FuzzingError(f"something is left of who has gone: {inputs}")
    return Tally(fans, sum(map(len, inputs)), kinds[Greeting], kinds[str], kinds[type(None)])


def _compare(found: Arena, fan: PlaneFan, said: bytes, outcome: Greeting | str | None) -> None:
    heard = fan.hear()
    greeting = found.greetings.get(fan.fd)
    if isinstance(outcome, str):
        is_right = heard == WELCOME + error_line(outcome) and fan.is_over and greeting is None
    else:
        is_right = heard == WELCOME and not fan.is_over and greeting == outcome
    if not is_right:
        raise FuzzingError(f"of {said!r} became {greeting or heard!r} where it should be {outcome!r}")


def fuzz(inputs: int, seed: int) -> Tally:
    """Say so many inputs. Raise FuzzingError."""
    rng = random.Random(seed)  # noqa: S311  # nothing secret about it
    files = count_open_files()
    tallies = [batch(rng, min(BATCH, inputs - done)) for done in range(0, inputs, BATCH)]
    if count_open_files() != files:
        raise FuzzingError(f"{count_open_files() - files} files were left open")
    return Tally(*(sum(getattr(tally, name) for tally in tallies) for name in Tally.__slots__))


def main(arguments: Sequence[str]) -> int:
    """Say many, and tell what became of them."""
    parser = argparse.ArgumentParser("python -m tests.stages.stage4.fuzzing", description="Say what is no greeting.")
    parser.add_argument("--inputs", type=int, default=10_000, help="how many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a file of JSON for what was found")
    options = parser.parse_args(arguments)
    begin_s = time.monotonic()
    tally = fuzz(options.inputs, options.seed)
    found = {
        "seed": options.seed,
        **asdict(tally),
        "seconds": round(time.monotonic() - begin_s),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
    }
    words = json.dumps(found, indent=2) + "\n"
    sys.stdout.write(words)
    if options.keep is not None:
        options.keep.parent.mkdir(parents=True, exist_ok=True)
        options.keep.write_text(words)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
