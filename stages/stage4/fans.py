"""The gen_server that runs the plane: it hears what fans say, seats them with their match, and keeps audiences alive.

It stands where the talk has the clients' supervisor. What it holds is data (the plane's arrays, the seats of each
match), and what can go wrong while serving a match goes wrong in that match's audience. If this process itself crashes,
its fans are cut off and counted, as those of a client that crashes are.

A fan that names no match watches the current one. Those who come together ask once: while one question is under way
the next comers gather for the one after it, since a match may have started meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from common.domain.errors import UnknownMatchError
from common.otp import NORMAL, SHUTDOWN, CallError, Down, GenServer, StartChild
from common.store.errors import StoreUnavailableError, UnreadableRecordError
from stages.stage0.client import LINGER_S, SILENT, STATE_TIMEOUT_S, STORE_AWAY
from stages.stage0.messages import UNREADABLE
from stages.stage0.operations import CountVisit, CurrentMatch
from stages.stage0.user import RESUME_S
from stages.stage4.audience import NEWCOMERS, AudienceSup
from stages.stage4.crowd import Crowd
from stages.stage4.seats import Seats
from stages.traffic import Drop

if TYPE_CHECKING:
    from common.otp import Process, Reason
    from common.wire.greeting import Greeting, Numbered
    from stages.stage0.parts import Parts
    from stages.stage4.plane import Plane

_log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""The time between two looks for fans that take too long, and for audiences of nobody."""

_LOOK: Final = "look"


@dataclass(frozen=True, slots=True)
class Begin:
    """To itself: start the audience of a match."""

    match_id: str


class Fans(GenServer):
    """All fans of a server process: the plane's host."""

    NAME = "fans"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._plane: Plane = parts.server_plane
        self._seats: dict[str, Seats] = {}
        self._matches: dict[Process, str] = {}
        self._waits_at: dict[int, Seats] = {}  # where whoever has the number has waited last: who goes has it looked up
        self._unasked: dict[int, Numbered | None] = {}
        self._asked: dict[int, Numbered | None] = {}
        self._is_asking = False
        self._look_timer: asyncio.TimerHandle | None = None

    async def init(self) -> None:
        """Begin to serve."""
        # It has no registered name, which the one of a predecessor that was killed may still have for a moment.
        self._audience_sup = await self.node.start(AudienceSup(self._parts), parent=self.process)
        self._plane.open(self)
        asyncio.get_running_loop().add_reader(self._plane.fileno(), self._turn)
        self._look_later()

    async def handle_info(self, message: Any) -> None:
        """Start audiences, and look after fans and audiences from time to time."""
        if isinstance(message, Begin):
            await self._begin(message.match_id)
        elif isinstance(message, Down):
            self._is_over(message.monitor.process, message.reason)
        elif message == _LOOK:
            self._look()
            self._look_later()

    async def terminate(self, reason: Reason) -> None:
        """Part from all fans: with a goodbye if the server stops."""
        self._stop_serving()
        if reason == SHUTDOWN:
            self._parts.farewells.said += self._plane.say_goodbye()
        else:
            self._parts.traffic.drops[Drop.CRASH] += self._plane.cut_off_all()
        self._audience_sup.exit(reason)
        await self._audience_sup.wait()

    def close_port(self) -> None:
        """Cut all fans off: nobody is there to serve them."""
        self._stop_serving()
        self._parts.traffic.drops[Drop.CRASH] += self._plane.cut_off_all()

    def greeted(self, fd: int, greeting: Greeting) -> None:
        """Count the visit, and have the fan wait with others for its match, or for which that is."""
        self._count_visit(greeting.user)
        if greeting.match_id is not None:
            self._seat(fd, greeting.match_id, greeting.numbered)
            return
        self._unasked[fd] = greeting.numbered
        if not self._is_asking:
            self._is_asking = True
            self.spawn(self._ask_for_the_current())

    def gone(self, fd: int) -> None:
        """Forget a fan that waited."""
        self._unasked.pop(fd, None)
        self._asked.pop(fd, None)
        seats = self._waits_at.pop(fd, None)
        if seats is not None:
            seats.waiting.pop(fd, None)

    def watching_by(self, door: str) -> int:
        """Count those who came by the door of that name and have been told where their match stands."""
        return sum(len(seats.rows[door].crowd) for seats in self._seats.values() if door in seats.rows)

    def _turn(self) -> None:
        try:
            self._plane.turn()
        except Exception as error:
            _log.exception("%s cannot go on", self.process.name)
            self.process.exit(error)

    async def _ask_for_the_current(self) -> None:
        try:
            while self._unasked:
                self._asked, self._unasked = self._unasked, {}
                await self._decide()
        finally:
            self._is_asking = False

    async def _decide(self) -> None:
        """Seat those who were asked for with the current match, or refuse them."""
        try:
            match = await self._parts.db.query(self.node, CurrentMatch())
        except UnknownMatchError as error:
            self._refuse_asked(str(error), Drop.MATCH)
        except UnreadableRecordError:
            self._refuse_asked(UNREADABLE, Drop.MATCH)
        except StoreUnavailableError:
            self._refuse_asked(STORE_AWAY, Drop.STORE)
        else:
            for fd, numbered in self._take_asked().items():
                self._seat(fd, match.id, numbered)

    def _refuse_asked(self, why: str, drop: Drop) -> None:
        for fd in self._take_asked():
            self._plane.refuse(fd, why, drop)

    def _take_asked(self) -> dict[int, Numbered | None]:
        taken, self._asked = self._asked, {}
        return taken

    def _seat(self, fd: int, match_id: str, numbered: Numbered | None) -> None:
        """Answer a fan from what is known of its match, or have it wait for the audience."""
        seats = self._seats.get(match_id)
        if seats is None:
            seats = self._seats[match_id] = Seats(Crowd(self._plane.position))
            self.process.send(Begin(match_id))
        elif self._answer_at_once(fd, seats, numbered):
            return
        seats.waiting[fd] = numbered
        self._waits_at[fd] = seats
        if len(seats.waiting) == 1 and seats.audience is not None:
            seats.audience.send(NEWCOMERS)

    async def _begin(self, match_id: str) -> None:
        """Start the audience of a match, if anybody is there for it; later, if that cannot be now."""
        seats = self._seats.get(match_id)
        if seats is None or seats.audience is not None:
            return
        if seats.is_empty:
            del self._seats[match_id]
            return
        try:
            seats.audience = await self._audience_sup.call(StartChild((match_id, seats)))
        except CallError:
            self._begin_later(match_id)
        else:
            self._matches[seats.audience] = match_id
            self.process.monitor(seats.audience)
            if seats.waiting:  # for one who came while it was started it was known to nobody
                seats.audience.send(NEWCOMERS)

    def _is_over(self, audience: Process, reason: Reason) -> None:
        """Start another audience: at once where one match follows another, later after a crash."""
        match_id = self._matches.pop(audience)
        self._seats[match_id].audience = None
        if reason == NORMAL:
            self.process.send(Begin(match_id))
        else:
            self._begin_later(match_id)

    def _begin_later(self, match_id: str) -> None:
        asyncio.get_running_loop().call_later(RESUME_S, self.process.send, Begin(match_id))

    def _look(self) -> None:
        now_s = monotonic()
        for fd in self._plane.silent_since(now_s - STATE_TIMEOUT_S):
            self._plane.refuse(fd, SILENT, Drop.SILENCE)
        for fd in self._plane.leaving_since(now_s - LINGER_S):
            self._plane.cut_off(fd)
        for seats in self._seats.values():
            if seats.is_empty and seats.audience is not None:
                seats.audience.send(NEWCOMERS)  # and it finds that nobody is there

    def _look_later(self) -> None:
        self._look_timer = asyncio.get_running_loop().call_later(LOOK_S, self.process.send, _LOOK)

    def _stop_serving(self) -> None:
        asyncio.get_running_loop().remove_reader(self._plane.fileno())
        if self._look_timer is not None:
            self._look_timer.cancel()

    # Hooks: what later lessons do otherwise (the table in `stages.stage4` has them all).

    def _answer_at_once(self, fd: int, seats: Seats, numbered: Numbered | None) -> bool:
        """Answer a fan whose answer is known; return whether it was."""
        del numbered  # no door lets through who wants numbers
        status = self._ready_status(seats)
        if status is None:
            return False
        self._plane.answer(fd, status, seats.crowd)
        return True

    def _ready_status(self, seats: Seats) -> bytes | None:
        """Return the status of the place where those who watch a match stand, if it is at hand."""
        del seats
        return None

    def _count_visit(self, user: str) -> None:
        """Have the visit counted."""
        db = self.node.whereis(self._parts.db.NAME)
        if db is not None:  # else it is being restarted, and the visit is lost, as when Redis does not take it
            db.cast(CountVisit(user))
