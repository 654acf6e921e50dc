"""Stage 4: beyond the talk. A fan is a file descriptor.

Cause: the talk gave each fan two actors, and this project shows what they cost: 90 µs of CPU until the answer, 50 µs
after it, kilobytes of memory. What is once a match, a node or a system stays as the talk has it (match, dispatcher, db,
web, their supervisors); what is once a fan is done here without a process, a task or an object for it.

* `fd-plane`: all fans in one epoll object, their state in arrays, one subscriber a match. Moves ART, C and memory.
* `encode-once`: a newcomer is sent bytes that are ready. Moves ART, and keeps it where it is when Redis is far.
* `write-behind`: visits are counted in batches. Moves ART.
* `workers`: processes that share the port, forked from a warm parent. Moves N, and C where there are cores to spare.
* `time-slices`: an event gives way to who connects in the middle of it. Moves ART while events go out.
* `slow-fans`: a bounded queue for each fan that is behind. Guards memory, and with it everybody else.
* `resume`: who was cut off is sent what it missed. Moves what fans lose with their server, down to nothing.
* `admission`: a fan too many is told so at once, and does not wait in the accept queue. Guards those who are in.
* `drain`: a server that stops lets its fans go one by one. Guards whoever they connect to then.
* `event-source`: browsers watch, too, by HTTP. Moves nothing for others.
* `websocket`: they and programs do so by a WebSocket. Likewise.

Hooks of its own, beside those in `stages.stage0`:

| component  | hook               | filled by               | what it decides                              |
|------------|--------------------|-------------------------|----------------------------------------------|
| `Fans`     | `_answer_at_once`  | `resume`                | who is answered without its audience         |
| `Fans`     | `greeted` `_seat`  | `encode-once`           | who is answered with what is at hand         |
| `Fans`     | `_turn`            | `encode-once`           | until when it is                             |
| `Fans`     | `_ready_status`    | `encode-once`           | which status is at hand                      |
| `Fans`     | `_count_visit`     | `write-behind`          | when a visit is counted                      |
| `Fans`     | `_look`            | `event-source`          | what is done once a second                   |
| `Fans`     | `_look`            | `websocket`             | likewise                                     |
| `Audience` | `_take_note`       | `encode-once`, `resume` | what it keeps of an event                    |
| `Audience` | `_status`          | `encode-once`           | what newcomers are sent                      |
| `Audience` | `_send`            | `time-slices`           | how an event goes to all who are due         |
| `Audience` | `_copies`          | `resume`                | who is sent an event, and as what            |
| `Audience` | `_wait_for_status` | `resume`                | who of those who wait is sent a status       |
| `Audience` | `_answer`          | `resume`                | what one fan is sent with it                 |
| `Audience` | `_answer_last`     | `resume`                | what is sent to who comes when it is over    |
| `Audience` | `_serve_newcomers` | `resume`                | who is answered before those                 |
| `TextDoor` | `reader`           | `resume`                | what a fan may say                           |
| `Plane`    | `_add_unsent`      | `slow-fans`             | what is kept for a fan that is behind        |
| `Plane`    | `_has_caught_up`   | `slow-fans`             | how it goes on with one that is not any more |
| `Plane`    | `_answered`        | `slow-fans`             | who counts as a newcomer                     |
| `Plane`    | `_forget`          | `slow-fans` `admission` | what else it knows of a fan                  |
| `Plane`    | `open` `welcome`   | `admission`             | who is let in                                |
| `Plane`    | `door_of`          | `slow-fans`             | by which door a fan came                     |
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stages import stage3
from stages.stage0.parts import Lesson, layered
from stages.stage4.admission import AdmittingPlane, AdmittingServer
from stages.stage4.audience import Audience
from stages.stage4.browsers import with_door
from stages.stage4.door import TextDoor
from stages.stage4.drain import DrainingServer
from stages.stage4.encode_once import KnowingAudience, KnowingFans, TellingMatch
from stages.stage4.event_source import EventSourceDoor
from stages.stage4.fans import Fans
from stages.stage4.plane import Plane
from stages.stage4.plane_server import PlaneListener, PlaneServer, PlaneWeb
from stages.stage4.resume import NumberedDoor, ResumingAudience, ResumingFans
from stages.stage4.slow_fans import BoundedPlane, BoundedServer, ReseatingFans, with_socket_options
from stages.stage4.time_slices import SlicingAudience
from stages.stage4.websocket import WebSocketDoor
from stages.stage4.workers import WorkersServer, with_workers
from stages.stage4.workers_web import WorkersWeb
from stages.stage4.write_behind import WriteBehindFans

if TYPE_CHECKING:
    from collections.abc import Callable

    from stages.stage0.parts import Parts


def _fd_plane(parts: Parts) -> Parts:
    return replace(
        parts,
        server=layered(parts.server, PlaneServer),
        listener=layered(parts.listener, PlaneListener),
        web=layered(parts.web, PlaneWeb),
        fans=Fans,
        audience=Audience,
        plane=Plane,
        door=TextDoor,
    )


def _encode_once(parts: Parts) -> Parts:
    return replace(
        parts,
        live_match=layered(parts.live_match, TellingMatch),
        fans=layered(parts.fans, KnowingFans),
        audience=layered(parts.audience, KnowingAudience),
    )


def _write_behind(parts: Parts) -> Parts:
    return replace(parts, fans=layered(parts.fans, WriteBehindFans))


def _time_slices(parts: Parts) -> Parts:
    return replace(parts, audience=layered(parts.audience, SlicingAudience))


def _resume(parts: Parts) -> Parts:
    return replace(
        parts,
        door=layered(parts.door, NumberedDoor),
        fans=layered(parts.fans, ResumingFans),
        audience=layered(parts.audience, ResumingAudience),
    )


def _slow_fans(parts: Parts) -> Parts:
    return replace(
        parts,
        server=layered(parts.server, BoundedServer),
        fans=layered(parts.fans, ReseatingFans),
        plane=layered(parts.plane, BoundedPlane),
        socket_options=with_socket_options(parts.socket_options),
    )


def _admission(parts: Parts) -> Parts:
    return replace(
        parts,
        server=layered(parts.server, AdmittingServer),
        plane=layered(parts.plane, AdmittingPlane),
    )


def _drain(parts: Parts) -> Parts:
    return replace(parts, server=layered(parts.server, DrainingServer))


def _event_source(parts: Parts) -> Parts:
    return with_door(parts, EventSourceDoor)


def _websocket(parts: Parts) -> Parts:
    return with_door(parts, WebSocketDoor)


def _lesson(name: str, teaches: str, apply: Callable[[Parts], Parts]) -> Lesson:
    return Lesson(name=name, teaches=teaches, apply=apply, needs=("fd-plane",), because="there is no plane of fans")


def _door_lesson(name: str, teaches: str, apply: Callable[[Parts], Parts]) -> Lesson:
    needs, because = ("fd-plane", "resume"), "browsers go on behind the number that they heard last"
    return Lesson(name=name, teaches=teaches, apply=apply, needs=needs, because=because)


def _workers(parts: Parts) -> Parts:
    return replace(
        parts,
        system=with_workers(parts.system),
        server=layered(parts.server, WorkersServer),
        web=layered(parts.web, WorkersWeb),
    )


STAGE = stage3.STAGE.followed_by(
    "4",
    Lesson(name="fd-plane", teaches="a fan is a file descriptor: no process, task or object for each", apply=_fd_plane),
    _lesson("encode-once", "a newcomer is sent bytes that are ready", _encode_once),
    _lesson("write-behind", "visits are counted in batches, a tenth of a second late", _write_behind),
    _lesson("workers", "processes that share the port, forked from a warm parent", _workers),
    _lesson("time-slices", "an event to many gives way to others every 2 ms", _time_slices),
    _lesson("slow-fans", "a fan that is behind has a bounded queue; dead and stalled peers are found", _slow_fans),
    _lesson("resume", "frames have numbers, and who comes back is sent what it missed", _resume),
    _lesson("admission", "fans over a limit, or a rate, are told so at once", _admission),
    _lesson("drain", "a server that stops lets its fans go one by one, to come back after a while", _drain),
    _door_lesson("event-source", "browsers watch by HTTP, as server-sent events", _event_source),
    _door_lesson("websocket", "browsers and programs watch by a WebSocket", _websocket),
)
