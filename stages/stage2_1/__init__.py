"""Stage 2.1: connection tweaks (slides "Backlog", "Outbound connections", "Listeners"; N 8,000, C 500, ART 15 s).

Cause: a wave of fans is turned away at the door (a backlog of 5), and one connection to Redis, used for one question
at a time, is the queue in which those wait who got in.

* `backlog`: connections that wait to be accepted. Costs kernel memory for those that wait. It moves C, from
  4 to whole waves: what does not fit in is dropped silently and tries again after 1, 3, 7 s.
* `tcp-options`: keepalive finds peers that vanished; a send that stalls for 32 s closes its fan, so that one who does
  not read cannot fill the memory. They guard N over hours, and move no figure of a trial of a minute. Nodelay
  brings nothing here: asyncio and uvloop set it by themselves.
* `redis-pool`: 200 connections, so questions do not wait for each other's answers. It should move ART and C.
* `listeners`: a range of ports, for fans and for the API; `/1/checkin` hands them out. Each listener has an accept
  queue of its own, so it should move C; and N, since one client address has only some 28,000 ports towards a port. For
  one address in front of all: `matchstream nginx`.

Measured (2 cores, the generator on the same machine; `reports/results`): N 8,000, C 500: all served, ART 85 ms, and C
goes from 6 to 2,162 (staircase). Left out of stage 2.5 at N 8,000, C 1,000 (`reports/results/ablation`, three runs
each; ratios, without over with, and their 95 % intervals; C by one search each, where the stage has 10,623-11,093):

* without `backlog` one in seven is served: the others' SYNs are dropped. C is 25.
* without `redis-pool` no change is seen (ART 0.95 [0.87, 1.05]): from stage 2.3 on one connection carries many
  questions at a time.
* without `listeners` no change of ART is seen at this load (1.02 [0.83, 1.25]), but C is 4,499-4,645: the one accept
  queue is full, which the kernel cuts to net.core.somaxconn, 4,096 here.
* without `tcp-options` no change is seen (ART 0.95 [0.88, 1.03]): nothing in a trial depends on them.
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
