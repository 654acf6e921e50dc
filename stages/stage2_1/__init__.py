"""Stage 2.1: connection tweaks (slides "Backlog", "Outbound connections", "Listeners"; N 8,000, C 500, ART 15 s).

Cause: a wave of fans is turned away at the door (a backlog of 5), and one connection to Redis, used for one question
at a time, is the queue in which those wait who got in.

* `backlog`: connections that wait to be accepted. Costs kernel memory for those that wait. It moves C, from
  4 to whole waves: what does not fit in is dropped silently and tries again after 1, 3, 7 s.
* `tcp-options`: keepalive finds peers that vanished; a send that stalls for 32 s closes its fan, so that one who does
  not read cannot fill the memory. They guard N over hours. Nodelay brings nothing here: asyncio and uvloop set it by
  themselves.
* `redis-pool`: 200 connections, so questions do not wait for each other's answers. It should move ART and C.
* `listeners`: a range of ports, for fans and for the API; `/1/checkin` hands them out. Each listener has an accept
  queue of its own, so it should move C; and N, since one client address has only some 28,000 ports towards a port. For
  one address in front of all: `matchstream nginx`.

Measured (2 cores, shared with the generator; without over with, in the scenarios that exercise a lesson: the course has
the intervals, `reports/results/ablation` all of it):

* without `backlog` one in six of 4,000 fans is served in waves of 500: the others' SYNs are dropped, 1, 3 and 7 s long.
* without `redis-pool`, Redis 2 ms away, 0.6 of the fans are served in this stage. From stage 2.3 on one connection
  carries many questions at a time, and no change is seen.
* without `listeners` a burst is answered in 0.8 of the time in this stage, and as soon in stage 3: one accept queue of
  4,096 (the kernel's net.core.somaxconn) and its retries do for 8,000 here.
* without `tcp-options` a fan that does not read keeps its connection, and what waits for it, for ever; with them it is
  gone after 32 s (scenario `stalled`, 45 s a trial, by name only).
"""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from stages import stage1
from stages.stage0.parts import Lesson, layered
from stages.stage2_1.backlog import BACKLOG, BurstListener
from stages.stage2_1.redis_pool import PooledDb

if TYPE_CHECKING:
    from stages.stage0.parts import Parts

REDIS_CONNECTIONS: Final = 200
"""The talk's."""
LISTENERS: Final = 4
SEND_TIMEOUT_MS: Final = 32_000
"""The talk's `send_timeout` with `send_timeout_close`: how long what was sent may stay unacknowledged, or wait because
the peer's window is closed, until the kernel ends the connection (tcp(7), TCP_USER_TIMEOUT)."""

SOCKET_OPTIONS: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SEND_TIMEOUT_MS),
)
"""Set once on the listening socket: Linux hands them on to what is accepted, so a connection costs no call."""


def _backlog(parts: Parts) -> Parts:
    return replace(parts, backlog=BACKLOG, http_backlog=BACKLOG, listener=layered(parts.listener, BurstListener))


def _tcp_options(parts: Parts) -> Parts:
    return replace(parts, socket_options=SOCKET_OPTIONS)


def _redis_pool(parts: Parts) -> Parts:
    return replace(parts, redis_connections=REDIS_CONNECTIONS, db=layered(parts.db, PooledDb))


def _listeners(parts: Parts) -> Parts:
    return replace(parts, fan_listeners=LISTENERS, http_listeners=LISTENERS)


STAGE = stage1.STAGE.followed_by(
    "2.1",
    Lesson(name="backlog", teaches="an accept queue that takes a whole wave", apply=_backlog),
    Lesson(name="tcp-options", teaches="nodelay, keepalive, and an end to sends that stall", apply=_tcp_options),
    Lesson(name="redis-pool", teaches="200 connections to Redis instead of one", apply=_redis_pool),
    Lesson(name="listeners", teaches="a range of ports for fans and for the API", apply=_listeners),
)
