"""One generator process: a loop, which `harness.load.fork_server` has a copy of itself turn for the Generator.

One epoll loop plays all its fans and listens to the control connection. It ends when it has reported, and when the
other end of that connection is closed.
"""

from __future__ import annotations

import select
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, process_time
from typing import Any, Final

from harness.load.counters import SharedProgress
from harness.load.deliveries import SentEvent
from harness.load.fans import Fans
from harness.load.messages import Begin, EventsBegin, EventsEnd, Finish, Job, Ready, Report
from harness.load.reconnecting import ReconnectingFans

EVENTS_A_TURN: Final = 256  # some milliseconds: a wave that comes due meanwhile waits for no more
SHORTEST_ACTIVE_S: Final = 1.0  # a share of less than a second says nothing: any burst is as busy as it can be
LONGEST_SLEEP_S: Final = 0.1  # who sleeps longer cannot tell that they were stopped, or got no CPU, when news came
_TICK_S: Final = 0.001  # epoll_wait counts in milliseconds, rounded up


class Loop:
    """Turns until it is told to finish: start who is due, give up who is overdue, read who has something to read."""

    __slots__ = (
        "_before",
        "_close_at",
        "_control",
        "_cpu_at_begin",
        "_epoll",
        "_fans",
        "_growth",
        "_progress",
        "_t0",
        "_turn_max_s",
    )

    def __init__(self, control: Connection, progress: SharedProgress, epoll: select.epoll) -> None:
        self._before = memory("RssAnon")
        job: Job = control.recv()
        self._control = control
        self._progress = progress
        self._epoll = epoll
        backoff = job.conduct.backoff
        self._fans = Fans(epoll, job) if backoff is None else ReconnectingFans(epoll, job, backoff)
        self._growth: int | None = None
        self._close_at: float | None = None
        self._turn_max_s = 0.0
        self._t0 = self._cpu_at_begin = 0.0

    def run(self) -> Report:
        """Play the job from its Begin to its Finish. Raise EOFError when the other end of the control is gone."""
        self._control.send(Ready())
        begin: Begin = self._control.recv()
        self._cpu_at_begin = process_time()
        self._t0 = begin.t0
        self._fans.begin(begin.t0)
        self._epoll.register(self._control.fileno(), select.EPOLLIN)
        self._turn_until_finished()
        cpu_s = process_time() - self._cpu_at_begin
        self._fans.close()
        active_s = max(self._fans.last_s, SHORTEST_ACTIVE_S)
        return Report(self._fans.samples, cpu_s / active_s, self._turn_max_s, self._growth, memory("VmHWM"))

    def _turn_until_finished(self) -> None:
        fans, control_fd, poll = self._fans, self._control.fileno(), self._epoll.poll
        woke = monotonic()
        all_read_at = woke
        while True:
            fans.start_due()
            fans.leave_due()
            fans.expire(all_read_at)
            self._progress.publish(fans.progress)
            if self._growth is None and fans.is_settled:
                self._growth = memory("RssAnon") - self._before
            now = monotonic()
            self._turn_max_s = max(self._turn_max_s, now - woke)
            if self._close_at is not None and (now >= self._close_at or fans.open == 0):
                return
            patience_s = self._patience_s(now)
            events = poll(patience_s, EVENTS_A_TURN)
            woke = monotonic()
            self._turn_max_s = max(self._turn_max_s, woke - now - patience_s - _TICK_S)  # it was kept from waking
            fans.on_turn()
            for fd, mask in events:
                if fd == control_fd:
                    self._obey(self._control.recv())
                else:
                    fans.on_ready(fd, mask)
            if len(events) < EVENTS_A_TURN:
                all_read_at = woke  # what came later may not be read yet

    def _patience_s(self, now: float) -> float:
        """Return how long the loop may sleep: a tick less than it could, so that it is awake when the moment comes."""
        next_at = self._t0 + self._fans.next_moment_s
        if self._close_at is not None:
            next_at = min(next_at, self._close_at)
        return min(max(0.0, next_at - now - _TICK_S), LONGEST_SLEEP_S)

    def _obey(self, order: EventsBegin | EventsEnd | SentEvent | Finish) -> None:
        match order:
            case EventsBegin():
                self._fans.events_begin(order.at)
            case EventsEnd():
                self._fans.stay_away()
                self._progress.hear_events_end()
            case SentEvent():
                self._fans.event_sent(order)
            case Finish():
                self._close_at = monotonic() + order.close_wait_s
                self._fans.stop()


def memory(field: str) -> int:
    """Return RssAnon, this process's own memory, or VmHWM, the peak of all, in bytes (proc(5)).

    Both have in them what it shares with the process that it is a copy of; ru_maxrss has all of that one's.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)


def play(control_fd: int, progress_fd: int) -> None:
    """Play one job over the control connection, and publish how far it is; both descriptors are closed at the end."""
    control: Connection[Any, Any] = Connection(control_fd)
    with control, SharedProgress(progress_fd) as progress, select.epoll() as epoll:
        try:
            control.send(Loop(control, progress, epoll).run())
        except (EOFError, ConnectionError):
            return  # who started this is gone, and the sockets go with this process
