"""The scenarios of the ablation: for each lesson the loads under which it is to be worth something. Pure.

A lesson that is judged at a load that never touches it is judged by noise. So each names the scenarios that exercise
it, and an ablation measures it in those, and nowhere else. A trial of a scenario takes some 4 to 8 seconds; one that
must take longer is measured only where it is asked for by its name.

A scenario is made of a load and of disturbances, which are options of `harness measure` as well; so whatever an
ablation does to a stage can be done to anyone's server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from harness.campaign.plan import FixedLoad
from harness.errors import HarnessError
from harness.records.asked import Disturbances, Door
from harness.records.campaign import Figure


class UnknownScenarioError(HarnessError):
    """There is no scenario of that name; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load with what happens under it, and the figures by which a lesson is judged there.

    `sentence` says what it does, for people. `from_stage` is the first stage that bears it; None where every stage
    does that has the lesson. `needs_netns`: server and generator must be in network namespaces of their own, which
    needs root; without, what it exercises is not exercised. `is_long`: an ablation runs it only if it is named.

    The server has no lesson of `without`, whichever is judged: one of those stands on it, or would be in its way. It
    has so many `nodes`, its own number where that is None, and the fans come by the `door`; None: by text.
    """

    name: str
    sentence: str
    load: FixedLoad
    figures: tuple[Figure, ...]
    from_stage: str | None = None
    needs_netns: bool = False
    is_long: bool = False
    without: tuple[str, ...] = ()
    nodes: int | None = None
    door: Door | None = None


_ALL: Final = (
    Scenario(
        "gentle",
        "1,400 fans come 400 a second, more than 1,024 open files hold, then events.",
        FixedLoad(n=1_400, c=2, interval_s=0.005, events=6, rate_per_s=5.0),
        ("served", "art", "response_p99", "fanout", "server_cpu"),
    ),
    Scenario(
        "waves",
        "4,000 fans in waves of 500, the talk's way, then events.",
        FixedLoad(n=4_000, c=500, interval_s=0.25, events=6, rate_per_s=5.0),
        ("served", "art", "response_p99", "fanout", "fanout_last", "memory", "server_cpu"),
        from_stage="2.1",
    ),
    Scenario(
        "large-waves",
        "8,000 fans in waves of 1,000, then events.",
        FixedLoad(n=8_000, c=1_000, interval_s=0.25, events=6, rate_per_s=5.0),
        ("served", "art", "response_p99", "fanout", "fanout_last", "memory", "server_cpu"),
        from_stage="2.5",
    ),
    Scenario(
        "burst",
        "8,000 fans at the same moment, twice as many as an accept queue usually takes.",
        FixedLoad(n=8_000, c=8_000, interval_s=0.25, events=6, rate_per_s=5.0),
        ("served", "art", "response_p99", "fanout_last"),
        from_stage="2.1",
    ),
    Scenario(
        "overflow",
        "4,000 fans at the same moment; an accept queue takes 128 of them, as it did before Linux 5.4, in a network of "
        "their own.",
        FixedLoad(
            n=4_000,
            c=4_000,
            interval_s=0.25,
            events=5,
            rate_per_s=5.0,
            disturbances=Disturbances(small_queues=True),
        ),
        ("served", "art", "response_p99"),
        from_stage="2.1",
        needs_netns=True,
    ),
    Scenario(
        "small-buffers",
        "Sockets have room for two pages, as after a guide to save memory; half of 200 fans stop reading while events "
        "flow, in a network of their own.",
        FixedLoad(
            n=200,
            c=200,
            interval_s=0.25,
            events=750,
            rate_per_s=150.0,
            disturbances=Disturbances(slow=0.5, small_buffers=True),
        ),
        ("server_memory", "fanout", "server_cpu"),
        from_stage="2.1",
        needs_netns=True,
    ),
    Scenario(
        "stalled",
        "Half of 100 fans stop reading while events flow, for longer than the 32 s after which a stalled send ends. "
        "That end reaches no fan whose window is closed, so it is the server's open files that tell.",
        FixedLoad(n=100, c=100, interval_s=0.25, events=1_600, rate_per_s=40.0, disturbances=Disturbances(slow=0.5)),
        ("open_files", "fanout", "fanout_p99", "server_memory", "server_cpu"),
        from_stage="2.1",
        is_long=True,
    ),
    Scenario(
        "far-redis",
        "Redis is 2 ms further away; 4,000 fans in waves of 500, then events.",
        FixedLoad(
            n=4_000,
            c=500,
            interval_s=0.25,
            events=6,
            rate_per_s=5.0,
            disturbances=Disturbances(redis_latency_s=0.002, redis_latency_by="proxy"),
        ),
        ("served", "art", "response_p99", "fanout"),
        from_stage="2.1",
    ),
    Scenario(
        "live",
        "4,000 fans come in waves of 250 while events flow and the API is asked.",
        FixedLoad(
            n=4_000,
            c=250,
            interval_s=0.25,
            events=40,
            rate_per_s=10.0,
            disturbances=Disturbances(arrivals_during_events=True),
        ),
        ("served", "art", "response_p99", "newcomers", "fanout", "loop_lag_p99", "api"),
        from_stage="2.1",
    ),
    Scenario(
        "joining",
        "5,000 fans come in waves of 500 while 10 events a second go to 10,000 others.",
        FixedLoad(
            n=10_000,
            c=1_000,
            interval_s=0.25,
            events=35,
            rate_per_s=10.0,
            disturbances=Disturbances(joining=5_000, joining_c=500),
        ),
        ("newcomers", "newcomers_art", "fanout", "fanout_last", "loop_lag_p99"),
        from_stage="2.5",
    ),
    Scenario(
        "deaf",
        "A tenth of 1,000 fans never read, while 100 events a second flow: more than waits for one that is slow. Until "
        "it is closed the kernel keeps that, so it is the server's open files that tell.",
        FixedLoad(n=1_000, c=500, interval_s=0.25, events=600, rate_per_s=100.0, disturbances=Disturbances(slow=0.1)),
        ("open_files", "fanout", "fanout_p99", "server_memory", "server_cpu"),
        from_stage="2.5",
    ),
    Scenario(
        "crowd",
        "24,000 fans, more than one process may have files open where that is 20,000, in waves of 2,000, then events.",
        FixedLoad(n=24_000, c=2_000, interval_s=0.5, events=4, rate_per_s=2.0),
        ("served", "art", "response_p99", "fanout", "fanout_last"),
        from_stage="3",
    ),
    Scenario(
        "churn",
        "5 % of 2,000 fans leave in a second, and as many come, while events flow.",
        FixedLoad(
            n=2_000, c=500, interval_s=0.25, events=30, rate_per_s=10.0, disturbances=Disturbances(churn_per_s=0.05)
        ),
        ("newcomers", "fanout", "fanout_p99", "server_cpu", "loop_lag_p99"),
        from_stage="2.1",
    ),
    Scenario(
        "resets",
        "2,000 of 4,000 fans break their connections at once, while events flow.",
        FixedLoad(
            n=4_000,
            c=500,
            interval_s=0.25,
            events=30,
            rate_per_s=10.0,
            disturbances=Disturbances(reset=2_000, reset_at_s=1.0),
        ),
        ("fanout", "fanout_p99", "fanout_last", "server_cpu", "loop_lag_p99"),
        from_stage="2.1",
    ),
    Scenario(
        "client-crashes",
        "1 % of the processes of 2,000 connections crash in a second, and once a supervisor, while fans come.",
        FixedLoad(
            n=2_000,
            c=500,
            interval_s=0.25,
            events=30,
            rate_per_s=10.0,
            disturbances=Disturbances(churn_per_s=0.02, faults="client=1%/s,client-supervisor@2.5s"),
        ),
        ("cut", "recovery", "newcomers", "fanout"),
        from_stage="2.1",
    ),
    Scenario(
        "user-crashes",
        "1 % of the processes of 2,000 users crash in a second, and once a supervisor, while fans come.",
        FixedLoad(
            n=2_000,
            c=500,
            interval_s=0.25,
            events=30,
            rate_per_s=10.0,
            disturbances=Disturbances(churn_per_s=0.02, faults="user=1%/s,user-supervisor@2.5s"),
        ),
        ("cut", "recovery", "newcomers", "fanout"),
        from_stage="2.1",
    ),
    Scenario(
        "reconnects",
        "1,000 of 2,000 fans lose their network at once while events flow, and come back within half a second. They "
        "say what they heard last, where the server has a word for that. The doors, which stand on it, are left out.",
        FixedLoad(
            n=2_000,
            c=500,
            interval_s=0.25,
            events=30,
            rate_per_s=10.0,
            disturbances=Disturbances(reset=1_000, reset_at_s=1.0, reconnect_base_s=0.5, reconnect_cap_s=5.0),
        ),
        ("missed", "returns", "fanout", "server_cpu"),
        from_stage="4",
        without=("event-source", "websocket"),
    ),
    Scenario(
        "crowded",
        "6,000 fans come in waves of 500 to processes that may have 2,048 files open, and give up after 3 s.",
        FixedLoad(
            n=6_000,
            c=500,
            interval_s=0.25,
            events=6,
            rate_per_s=5.0,
            disturbances=Disturbances(open_files=2_048),
            answer_timeout_s=3.0,
        ),
        ("refusal", "served", "fanout", "server_cpu"),
        from_stage="4",
    ),
    Scenario(
        "leaving",
        "One of two nodes is told to stop while events flow, and its 2,000 fans go to the other at once. Each has one "
        "port, so that who is let go by one node tries the other next.",
        FixedLoad(
            n=4_000,
            c=500,
            interval_s=0.25,
            events=12,
            rate_per_s=2.0,
            disturbances=Disturbances(stops=1, stop_at_s=1.0, reconnect_base_s=0.02, reconnect_cap_s=5.0),
        ),
        ("returns", "missed", "fanout", "fanout_p99"),
        from_stage="4",
        without=("listeners",),
        nodes=2,
    ),
    Scenario(
        "browsers",
        "2,000 fans come as browsers do, by EventSource, in waves of 500, then events.",
        FixedLoad(n=2_000, c=500, interval_s=0.25, events=6, rate_per_s=5.0),
        ("served",),
        from_stage="4",
        door="event-source",
    ),
    Scenario(
        "websockets",
        "2,000 fans come by WebSocket, in waves of 500, then events.",
        FixedLoad(n=2_000, c=500, interval_s=0.25, events=6, rate_per_s=5.0),
        ("served",),
        from_stage="4",
        door="websocket",
    ),
)

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType({scenario.name: scenario for scenario in _ALL})
"""All scenarios by their names."""

OF_LESSON: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "open-files": ("gentle",),
        "sysctl": ("overflow", "small-buffers"),
        "vm": ("gentle", "waves"),
        "backlog": ("waves", "burst"),
        "tcp-options": ("stalled",),
        "redis-pool": ("far-redis",),
        "listeners": ("burst",),
        "monitors": ("churn", "resets"),
        "repeaters": ("live",),
        "reply-later": ("waves", "far-redis"),
        "hibernate": ("waves",),
        "delayed-init": ("waves", "burst"),
        "user-managers": ("user-crashes",),
        "client-managers": ("client-crashes",),
        "logging": ("waves", "churn"),
        "registered-names": ("waves",),
        "match-groups": ("waves", "live"),
        "nodes": ("far-redis", "burst"),
        "db-writer": ("far-redis",),
        "db-readers": ("far-redis",),
        "fd-plane": ("large-waves",),
        "encode-once": ("large-waves", "far-redis"),
        "write-behind": ("large-waves",),
        "workers": ("burst", "crowd"),
        "time-slices": ("joining",),
        "slow-fans": ("deaf",),
        "resume": ("reconnects",),
        "admission": ("crowded",),
        "drain": ("leaving",),
        "event-source": ("browsers",),
        "websocket": ("websockets",),
    }
)
"""The scenarios that exercise each lesson of stages 1 to 4.

`event-source` and `websocket` are for other fans than those of a stage: what they are worth is that those are served.
"""

_OF_EACH_FAN: Final = (
    "monitors",
    "repeaters",
    "reply-later",
    "hibernate",
    "delayed-init",
    "user-managers",
    "client-managers",
    "registered-names",
)

SUPERSEDED: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys(_OF_EACH_FAN, "fd-plane") | {"nodes": "workers"})
"""Lessons with the one that takes their place, so that a stage that has it is not changed by them.

`fd-plane` leaves no process of a fan, and a stage with `workers` has one node unless more are asked for.
"""


def lessons_in(scenario: str) -> tuple[str, ...]:
    """Return the lessons that a scenario exercises, in the talk's order."""
    return tuple(lesson for lesson, names in OF_LESSON.items() if scenario in names)


def chosen(names: Sequence[str]) -> tuple[Scenario, ...]:
    """Return the scenarios of these names, in the table's order; for none, all but the long ones.

    Raise UnknownScenarioError.
    """
    for name in names:
        if name not in SCENARIOS:
            raise UnknownScenarioError(f"there is no scenario {name!r}; there is: {', '.join(SCENARIOS)}")
    return tuple(one for one in _ALL if (one.name in names if names else not one.is_long))
