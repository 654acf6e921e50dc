"""Statistics of a node that never was, for tests of those who read them."""

from typing import Any, Final

from common.http.statistics import (
    ApiStatistics,
    DoorStatistics,
    Histogram,
    LessonTold,
    OpenFilesSeen,
    RequestsStatistics,
    StageTold,
    Statistics,
    SubscriptionsStatistics,
    WorkerStatistics,
    WriterStatistics,
)
from common.otp import KindStatistics, LoopLagStatistics, ProcessStatistics
from common.store.connections import ConnectionStatistics

WORKER: Final = WorkerStatistics(
    number=0,
    pid=4711,
    answers=True,
    restarts=1,
    uptime_s=30.0,
    cpu_s=0.5,
    rss_bytes=40_000_000,
    pss_bytes=9_000_000,
    open_files=OpenFilesSeen(24, 1024),
    loop_lag_s=0.002,
    connections=5,
    accepted=6,
    greetings=5,
    deliveries=10,
    drops={"greeting": 1, "broken": 0},
    handlers=5,
    behind=2,
)
"""A worker that serves half of a node's fans."""


def statistics(**changes: Any) -> Statistics:
    """Return statistics of a node with ten fans, one of whom has gone, after two events."""
    seen: dict[str, Any] = {
        "node": "host:8888",
        "uptime_s": 60.0,
        "cpu_s": 1.5,
        "rss_bytes": 50_000_000,
        "open_files": OpenFilesSeen(30, 1024),
        "loop_lag": LoopLagStatistics(0.001, 0.25),
        "connections": 9,
        "accepted": 12,
        "greetings": 10,
        "deliveries": 19,
        "drops": {"greeting": 2, "broken": 0},
        "skips": 3,
        "handlers": 9,
        "tasks": 40,
        "redis": (ConnectionStatistics(1, 1, 0, 99, 0),),
        "response": Histogram((0.01, 0.1), (6, 3, 1), 0.75),
        "fan_out": Histogram((0.01, 0.1), (19, 0, 0), 0.1),
        "kinds": (
            KindStatistics("Client", 9, 12, 3, 31, 0, 9000),
            KindStatistics("Dispatcher", 1, 2, 0, 13, 1, 2000),
        ),
        "actors": (
            ProcessStatistics("Client#5ca1ab1e", "Client", 3, 4, 0, 1000),
            ProcessStatistics("Dispatcher", "Dispatcher", 0, 11, 1, 2000),
        ),
        "api": ApiStatistics(2, 17),
        "writer": WriterStatistics(True, 1234, 70, 2, 1),
        "requests": RequestsStatistics(3, 80, 4),
        "doors": {"event-source": DoorStatistics(4, 5, 8)},
        "subscriptions": SubscriptionsStatistics(True, 5, 6, 7, 90),
        "stage": StageTold(
            "3", (LessonTold("backlog", "fans wait"),), left_out=("nodes",), added=("fd-plane", "drain")
        ),
    }
    return Statistics(**{**seen, **changes})
