"""Lesson `fd-plane`: all fans in one epoll object, and a fan is its file descriptor.

The stages before have two processes, a protocol and a transport a fan: in stage 2.5 some 4 KiB, and 90 µs of CPU until
it is answered (`stages.stage2_5`). A fan that waits needs none of that. Here its state is a few bytes in arrays that
are indexed by its descriptor, and only those hold an object who are still greeting or do not read as fast as they are
written to. The kernel's own table of who has something to say, the epoll object, is one file that the event loop
watches like any other (epoll(7): "an epoll file descriptor is itself poll/epoll/selectable"): so one turn of the loop
serves up to `_TURN` fans, and uvloop's cost of a turn is shared by all of them.

The plane carries bytes. Which protocol they are is the door's affair (`stages.stage4.door`), who is to hear what its
host's (`stages.stage4.fans`). What must hold:

* What one fan is sent arrives in the order in which it was sent, each message whole and once. If a socket does not take
  all of it the rest is kept, and the fan is behind until it has gone; nobody else waits for it.
* A descriptor that was closed may be another fan's at once. So all that is known of a fan goes when it ends, and new
  fans are accepted after all that the kernel has told of old ones in the same turn.
* To close on what a fan still sends would be a reset (RFC 9293, 3.6.1), which overtakes the ERROR line. So who is
  refused is told that no more comes, and has to close first (or is cut off, `LINGER_S` later).
* A fan that has closed its side may still listen; its kernel is probed (`stages.stage0.client`).
* Fans who came by another door than the plane's own cost the others nothing: of them alone it is kept apart, until they
  are answered, by which they came; from then on their crowd knows.

Rejected: edge-triggered epoll (EPOLLET), since nobody is read from twice in a turn, and what is announced only once may
be missed; an object a fan.
"""

from __future__ import annotations

import os
import select
from array import array
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from common.wire.greeting import GreetingError
from stages.stage4.fan_socket import probe, say_no_more
from stages.stage4.file_table import make_room
from stages.stage4.unsent import Unsent
from stages.traffic import Drop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from common.wire.greeting import Greeting
    from stages.stage4.crowd import Crowd
    from stages.stage4.door import Door, NumberingDoor, OwnDoor, Parting, Reader
    from stages.traffic import Traffic

_FREE, _GREETED, _WAITING, _SEATED, _LEAVING = range(5)
"""What a descriptor is: no fan; a fan that was greeted; has greeted; is in a crowd; is being parted from."""
_AWAY: Final = frozenset({_FREE, _LEAVING})

_SLOTS: Final = 1024
"""The arrays grow by so many descriptors at least."""
_TURN: Final = 64
"""Fans that are served in one turn of the loop, at most: some 2 ms. Others wait for the turn to end: the process that
reads what the first fans of a match are to be told needs ten turns for it."""
_READ: Final = 4096

_IN: Final = select.EPOLLIN | select.EPOLLRDHUP
_GONE: Final = select.EPOLLHUP | select.EPOLLERR


class Host(Protocol):
    """Decides what fans are told."""

    def greeted(self, fd: int, greeting: Greeting) -> None:
        """Take note of a fan that has said what it wants, and waits; answer it now or later."""
        ...

    def gone(self, fd: int) -> None:
        """Take note that a fan that waits has gone, unanswered."""
        ...


class Plane:
    """The fans of one server process, from the moment they are accepted until they are closed."""

    def __init__(self, door: OwnDoor, traffic: Traffic) -> None:
        self.door = door
        self._traffic = traffic
        self._epoll = select.epoll()
        self._host: Host | None = None
        self._listening: dict[int, Callable[[], None]] = {}
        self._state = bytearray(_SLOTS)
        self._since_s = array("d", bytes(8 * _SLOTS))
        self._crowd: list[Crowd | None] = [None] * _SLOTS
        self.position = array("i", bytes(4 * _SLOTS))
        """Shared by the crowds of this plane's fans (`stages.stage4.crowd`)."""
        self.doors: dict[str, NumberingDoor] = {}
        """The doors besides, by their names."""
        self._came_by: dict[int, Door] = {}  # until they are answered, who did not come by the own
        self._readers: dict[int, Reader] = {}
        self._half_said: dict[int, bytes] = {}
        self._behind: dict[int, Unsent] = {}
        self._last: set[int] = set()
        self._said_all: set[int] = set()
        self.accepted = 0
        """Fans since the start."""
        self.connected = 0
        """Fans that are there now."""

    @property
    def unsent(self) -> int:
        """Count the fans that are behind."""
        return len(self._behind)

    @property
    def watching(self) -> int:
        """Count the fans that are in a crowd."""
        return self._state.count(_SEATED)

    def fileno(self) -> int:
        """Return the file that is readable when `turn` has something to do."""
        return self._epoll.fileno()

    def open(self, host: Host) -> None:
        """Have that host told of what fans say, instead of the one before."""
        make_room(self._epoll.fileno())
        self._host = host

    def close(self) -> None:
        """Close the epoll object, once every fan has gone."""
        self._epoll.close()

    # Who comes.

    def watch(self, listening: int, accept: Callable[[], None]) -> None:
        """Have `accept` called at the end of each turn in which somebody waits at this listening socket."""
        if listening not in self._listening:
            self._epoll.register(listening, select.EPOLLIN)
        self._listening[listening] = accept

    def unwatch(self, listening: int) -> None:
        """Leave a listening socket alone, if it was watched."""
        if self._listening.pop(listening, None) is not None:
            self._epoll.unregister(listening)

    def welcome(self, fd: int, door: Door | None = None) -> None:
        """Take over a connection that was accepted and does not block: the server speaks first, the fan at a `door`.

        Raise OSError if it cannot be watched; it is closed then.
        """
        self._take_over(fd)
        if door is None:
            self._write(fd, self.door.welcome)
        else:
            self._let_in_by(door, fd)

    def turn(self) -> None:
        """Do what the kernel has to tell: read, write on, part from who has gone; accept who waits after all that."""
        waiting: list[int] = []
        state, listening = self._state, self._listening
        for fd, events in self._epoll.poll(0, _TURN):
            if events == select.EPOLLIN and state[fd] == _GREETED:  # nearly always
                self._read(fd)
                continue
            if fd in listening:
                waiting.append(fd)
                continue
            if events & select.EPOLLOUT:
                self._write_rest(fd)
            if events & _GONE:
                self._end(fd, Drop.BROKEN)
            elif events & _IN and state[fd] != _FREE:
                self._read(fd)
        for fd in waiting:
            accept = listening.get(fd)
            if accept is not None:
                accept()

    # What fans are told.

    def answer(self, fd: int, data: bytes, crowd: Crowd) -> None:
        """Send a fan that waits its first answer, and put it into a crowd."""
        self._state[fd] = _SEATED
        self._crowd[fd] = crowd
        crowd.add(fd)
        self._answered(fd)
        self._write(fd, data)

    def answer_at_door(self, fd: int, data: bytes, crowd: Crowd) -> None:
        """Do so for a fan who came by a door; it is known from the crowd by which."""
        self.answer(fd, data, crowd)
        self._came_by.pop(fd, None)

    def answer_last(self, fd: int, data: bytes) -> None:
        """Send a fan that waits its first and only answer, and part from it."""
        self._answered(fd)
        self._write(fd, data)
        if fd in self._came_by:
            self.let_close_first(fd)
        else:
            self.let_go(fd)

    def refuse(self, fd: int, why: str, drop: Drop) -> None:
        """Tell a fan why it cannot be served, and part from it; counted as `drop`."""
        self._traffic.drops[drop] += 1
        self._say_last(fd, self.door_of(fd).error(why, drop))

    def send(self, fds: Sequence[int], data: bytes) -> int:
        """Send these fans, who are in a crowd, the same bytes; return to how many: the others have gone, or have to."""
        write, behind, size = os.write, self._behind, len(data)
        gone = 0
        for fd in fds:
            if behind and fd in behind:
                gone += not self._add_unsent(fd, data)
                continue
            try:
                done = write(fd, data)
            except BlockingIOError:
                done = 0
            except OSError:
                self._end(fd, Drop.BROKEN)
                gone += 1
                continue
            if done != size:
                self._fall_behind(fd, data[done:])
        return len(fds) - gone

    def beat(self, fds: Sequence[int], data: bytes) -> None:
        """Send a heartbeat to those of these fans who are not behind: to others there is something on its way."""
        self.send([fd for fd in fds if fd not in self._behind], data)

    def door_of(self, fd: int) -> Parting:
        """Return by which door a fan came."""
        crowd = self._crowd[fd]
        return (crowd.door if crowd is not None else self._came_by.get(fd)) or self.door

    def let_go(self, fd: int) -> None:
        """Part from a fan once it has been sent all that is left for it; from one that has gone, never mind."""
        if self._state[fd] == _FREE:
            return
        if fd in self._behind:
            self._last.add(fd)
            self._leave(fd)
        else:
            self._end(fd, None)

    def let_close_first(self, fd: int) -> None:
        """Do so with a fan that may be saying something: once it is sent all it is told that no more comes."""
        if self._state[fd] in _AWAY:
            return
        if fd in self._said_all:
            self.let_go(fd)
            return
        self._leave(fd)
        if fd not in self._behind:
            self._say_no_more(fd)

    def say_goodbye(self) -> int:
        """Tell every fan that is not being parted from that the server stops; return how many were told."""
        told = self.staying()
        for fd in told:
            self._write(fd, self.door_of(fd).goodbye)
            self.let_go(fd)
        return len(told)

    def ask_back(self, fd: int, after_s: int) -> bool:
        """Tell a fan that the server stops, and when to connect again; return whether it was still there."""
        if self._state[fd] in _AWAY:
            return False
        self._say_last(fd, self.door_of(fd).goodbye_for(after_s))
        return True

    def staying(self) -> list[int]:
        """Return the fans that are not being parted from."""
        return [fd for fd, state in enumerate(self._state) if state not in _AWAY]

    # Who has to go.

    def silent_since(self, moment_s: float) -> list[int]:
        """Return the fans that were accepted before a moment of `time.monotonic` and have not greeted."""
        return self._older(_GREETED, moment_s)

    def leaving_since(self, moment_s: float) -> list[int]:
        """Return the fans that the plane has been parting from since before that moment."""
        return self._older(_LEAVING, moment_s)

    def cut_off(self, fd: int) -> None:
        """Close a connection at once."""
        self._end(fd, None)

    def cut_off_all(self) -> int:
        """Close all connections at once; return how many of them were not being parted from."""
        there = [fd for fd, state in enumerate(self._state) if state != _FREE]
        lost = sum(self._state[fd] != _LEAVING for fd in there)
        for fd in there:
            self._end(fd, None)
        return lost

    def _take_over(self, fd: int) -> None:
        try:
            self._epoll.register(fd, _IN)
        except OSError:
            os.close(fd)
            raise
        while fd >= len(self._state):
            self._grow()
        self._state[fd] = _GREETED
        self._since_s[fd] = monotonic()
        self.accepted += 1
        self.connected += 1

    def _let_in_by(self, door: Door, fd: int) -> None:
        """Have a fan speak first, as is the way of other doors."""
        self._came_by[fd] = door
        self._readers[fd] = door.reader()

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return
        except OSError:
            self._end(fd, Drop.BROKEN)
            return
        if self._state[fd] == _GREETED:
            self._hear_first(fd, data)
        elif not data:
            self._has_said_all(fd)
        elif self._state[fd] != _LEAVING:
            self._hear(fd, data)

    def _hear(self, fd: int, data: bytes) -> None:
        """Take in what a fan says that has greeted; what is not complete is kept."""
        door = self.door_of(fd)
        answer, rest, is_over = door.hear(self._half_said.pop(fd, b"") + data)
        if is_over:
            self._say_last(fd, answer)
            return
        if rest:
            self._half_said[fd] = rest
        if answer and fd not in self._behind:  # who does not read has no use for answers
            self._write(fd, answer)

    def _hear_first(self, fd: int, data: bytes) -> None:
        """Take in what a fan says before it has greeted."""
        greeting = self.door.usual(data) if fd not in self._readers else None
        if greeting is None:
            greeting = self._read_greeting(fd, data)
            if greeting is None:
                return
        self._state[fd] = _WAITING
        if not data:
            self._has_said_all(fd)
        assert self._host is not None  # noqa: S101  # turns are made for a host
        self._host.greeted(fd, greeting)

    def _read_greeting(self, fd: int, data: bytes) -> Greeting | None:
        """Return the greeting, if that is all of it; part from a fan that sends none."""
        reader = self._readers.pop(fd, None) or self.door.reader()
        try:
            greeting = reader.feed(data) if data else reader.end()
        except GreetingError as error:
            if not data:
                self._said_all.add(fd)
            self._traffic.drops[Drop.GREETING] += error.is_refusal
            self._say_last(fd, self._came_by.get(fd, self.door).refusal(error))
            return None
        if greeting is None:
            self._readers[fd] = reader
        return greeting

    def _has_said_all(self, fd: int) -> None:
        if self._state[fd] == _LEAVING:
            if fd not in self._behind:
                self._end(fd, None)
                return
            self._last.add(fd)
        self._said_all.add(fd)
        self._epoll.modify(fd, select.EPOLLOUT if fd in self._behind else 0)  # its end is told all the same
        probe(fd)

    def _say_last(self, fd: int, data: bytes) -> None:
        """Send a fan the last that it is told, and leave it to close first, once it has heard that no more comes."""
        self._leave(fd)
        self._write(fd, data)
        if fd in self._said_all:
            self.let_go(fd)
        elif fd not in self._behind:
            self._say_no_more(fd)

    def _say_no_more(self, fd: int) -> None:
        if self._state[fd] != _FREE:
            say_no_more(fd)

    def _write(self, fd: int, data: bytes) -> None:
        if self._behind and fd in self._behind:
            self._behind[fd].add(data)
            return
        try:
            done = os.write(fd, data)
        except BlockingIOError:
            done = 0
        except OSError:
            self._end(fd, Drop.BROKEN)
            return
        if done != len(data):
            self._fall_behind(fd, data[done:])

    def _fall_behind(self, fd: int, rest: bytes) -> None:
        self._behind[fd] = Unsent(rest)
        self._epoll.modify(fd, select.EPOLLOUT if fd in self._said_all else _IN | select.EPOLLOUT)

    def _write_rest(self, fd: int) -> None:
        unsent = self._behind.get(fd)
        if unsent is None:  # it ended in this very turn
            return
        try:
            is_all = unsent.write(fd)
        except OSError:
            self._end(fd, Drop.BROKEN)
            return
        if is_all:
            self._has_caught_up(fd)

    def _leave(self, fd: int) -> None:
        self._part(fd)
        self._state[fd] = _LEAVING
        self._since_s[fd] = monotonic()

    def _have_wait(self, fd: int) -> None:
        """Take a fan out of its crowd: it waits, as one that has greeted and is not answered."""
        self._part(fd)
        self._state[fd] = _WAITING

    def _part(self, fd: int) -> None:
        """Take a fan out of its crowd, or off the list of who waits."""
        crowd = self._crowd[fd]
        if crowd is not None:
            self._crowd[fd] = None
            crowd.remove(fd)
        elif self._state[fd] == _WAITING and self._host is not None:
            self._host.gone(fd)

    def _end(self, fd: int, drop: Drop | None) -> None:
        if self._state[fd] == _FREE:
            return
        if drop is not None and self._state[fd] != _LEAVING and fd not in self._said_all:
            self._traffic.drops[drop] += 1
        self._part(fd)
        self._state[fd] = _FREE
        self._forget(fd)
        self.connected -= 1
        os.close(fd)  # and the epoll object forgets it

    def _older(self, state: int, moment_s: float) -> list[int]:
        found: list[int] = []
        fd = self._state.find(state)
        while fd >= 0:
            if self._since_s[fd] <= moment_s:
                found.append(fd)
            fd = self._state.find(state, fd + 1)
        return found

    def _grow(self) -> None:
        more = len(self._state)  # twice as many: the cost of growing is a constant a fan
        self._state.extend(bytes(more))
        self._since_s.extend(array("d", bytes(8 * more)))
        self._crowd.extend([None] * more)
        self.position.extend(array("i", bytes(4 * more)))

    # Hooks: what later lessons do otherwise (the table in `stages.stage4` has them all).

    def _answered(self, fd: int) -> None:
        """Count an answer."""
        self._traffic.greetings += 1
        self._traffic.response.since(self._since_s[fd])

    def _forget(self, fd: int) -> None:
        """Forget what is known of a fan that has ended."""
        self._readers.pop(fd, None)
        self._came_by.pop(fd, None)
        self._half_said.pop(fd, None)
        self._behind.pop(fd, None)
        self._last.discard(fd)
        self._said_all.discard(fd)

    def _add_unsent(self, fd: int, data: bytes) -> bool:
        """Keep a message for a fan that is behind; return whether it is to get it."""
        self._behind[fd].add(data)
        return True

    def _has_caught_up(self, fd: int) -> None:
        """Go on with a fan that has been sent all."""
        del self._behind[fd]
        if fd in self._last:
            self._end(fd, None)
            return
        self._epoll.modify(fd, 0 if fd in self._said_all else _IN)
        if self._state[fd] == _LEAVING:
            self._say_no_more(fd)
