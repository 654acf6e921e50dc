"""What strangers might say in place of a greeting, said byte by byte: `python -m tests.stages.stage4.fuzzing`.

    python -m tests.stages.stage4.fuzzing --inputs 1000000 [--seed N] [--to browsers]

They say it to the ports of the fans, or to those of the browsers, where both doors for these are.

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
import re
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from common.tuning.open_files import count_open_files
from common.wire.greeting import LIMIT, Greeting, GreetingError
from stages.stage4.door import TextDoor
from stages.stage4.event_source import EventSourceDoor
from stages.stage4.http_front import HttpFront
from stages.stage4.request_head import MOST_HEAD
from stages.stage4.websocket import WebSocketDoor
from stages.traffic import Drop
from tests.stages.stage4.arena import PlaneFan, arena

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stages.stage4.door import Door
    from tests.stages.stage4.arena import Arena

BATCH: Final = 64
"""Fans who speak at a time: a byte each, then a turn, which serves as many."""

_BYTES: Final = b"\n\r\0\t :V2\xff\xf0\xfa\xfb\xfd\xc3\x91\xe2\x80\xae\x7f" + bytes(range(256))
_DATE: Final = re.compile(rb"(Date: |retry: )[^\r\n]*")
"""What an answer has that another at the same request may have otherwise."""


@dataclass(frozen=True, slots=True)
class Strangers:
    """Who speaks: at which door, what they may rightly say, what a long one begins with, and how long that may be."""

    door: Callable[[], Door]
    said: tuple[bytes, ...]
    long: tuple[bytes, ...]
    limit: int
    are_long: float
    """How many inputs are about as long as the limit."""


STRANGERS: Final = {
    "fans": Strangers(
        TextDoor,
        (
            b"V:2:ann\n",
            b"VERSION:1:CONNECT:ann:MATCH:elp-tig-2011-09-10\r\n",
            "V:2:Ñandú\r".encode(),
            b"\xff\xfb\x1f\xff\xfd\x03V:2:putty\r\n",
            b"\xff\xfa\x18\x00xterm\xff\xf0V:2:ann\r\0",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ),
        (b"V:2:", b"\xff\xfa", b"x"),
        LIMIT,
        1 / 200,
    ),
    "browsers": Strangers(
        lambda: HttpFront([EventSourceDoor(), WebSocketDoor()]),
        (
            b"GET /1/match/m/stream HTTP/1.1\r\nHost: h\r\n\r\n",
            b"GET /1/match/m%C3%B1/stream?user=ann HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 77-3\r\n\r\n",
            (
                b"GET /1/match/m/ws?after=77-3 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
            b"GET /match.js HTTP/1.1\r\nHost: h\r\n\r\n",
            b"GET /1/mat",
            b"GET /1/match/m/stream HTTP/1.1\r\nHo",
            b"GET /1/match/m/stream HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n",
            b"POST /1/match/m/stream HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
            b"GET /1/match/m/ws HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            b"V:2:ann\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ),
        (b"GET /", b"GET / HTTP/1.1\r\nX: "),
        MOST_HEAD,
        1 / 5_000,
    ),
}


class FuzzingError(Exception):
    """The plane did otherwise than it should; the message has the input."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was said, and what became of it."""

    inputs: int
    said_bytes: int
    greetings: int
    refusals: int
    """Also those who were sent a page: they are told something, and go."""
    unfinished: int
    """Said nothing to its end, and left."""


def an_input(rng: random.Random, who: Strangers) -> bytes:
    """Return what one says: what may be said there, changed in places; or anything."""
    if rng.random() < who.are_long:
        begin = rng.choice(who.long)
        return begin + rng.choice((b"x", b"\xff")) * (rng.randrange(who.limit - 40, who.limit + 40) - len(begin))
    if rng.random() < 1 / 4:
        return rng.randbytes(rng.randrange(24))
    said = bytearray(rng.choice(who.said))
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


def in_one_piece(door: Door, said: bytes, *, is_the_end: bool) -> Greeting | GreetingError | None:
    """Return what a reader makes of it: a greeting, why it is none, None if it is not complete."""
    reader = door.reader()
    try:
        greeting = reader.feed(said) if said else None
        if greeting is None and is_the_end:
            return reader.end()
    except GreetingError as error:
        return error
    return greeting


def batch(rng: random.Random, who: Strangers, fans: int) -> Tally:
    """Have so many speak on a plane of their own. Raise FuzzingError."""
    door = who.door()
    inputs = [an_input(rng, who) for _ in range(fans)]
    ends = [rng.choice((PlaneFan.say_no_more, PlaneFan.close)) for _ in inputs]
    with ExitStack() as stack:
        found = stack.enter_context(arena(None if isinstance(door, TextDoor) else door))
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
        outcomes = [in_one_piece(door, said, is_the_end=half) for said, half in zip(inputs, is_ended, strict=True)]
        for fan, said, outcome in zip(crowd, inputs, outcomes, strict=True):
            _compare(found, door, fan, said, outcome)
        refusals = [outcome for outcome in outcomes if isinstance(outcome, GreetingError)]
        refused = sum(error.is_refusal for error in refusals)
        if found.drops != ({Drop.GREETING: refused} if refused else {}):
            raise FuzzingError(f"{refused} were refused, and counted are {found.drops}: {inputs}")
        for fan in crowd:
            fan.close()
        found.turn(2)
        if not found.nothing_is_left():
            raise FuzzingError(f"something is left of who has gone: {inputs}")
    unfinished = outcomes.count(None)
    return Tally(fans, sum(map(len, inputs)), fans - len(refusals) - unfinished, len(refusals), unfinished)


def _compare(found: Arena, door: Door, fan: PlaneFan, said: bytes, outcome: Greeting | GreetingError | None) -> None:
    heard = _told(fan.hear())
    greeting = found.greetings.get(fan.fd)
    if isinstance(outcome, GreetingError):
        is_right = heard == _told(door.welcome + door.refusal(outcome)) and fan.is_over and greeting is None
    else:
        is_right = heard == door.welcome and not fan.is_over and _asked(greeting) == _asked(outcome)
    if not is_right:
        raise FuzzingError(f"of {said!r} became {greeting or heard!r} where it should be {outcome!r}")


def _told(answer: bytes) -> bytes:
    return _DATE.sub(rb"\1", answer)


def _asked(greeting: Greeting | None) -> Greeting | None:
    if greeting is None or greeting.numbered is None:
        return greeting
    return replace(greeting, numbered=replace(greeting.numbered, opening=_told(greeting.numbered.opening)))


def fuzz(who: Strangers, inputs: int, seed: int) -> Tally:
    """Say so many inputs. Raise FuzzingError."""
    rng = random.Random(seed)  # noqa: S311  # nothing secret about it
    files = count_open_files()
    tallies = [batch(rng, who, min(BATCH, inputs - done)) for done in range(0, inputs, BATCH)]
    if count_open_files() != files:
        raise FuzzingError(f"{count_open_files() - files} files were left open")
    return Tally(*(sum(getattr(tally, name) for tally in tallies) for name in Tally.__slots__))


def main(arguments: Sequence[str]) -> int:
    """Say many, and tell what became of them."""
    parser = argparse.ArgumentParser("python -m tests.stages.stage4.fuzzing", description="Say what is no greeting.")
    parser.add_argument("--inputs", type=int, default=10_000, help="how many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", choices=STRANGERS, default="fans", help="whose ports they speak to")
    options = parser.parse_args(arguments)
    begin_s = time.monotonic()
    tally = fuzz(STRANGERS[options.to], options.inputs, options.seed)
    found = {
        "to": options.to,
        "seed": options.seed,
        **asdict(tally),
        "seconds": round(time.monotonic() - begin_s),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
    }
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
