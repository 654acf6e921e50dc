"""The plane, by itself: greetings, those who lag, those who are refused, and descriptors that are used again."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing, suppress
from itertools import pairwise
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.wire.frames import GOODBYE, WELCOME
from common.wire.greeting import Greeting
from stages.stage4.accepting import accept
from stages.traffic import Drop
from tests.stages.stage4.arena import Arena, PlaneFan, arena
from tests.stages.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMED: Final = "VERSION:1:CONNECT:Ñandú:MATCH:elp-tig-2011-09-10\r\n".encode()
EXPECTED: Final = b"ERROR: expected V:2:<user> or VERSION:1:CONNECT:<user>:MATCH:<match id>\r\n"
ROOM: Final = 4096
MUCH: Final = 40
"""Messages of 1,000 bytes: more than a socket with ROOM takes."""


@pytest.fixture
def plane() -> Iterator[Arena]:
    with arena() as found:
        yield found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return the pieces of data that is cut at those places."""
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(marks)]


# Greetings.


@pytest.mark.parametrize(
    ("said", "greeting"), [(b"V:2:ann\n", Greeting("ann", None)), (NAMED, Greeting("Ñandú", "elp-tig-2011-09-10"))]
)
def test_a_greeting_is_understood_wherever_it_is_cut(plane: Arena, said: bytes, greeting: Greeting) -> None:
    fans = [plane.connect() for _ in said]
    for place, fan in enumerate(fans):
        assert fan.hear() == WELCOME
        for piece in cut(said, [place]):
            fan.say(piece)
            plane.turn()
    assert plane.greetings == {fan.fd: greeting for fan in fans}


def test_a_greeting_is_understood_byte_by_byte_and_all_that_follows_says_nothing(plane: Arena) -> None:
    fan = plane.connect()
    for number, byte in enumerate(NAMED + b"VERSION:9\n"):
        fan.say(bytes([byte]))
        plane.turn()
        assert (fan.fd in plane.greetings) is (number >= len(NAMED) - 2)  # \r is an end
    plane.answer(fan)
    fan.say(b"more")
    plane.turn()
    assert fan.hear() == WELCOME + b"status"
    assert not fan.is_over


@given(
    st.lists(st.binary(max_size=30) | st.sampled_from([NAMED, b"V:2:", b"\xff\xfb\x1f", b"x" * 1100]), max_size=5),
    st.lists(st.integers(0, 5000), max_size=8),
    st.sampled_from([PlaneFan.close, PlaneFan.say_no_more]),
)
def test_whatever_a_fan_says_it_is_served_or_refused_and_leaves_nothing(
    said: list[bytes], places: list[int], end: Callable[[PlaneFan], None]
) -> None:
    with arena() as found:
        fan, other = found.connect(), found.connect()
        for piece in cut(b"".join(said), places):
            fan.say(piece)
            found.turn()
        is_greeted = fan.fd in found.greetings
        is_refused = found.drops == {Drop.GREETING: 1}
        assert not (is_greeted and is_refused)
        end(fan)
        found.turn(3)
        if end is PlaneFan.say_no_more and not is_greeted:
            is_greeted = fan.fd in found.greetings
            assert found.drops == ({} if is_greeted else {Drop.GREETING: 1})
            fan.hear()
            assert fan.is_over is not is_greeted
            assert is_greeted or fan.heard.startswith(WELCOME + b"ERROR: ")
        if fan.fd in found.greetings:
            found.plane.cut_off(fan.fd)
        assert found.plane.connected == 1
        other.say(NAMED)
        found.turn()
        assert list(found.greetings) == [other.fd]


# Fans who go.


def test_fans_go_before_their_greeting_after_it_and_when_they_watch(plane: Arena) -> None:
    silent, half, waiting, watching = plane.connect(), plane.connect(), plane.connect(), plane.seated()
    half.say(b"V:2:h")
    waiting.say(b"V:2:waiting\n")
    plane.turn()
    assert (plane.plane.connected, plane.plane.watching) == (4, 1)
    for fan in (silent, half, waiting, watching):
        fan.close()
    plane.turn()
    assert plane.gone_fans == [waiting.fd]
    assert plane.drops == {Drop.BROKEN: 4}
    assert plane.nothing_is_left()
    assert plane.plane.accepted == 4


def test_who_turns_out_gone_when_an_event_is_sent_is_not_counted_as_told(plane: Arena) -> None:
    fans = [plane.seated() for _ in range(5)]
    for fan in fans[1::2]:
        fan.close()
    assert plane.send(b"event") == 3
    assert [fan.hear() for fan in fans[::2]] == [WELCOME + b"statusevent"] * 3
    assert (plane.plane.connected, len(plane.crowd), plane.drops) == (3, 3, {Drop.BROKEN: 2})


def test_who_is_gone_when_it_is_answered_is_in_no_crowd(plane: Arena) -> None:
    fans = [plane.connect() for _ in range(3)]
    for fan in fans:
        fan.say(b"V:2:fan\n")
    plane.turn()
    for fan in fans:
        fan.close()
    plane.answer(fans[0])
    plane.plane.answer_last(fans[1].fd, b"status")
    plane.plane.refuse(fans[2].fd, "no", Drop.MATCH)
    assert plane.nothing_is_left()


def test_the_last_answer_is_followed_by_the_end(plane: Arena) -> None:
    fan = plane.connect()
    fan.say(b"V:2:fan\n")
    plane.turn()
    plane.plane.answer_last(fan.fd, b"status")
    assert fan.hear() == WELCOME + b"status"
    assert fan.is_over
    assert plane.traffic.greetings == 1


# Fans who have closed their side.


def test_who_closes_with_the_greeting_hears_all_and_its_end_is_noticed(plane: Arena) -> None:
    fan = plane.connect()
    fan.say(b"V:2:fan")
    fan.say_no_more()
    plane.turn(2)
    plane.answer(fan)
    for event in (b"one", b"two"):
        plane.turn()
        assert plane.send(event) == 1
    assert fan.hear() == WELCOME + b"statusonetwo"
    assert not fan.is_over
    fan.close()
    plane.turn()
    assert plane.nothing_is_left()
    assert plane.drops == {}  # it went in order


def test_who_closes_later_and_lags_is_sent_the_rest(plane: Arena) -> None:
    fan = plane.seated(ROOM)
    plane.send(b"a" * 100_000)
    fan.say_no_more()
    plane.turn()
    plane.send(b"b")
    while not fan.hear().endswith(b"b"):
        plane.turn()
    assert fan.heard == WELCOME + b"status" + b"a" * 100_000 + b"b"
    assert (plane.plane.unsent, plane.plane.connected) == (0, 1)
    assert plane.is_at_rest()  # though its closed side could be read for ever
    plane.send(b"c")
    assert fan.hear().endswith(b"bc")


def test_who_closes_without_a_greeting_is_told_and_counted_once(plane: Arena) -> None:
    fan = plane.connect()
    fan.say_no_more()
    plane.turn()
    assert fan.hear() == WELCOME + EXPECTED
    assert fan.is_over
    assert plane.nothing_is_left()
    assert plane.drops == {Drop.GREETING: 1}


# Fans who do not read.


def test_who_lags_gets_everything_whole_and_in_order_and_nobody_waits_for_it(plane: Arena) -> None:
    slow, quick = plane.seated(ROOM), plane.seated()
    events = [b"%03d" % number + b"." * 1000 + b"\n" for number in range(MUCH)]
    for event in events:
        assert plane.send(event) == 2
        assert quick.hear().endswith(event)
    assert plane.plane.unsent == 1
    while not slow.hear(700).endswith(events[-1]):
        plane.turn()
        if len(slow.heard) % 3 == 0:  # while it lags more is sent
            events.append(b"%03d" % len(events) + b":" * 10 + b"\n")
            plane.send(events[-1])
    assert slow.heard == WELCOME + b"status" + b"".join(events)
    plane.turn()
    assert plane.plane.unsent == 0
    assert plane.is_at_rest()
    plane.send(b"at once again")
    assert slow.hear().endswith(b"at once again")


def test_who_lags_is_parted_from_when_it_has_all(plane: Arena) -> None:
    slow = plane.seated(ROOM)
    plane.send(b"a" * 100_000)
    plane.plane.let_go(slow.fd)
    assert (plane.plane.connected, plane.plane.watching, len(plane.crowd)) == (1, 0, 0)
    assert plane.plane.leaving_since(monotonic()) == [slow.fd]
    slow.say(b"and it talks")
    while not slow.is_over:
        plane.turn()
        slow.hear(5_000)
    assert slow.heard == WELCOME + b"status" + b"a" * 100_000
    assert plane.nothing_is_left()


def test_who_lags_and_goes_is_forgotten(plane: Arena) -> None:
    for _ in range(3):
        slow = plane.seated(ROOM)
        plane.send(b"a" * 100_000)
        slow.close()
        plane.turn()
        assert plane.nothing_is_left()
    assert plane.drops == {Drop.BROKEN: 3}


# Fans who are refused.


def test_who_is_refused_hears_why_has_to_close_first_and_is_counted_once(plane: Arena) -> None:
    for end in (PlaneFan.close, PlaneFan.say_no_more):
        fan = plane.connect()
        fan.say(b"HELLO\n")
        plane.turn()
        assert fan.hear() == WELCOME + EXPECTED
        assert fan.is_over
        fan.say(b"HELLO\n")
        plane.turn()
        assert plane.plane.connected == 1  # it may still say something
        end(fan)
        plane.turn()
        assert plane.nothing_is_left()
    assert plane.drops == {Drop.GREETING: 2}


def test_who_does_not_close_is_found_and_cut_off(plane: Arena) -> None:
    before = monotonic()
    fan = plane.connect()
    fan.say(b"V:2:fan\n")
    plane.turn()
    plane.plane.refuse(fan.fd, "no", Drop.MATCH)
    assert plane.gone_fans == [fan.fd]
    assert plane.plane.leaving_since(before) == []
    assert plane.plane.leaving_since(monotonic()) == [fan.fd]
    plane.plane.cut_off(fan.fd)
    plane.plane.cut_off(fan.fd)
    assert plane.nothing_is_left()
    assert plane.drops == {Drop.MATCH: 1}


@pytest.mark.parametrize("says_more", [True, False])
def test_who_is_refused_while_it_is_behind_hears_all_of_it_and_is_not_reset(says_more: bool) -> None:
    """By TCP, since a pair of sockets knows no reset (RFC 9293, 3.6.1)."""
    with arena() as found, socket.create_server(("127.0.0.1", 0)) as listening:
        with socket.create_connection(listening.getsockname(), DEADLINE_S) as fan:
            fd = accept(listening.fileno())
            found.plane.welcome(fd)
            fan.sendall(b"V:2:slow\n")
            while fd not in found.greetings:
                found.turn()
            del found.greetings[fd]
            found.plane.answer(fd, b"status", found.crowd)
            sent = 0
            while not found.plane.unsent:
                sent += 10_000 * found.send(b"x" * 10_000)
            found.plane.refuse(fd, "too slow", Drop.SLOW)
            if says_more:
                fan.sendall(b"x" * 50_000)
            else:
                fan.shutdown(socket.SHUT_WR)
            fan.setblocking(False)
            heard = b""
            while not heard.endswith(b"ERROR: too slow\r\n"):
                found.turn()
                with suppress(BlockingIOError):
                    heard += fan.recv(1 << 20)
            fan.setblocking(True)
            while data := fan.recv(4096):
                heard += data
                found.turn()
            assert len(heard) == len(WELCOME + b"status") + sent + len(b"ERROR: too slow\r\n")
            fan.close()
            while found.plane.connected:
                found.turn()
        assert found.drops == {Drop.SLOW: 1}


def test_who_still_says_much_when_it_is_refused_hears_why_and_is_not_reset() -> None:
    """By TCP, since a pair of sockets knows no reset (RFC 9293, 3.6.1)."""
    with arena() as found, socket.create_server(("127.0.0.1", 0)) as listening:
        with socket.create_connection(listening.getsockname(), DEADLINE_S) as fan:
            found.plane.welcome(accept(listening.fileno()))
            fan.sendall(b"x" * 50_000)
            while not found.drops:
                found.turn()
            heard = b""
            while data := fan.recv(4096):
                heard += data
            fan.shutdown(socket.SHUT_WR)
            while found.plane.connected:
                found.turn()
            assert fan.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert heard.startswith(WELCOME + b"ERROR: the line is longer than")
        assert found.drops == {Drop.GREETING: 1}


# The server.


def test_all_are_told_goodbye_but_those_who_were_refused(plane: Arena) -> None:
    refused, silent, watching, slow = plane.connect(), plane.connect(), plane.seated(), plane.seated(ROOM)
    plane.plane.refuse(refused.fd, "no", Drop.MATCH)
    plane.crowd.begin()
    plane.plane.send([slow.fd], b"a" * 50_000)
    assert plane.plane.say_goodbye() == 3
    assert silent.hear() == WELCOME + GOODBYE
    assert watching.hear() == WELCOME + b"status" + GOODBYE
    assert silent.is_over
    assert watching.is_over
    assert GOODBYE not in refused.hear()
    while not slow.is_over:
        plane.turn()
        slow.hear()
    assert slow.heard == WELCOME + b"status" + b"a" * 50_000 + GOODBYE
    assert plane.plane.connected == 1
    assert plane.plane.cut_off_all() == 0  # of those who were not being parted from


def test_only_who_has_not_greeted_is_silent(plane: Arena) -> None:
    before = monotonic()
    silent, half, waiting, refused = (plane.connect() for _ in range(4))
    half.say(b"V:2")
    waiting.say(b"V:2:fan\n")
    refused.say(b"\n")
    plane.seated()
    plane.turn()
    assert plane.plane.silent_since(before) == []
    assert plane.plane.silent_since(monotonic()) == [silent.fd, half.fd]
    assert plane.plane.cut_off_all() == 4


def test_the_arrays_grow_with_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.stage4.plane._SLOTS", 1)
    with arena() as found:
        fans = [found.seated() for _ in range(20)]
        found.send(b"event")
        assert {fan.hear() for fan in fans} == {WELCOME + b"statusevent"}


def test_a_connection_that_cannot_be_watched_is_closed(plane: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the kernel has no memory for it (epoll_ctl(2))."""

    def register(_fd: int, _events: int) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    with closing(PlaneFan(*plane.pair())) as fan, monkeypatch.context() as patch:
        patch.setattr(plane.plane, "_epoll", SimpleNamespace(register=register))
        with pytest.raises(OSError, match="memory"):
            plane.plane.welcome(fan.fd)
        assert fan.hear() == b""
        assert fan.is_over
    assert plane.nothing_is_left()
    assert plane.plane.accepted == 0


# Listening sockets and descriptors.


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def test_a_listening_socket_is_watched_until_it_is_left_alone(plane: Arena, listening: socket.socket) -> None:
    called: list[str] = []
    fd, address = listening.fileno(), listening.getsockname()
    plane.plane.watch(fd, lambda: called.append("first"))
    plane.turn()
    assert called == []
    with socket.create_connection(address):
        plane.turn()
        plane.turn()
        assert called == ["first"] * 2  # it still waits
        plane.plane.watch(fd, lambda: called.append("second"))  # of a listener that was started again
        plane.turn()
        assert called[2:] == ["second"]
        plane.plane.unwatch(fd)
        plane.plane.unwatch(fd)
        plane.turn()
        assert len(called) == 3
        plane.plane.watch(fd, lambda: called.append("third"))
        plane.turn()
        assert called[3:] == ["third"]
        plane.plane.unwatch(fd)


def test_a_descriptor_that_is_used_again_in_the_same_turn_is_the_new_fans(
    plane: Arena, listening: socket.socket
) -> None:
    """What the kernel told of the old one comes after the new one could be accepted, and is not taken for its own."""
    old, other = plane.seated(), plane.connect()
    welcomed: list[int] = []

    def let_in() -> None:
        welcomed.append(accept(listening.fileno()))
        plane.plane.welcome(welcomed[-1])

    plane.plane.watch(listening.fileno(), let_in)
    plane.turn()  # epoll(7) has nothing to tell, and from here on tells in the order in which it came to know
    plane.on_greeting = lambda _fd: plane.plane.cut_off(old.fd)
    other.say(b"V:2:other\n")
    with socket.create_connection(listening.getsockname(), DEADLINE_S) as new:
        old.hang_up()
        plane.turn()
        assert welcomed == [old.fd]
        assert new.recv(4096) == WELCOME
        plane.on_greeting = lambda _fd: None
        new.sendall(b"V:2:new\n")
        while old.fd not in plane.greetings:
            plane.turn()
    plane.plane.unwatch(listening.fileno())
    assert plane.greetings[old.fd] == Greeting("new", None)
    assert plane.drops == {}


def test_what_was_unsent_to_one_fan_is_not_sent_to_the_next_at_its_descriptor(plane: Arena) -> None:
    slow = plane.seated(ROOM)
    plane.send(b"a" * 100_000)
    slow.say_no_more()
    plane.turn()
    with closing(PlaneFan(*plane.pair())) as new:
        slow.hang_up()
        plane.turn()
        ours, new.fd = new.fd, os.dup(new.fd)  # the lowest that is free
        os.close(ours)
        assert new.fd == slow.fd
        plane.plane.welcome(new.fd)
        plane.turn()
        new.say(b"V:2:new\n")
        plane.turn()
        assert new.hear() == WELCOME
        assert plane.greetings == {new.fd: Greeting("new", None)}
