"""What a trial was asked to do: whom it measures, where, under which load, and what else happens."""

from typing import Annotated, Literal

import msgspec

from harness.records.section import Count, Seconds, Section, Share

Topology = Literal["connected", "independent"]
"""How the nodes of a stage learn of each other's events: told at once, or by looking into the database now and then."""


Door = Literal["event-source", "websocket"]
"""By which door of a stage for browsers its fans come, by the lesson's name."""


class AskedTarget(Section, frozen=True, kw_only=True):
    """Whom the trial measured. `stage` or `peer` says what the harness started; both are None where it started nothing.

    The four after `http`, and `workers` of each node, are how the stage was to differ from itself; `nodes`, `topology`
    and `workers` are None where that was left to the stage. Its fans came by the `door`; None: by text, as in the talk.
    """

    name: str
    stage: str | None
    fans: tuple[str, ...]
    http: str | None
    with_lessons: tuple[str, ...] = ()
    without_lessons: tuple[str, ...] = ()
    nodes: Annotated[int, msgspec.Meta(ge=1)] | None = None
    topology: Topology | None = None
    peer: str | None = None
    workers: Count | None = None
    door: Door | None = None


class Placement(Section, frozen=True, kw_only=True):
    """Where the server and the generator ran. CPUs are those a process was pinned to; None where it was not.

    `loopback` is the machine's own, or a server elsewhere; with `netns` both ran in network namespaces of their own,
    joined by a veth pair (veth(4)), and `sysctls` is what was set in the server's for the trial. The fans came from
    the hosts of the Dask `cluster` whose scheduler is there; None: from this machine. Of that they had the addresses
    that `sources` says; None: any that leads to the server, on loopback several.
    """

    network: Literal["loopback", "netns"] = "loopback"
    server_cpus: tuple[int, ...] | None = None
    generator_cpus: tuple[int, ...] | None = None
    redis_cpus: tuple[int, ...] | None = None
    sysctls: dict[str, str] = msgspec.field(default_factory=dict)
    cluster: str | None = None
    sources: str | None = None


class AskedLoad(Section, frozen=True, kw_only=True):
    """N connections in waves of C, a wave every `interval_s`."""

    n: Annotated[int, msgspec.Meta(ge=1)]
    c: Annotated[int, msgspec.Meta(ge=1)]
    interval_s: Seconds


class AskedEvents(Section, frozen=True, kw_only=True):
    """The posts of the events phase, `stop` included.

    Either `rate_per_s` is set (a post every 1/rate seconds) or `script` and `speed` (minutes of the match in a minute).
    """

    count: Count
    rate_per_s: float | None = None
    script: str | None = None
    speed: float | None = None


class Disturbances(Section, frozen=True, kw_only=True):
    """What else happens in a trial; nothing, unless it was asked for. Moments are from the beginning of the events.

    `churn_per_s` is the share of the N fans that leave in a second, while as many new ones come, and `slow` the share
    that stops reading once it was answered; `reset` fans break their connections `reset_at_s` seconds after the first
    event was due. With `arrivals_during_events` events are posted, and the API is asked, while the fans come; `joining`
    fans come besides the N, in waves of `joining_c`: the first an interval of the load after the first event was due.
    In a storm the share `storm` of them break their connections at `storm_at_s`, and as many come again within
    `storm_within_s`.
    With a `reconnect_cap_s` fans connect again who lost their connection, as those who were reset, or got none: after a
    random wait of up to `reconnect_base_s`, which doubles with each try, up to the cap.
    `redis_latency_s` is what a round trip to the stage's Redis takes more, and `redis_latency_by` what makes it so:
    a proxy, or the kernel's netem (tc-netem(8)). `faults` is what the stage was told to break in itself. With
    `small_buffers` the sockets of the server's network namespace had little room before the server tuned anything, and
    with `small_queues` the accept queues. `open_files` is how many files each of its processes may have open at most,
    0 where it was left as it is. So many of its nodes as `stops` were told to stop at `stop_at_s`.
    """

    churn_per_s: Share = 0.0
    slow: Share = 0.0
    reset: Count = 0
    reset_at_s: Seconds = 0.0
    arrivals_during_events: bool = False
    redis_latency_s: Seconds = 0.0
    redis_latency_by: Literal["proxy", "netem"] | None = None
    faults: str = ""
    small_buffers: bool = False
    joining: Count = 0
    joining_c: Count = 0
    storm: Share = 0.0
    storm_at_s: Seconds = 0.0
    storm_within_s: Seconds = 0.0
    reconnect_base_s: Seconds = 0.0
    reconnect_cap_s: Seconds = 0.0
    small_queues: bool = False
    open_files: Count = 0
    stops: Count = 0
    stop_at_s: Seconds = 0.0


class Asked(Section, frozen=True, kw_only=True):
    """What the trial was told to do. No `events`: nobody could post, and only N, C and ART were measured.

    For `hold_s` the fans were held, once all were settled, before anything was posted.
    """

    target: AskedTarget
    load: AskedLoad
    events: AskedEvents | None
    slo: str
    placement: Placement = Placement()
    disturbances: Disturbances = Disturbances()
    hold_s: Seconds = 0.0
