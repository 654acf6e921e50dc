"""How a user stands to what was sent out before it subscribed, on virtual time and before a store of which only the
answers are known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from common.domain.events import Event
from common.domain.match import Period
from common.otp import GenServer, Node
from stages.catalogue import STAGES
from stages.stage0.db import Db
from stages.stage0.dispatcher import Dispatcher
from stages.stage0.match_sup import MatchSup
from stages.stage0.messages import NO_PLACE, Dismissal, Notification, Place, Status, Watch
from stages.stage0.operations import HistoryAfter, MatchOf
from stages.stage0.user import StatusOf
from tests.common.store import records
from tests.virtual_time import idle, run_virtual

if TYPE_CHECKING:
    from common.otp import Process
    from stages.stage0.parts import Parts

AT = datetime(2011, 9, 10, 15, 0, tzinfo=UTC)
MATCH = msgspec.structs.replace(records.match(seq=5, period=Period.FIRST), last_at=AT)
LAST, NEXT, END = (
    Event(seq, AT + timedelta(minutes=seq - 5), kind, {}) for seq, kind in ((5, "goal"), (6, "goal"), (7, "stop"))
)
STATUS = Status(b"status", is_last=False)


@dataclass
class Store:
    """What Redis has of the match, and what it was asked of its history."""

    history: list[Event]
    asked: list[HistoryAfter] = field(default_factory=list)

    def answer(self, operation: object) -> Any:
        if isinstance(operation, StatusOf):
            return MATCH, STATUS
        if isinstance(operation, HistoryAfter):
            self.asked.append(operation)
            return [event for event in self.history if event.seq > operation.seq]
        return MATCH if isinstance(operation, MatchOf) else None


class Fan(GenServer):
    """A client that notes what it is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def handle_cast(self, message: object) -> None:
        self.heard.append(message)


def parts(store: Store, manager: Process | None) -> Parts:
    """Return the baseline with that store, and a match that has this dispatcher."""

    class Stored(Db):
        @classmethod
        async def query(cls, node: Node, operation: Any) -> Any:
            return store.answer(operation)

    class Matches(MatchSup):
        @classmethod
        async def call(cls, node: Node, match_id: str, request: object) -> Process | None:
            return manager

    return replace(STAGES["0"].parts, db=Stored, match_sup=Matches)


def heard(store: Store, place: Place | None, *, then: tuple[object, ...] = ()) -> list[object]:
    """Return what a client is told of a match whose dispatcher, at `place` (None: there is none), sends out `then`."""

    async def main() -> list[object]:
        node, fan = Node(), Fan()
        client = await node.start(fan)
        manager = None if place is None else await node.start(Dispatcher(place))
        user = await node.start(STAGES["0"].parts.user(parts(store, manager), "ana"))
        await user.call(Watch(client, MATCH.id))
        for message in then:
            assert manager is not None
            manager.cast(message)
        await idle()
        told = list(fan.heard)  # before the end, in whose midst a user may see its dispatcher go first
        for process in node.processes():
            process.kill()
            await process.wait()
        return told

    return run_virtual(main())


def kinds(told: list[object]) -> list[object]:
    """Return numbers of events, and the other messages as they are but for what a dismissal says."""
    return [
        message.seq if isinstance(message, Notification) else Dismissal if isinstance(message, Dismissal) else message
        for message in told
    ]


def test_who_is_current_reads_nothing() -> None:
    store = Store([LAST])
    sent = Notification(6, b"goal", is_last=False, accepted_at=NEXT.at)
    assert heard(store, Place(5, AT), then=(sent,)) == [STATUS, sent]
    assert store.asked == []


@pytest.mark.parametrize("place", [Place(6, NEXT.at), Place(5, NEXT.at), NO_PLACE])
def test_who_is_behind_reads_what_it_missed(place: Place) -> None:
    assert kinds(heard(Store([LAST, NEXT]), place)) == [STATUS, 6]


def test_of_a_match_that_has_ended_the_history_has_the_end() -> None:
    assert kinds(heard(Store([LAST, NEXT, END]), None)) == [STATUS, 6, 7]


def test_of_a_match_that_is_not_live_and_has_no_end_a_fan_is_sent_away() -> None:
    told = heard(Store([LAST, NEXT]), None)
    assert kinds(told) == [STATUS, 6, Dismissal]
    assert isinstance(told[-1], Dismissal)
    assert b"was set back, or announced anew" in told[-1].frame


def test_nothing_comes_after_a_dismissal() -> None:
    dismissal = Dismissal(b"cancelled")
    late = Notification(6, b"goal", is_last=False, accepted_at=NEXT.at)
    assert heard(Store([LAST]), Place(5, AT), then=(dismissal, late)) == [STATUS, dismissal]
