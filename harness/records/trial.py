"""What a trial leaves behind: one JSON file that says what was asked and seen, what bound first, and on which machine.

The types below are the format: the JSON Schema that `harness schema` prints is made from them, and a stored result
is read back through them. A change that an older reader would misread needs a new number at the end of `SCHEMA`.

A field that is added needs none if it has a default: an older file is read with it, and an older reader refuses a file
that has a field which it does not know, rather than leave out what changes the meaning of the rest.

What a trial was from moment to moment (`Timeline`, `Trace`, `LoopLag`, `EventSeen`) is left out where it is kept as a
line of a directory (`harness.records.directory`): those are empty then, and `has_time_lines` says so.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from harness.records.distribution import Distribution
from harness.records.files import encode, load
from harness.records.machine import Machine

SCHEMA: Literal["matchstream-lab/trial/2"] = "matchstream-lab/trial/2"

Share = Annotated[float, msgspec.Meta(ge=0, description="1.0 is one core, busy all the time.")]
Seconds = Annotated[float, msgspec.Meta(description="Seconds; a moment is counted from the first intended start.")]
Count = Annotated[int, msgspec.Meta(ge=0)]

Topology = Literal["connected", "independent"]
"""How the nodes of a stage learn of each other's events: told at once, or by looking into the database now and then."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a result: immutable, and strict when it is read."""


class AskedTarget(Section, frozen=True, kw_only=True):
    """Whom the trial measured. `stage` or `peer` says what the harness started; both are None where it started nothing.

    The four after `http` are how the stage was to differ from itself; `nodes` and `topology` are None where that was
    left to the stage.
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


class Placement(Section, frozen=True, kw_only=True):
    """Where the server and the generator ran. CPUs are those a process was pinned to; None where it was not.

    `loopback` is the machine's own, or a server elsewhere; with `netns` both ran in network namespaces of their own,
    joined by a veth pair (veth(4)), and `sysctls` is what was set in the server's for the trial.
    """

    network: Literal["loopback", "netns"] = "loopback"
    server_cpus: tuple[int, ...] | None = None
    generator_cpus: tuple[int, ...] | None = None
    redis_cpus: tuple[int, ...] | None = None
    sysctls: dict[str, str] = {}


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
    event was due. With `arrivals_during_events` events are posted, and the API is asked, while the fans come.
    `redis_latency_s` is what a round trip to the stage's Redis takes more, and `redis_latency_by` what makes it so:
    a proxy, or the kernel's netem (tc-netem(8)). `faults` is what the stage was told to break in itself.
    """

    churn_per_s: Share = 0.0
    slow: Share = 0.0
    reset: Count = 0
    reset_at_s: Seconds = 0.0
    arrivals_during_events: bool = False
    redis_latency_s: Seconds = 0.0
    redis_latency_by: Literal["proxy", "netem"] | None = None
    faults: str = ""


class Asked(Section, frozen=True, kw_only=True):
    """What the trial was told to do. No `events`: nobody could post, and only N, C and ART were measured."""

    target: AskedTarget
    load: AskedLoad
    events: AskedEvents | None
    slo: str
    placement: Placement = Placement()
    disturbances: Disturbances = Disturbances()


class Fans(Section, frozen=True, kw_only=True):
    """What became of the N fans.

    `answered` got their first event; `served` of them were also held until the match was over, or the trial.
    `failures` counts the others by what happened to them.

    Those who did what they were told to are set apart, and are neither: `left` closed their connections in good order,
    `reset` broke them, and `slow` stopped reading, of whom the server closed `slow_closed` before the end. Together
    with served and failures they are all who were asked to come: N, and those who came in the place of others.
    """

    asked: Count
    answered: Count
    served: Count
    failures: dict[str, Count]
    left: Count = 0
    reset: Count = 0
    slow: Count = 0
    slow_closed: Count = 0

    @property
    def failed(self) -> int:
        """How many fans were not served."""
        return sum(self.failures.values())


class Response(Section, frozen=True, kw_only=True):
    """Response times of the fans, by both clocks; None where nobody was answered.

    `intended` runs from the *intended* start to the first event, so that time lost in the generator, in the accept
    queue or in a SYN retry counts. It is that of all N: a fan who was not answered waited infinitely long. `art` is the
    talk's, of those who were answered, which its `count` tells: the larger of the time until the welcome line and the
    time from the watch line to the first event, both counted after the connect.
    """

    intended: Distribution | None
    art: Distribution | None


class EventSeen(Section, frozen=True, kw_only=True):
    """One post, and how it reached the fans. `answered_s` is None, and `error` is set, if the server did not accept it.

    `fanout_mean_s` and `last_s` run from `intended_s` to a fan's receipt, `fanout_service_mean_s` and `last_service_s`
    from `sent_s`; None where no fan received it.
    """

    mark: int
    kind: str
    intended_s: Seconds
    sent_s: Seconds
    answered_s: Seconds | None
    error: str | None
    received: Count
    fanout_mean_s: Seconds | None
    fanout_service_mean_s: Seconds | None
    last_s: Seconds | None
    last_service_s: Seconds | None


class Delivery(Section, frozen=True, kw_only=True):
    """How the events reached the fans, counted against what every answered fan must receive.

    `fanout` runs from the *intended* post to a fan's receipt. A post waits until the one before it was answered, and
    the fans with it: from the sending, which is `fanout_service`, a slow server would not be seen to make anyone wait
    (coordinated omission). A lost delivery took infinitely long. `last_*` are over the events: the time until the
    slowest fan had it, from the intended post; `last_service_mean_s` from the sending.
    """

    posted: Count
    unposted: Count
    expected: Count
    received: Count
    lost: Count
    duplicated: Count
    reordered: Count
    fanout: Distribution | None
    fanout_service: Distribution | None
    last_mean_s: Seconds | None
    last_max_s: Seconds | None
    last_service_mean_s: Seconds | None
    post_answer: Distribution | None
    post_lag_p99_s: Seconds
    post_lag_max_s: Seconds
    events: tuple[EventSeen, ...]


class Heat(Section, frozen=True, kw_only=True):
    """How many times of each length fell into each step of the trial: all of them, where a curve shows only one.

    Steps are `step_s` long, the first begins at 0; there is a row for each up to the last in which anything happened.
    A row lists `bucket:count`, with a space between, for the buckets that are not empty. Bucket i holds the times from
    `edges_s[i]` up to `edges_s[i + 1]`, the last one also those that are equal to its end.
    """

    step_s: Seconds
    edges_s: tuple[float, ...]
    rows: tuple[Annotated[str, msgspec.Meta(pattern=r"^(\d+:\d+( \d+:\d+)*)?$")], ...]


class Timeline(Section, frozen=True, kw_only=True):
    """The trial in steps of time, for charts: at the end of each, the fans connected (and answered) and not closed.

    `slowest_s` is the longest intended-start response time among the fans answered in the step; None where nobody was.
    `responses` are those of all, in the step of the answer; `deliveries` the fan-out times (from the
    intended post), in the step of receipt.
    Either is None where there were none, as in results from before they were kept.
    """

    at_s: tuple[float, ...]
    connected: tuple[int, ...]
    answered: tuple[int, ...]
    slowest_s: tuple[float | None, ...]
    responses: Heat | None = None
    deliveries: Heat | None = None


class ApiSeen(Section, frozen=True, kw_only=True):
    """How the API answered while fans came and events flowed; `failed` questions got no answer, or a refusal."""

    answers: Distribution | None
    failed: Count


class Seen(Section, frozen=True, kw_only=True):
    """What the fans saw. No `delivery` where no events were posted, and no `api` where it was not asked.

    `recovery_s` is how long a fan waited for its answer who came after the first connection was cut, the longest; None
    where none was cut, or nobody came after it.

    `answered_per_s` is how many fans were answered in a second, over the time in which any were; None where that cannot
    be told, since waves were answered within a step or two of the timeline.
    """

    fans: Fans
    response: Response
    delivery: Delivery | None
    timeline: Timeline
    connect_phase_s: Seconds
    events_phase_s: Seconds
    answered_per_s: float | None = None
    api: ApiSeen | None = None
    recovery_s: Seconds | None = None


class GeneratorSeen(Section, frozen=True, kw_only=True):
    """How the load generator fared: a late or saturated one makes the trial invalid.

    `cpu_share` is of its busiest process and `cpu_total` of all of them together (None in a result from before it was
    looked at), in the wave in which it was most: from the moment of the wave until 99 % of its fans were answered.
    Waves shorter than half a second are too short to say; where all are, it is while fans were being connected. (In
    results without a `wave` it is always so.)
    """

    processes: Count
    cpu_share: Share
    cpu_total: Share | None = None
    lag_p50_s: Seconds
    lag_p99_s: Seconds
    lag_max_s: Seconds
    turn_max_s: Seconds
    bytes_per_connection: float | None
    peak_rss_bytes: Count


class Wave(Section, frozen=True, kw_only=True):
    """How the generator started the fans that were asked for at the same moment.

    The last of all fans was started `within_s` after its moment. Where the generator was so late that this is a
    `moment` no more, C was a rate, and times from the intended start are the generator's as well as the server's.
    """

    moment: bool
    within_s: Seconds


class Trace(Section, frozen=True, kw_only=True):
    """The server's process tree in steps of time; `cpu_share[i]` is over the step that ends at `at_s[i]`.

    A step is a tenth of a second, or longer where a trial would have too many of them.
    """

    at_s: tuple[float, ...]
    cpu_share: tuple[float, ...]
    rss_bytes: tuple[int, ...]
    open_files: tuple[int, ...]


class LoopLag(Section, frozen=True, kw_only=True):
    """How late the server's event loop came to a timer, as it told when it was asked; the worst of several nodes.

    Timers are due a tenth of a second after the last one came. One came at `at_s[i]` and was `late_s[i]` late, so for
    that long before the loop was held up. Of each tenth of a second the latest is kept, in a trial longer than a minute
    of more; none is where the server did not answer, or had no such moment to itself.
    """

    at_s: tuple[float, ...]
    late_s: tuple[float, ...]


class ProcessEnd(Section, frozen=True, kw_only=True):
    """A process that was there when the first fan started and gone before the trial was over, such as a node that died.

    `at_s` is when it was missed; it had ended a tenth of a second before, at most.
    """

    name: str
    pid: Count
    at_s: Seconds


MemoryMoment = Literal["after the second event", "after the first event", "after the answers", "before the last event"]
"""When the memory was read: at rest after so many events as there were, two at most; or at the latest, at rest or not.
"""


class Memory(Section, frozen=True, kw_only=True):
    """What the connections take of the memory: how much it grew from before the first fan to `moment`, at rest.

    `connections` were held then, at `at_s`. The server's own processes and its Redis are apart; both by the same
    `measure`, PSS unless that may not be read. The kernel's part is that of the whole machine, for *both* ends of a
    connection, as the generator is on it, too: `slab_growth_bytes` (sockets, open files, epoll entries and all else
    that the kernel allocates) and `sockets_growth_bytes` (the buffers of TCP, part of which may be slab).
    """

    measure: Literal["PSS", "RSS"]
    moment: MemoryMoment
    at_s: Seconds
    connections: Annotated[int, msgspec.Meta(ge=1)]
    server_before_bytes: Count
    server_bytes: Count
    redis_before_bytes: Count | None
    redis_bytes: Count | None
    slab_growth_bytes: int
    sockets_growth_bytes: int

    @property
    def server_per_connection(self) -> float:
        """Bytes of the server's own processes."""
        return (self.server_bytes - self.server_before_bytes) / self.connections

    @property
    def redis_per_connection(self) -> float | None:
        """Bytes of the server's Redis; None where it has none."""
        if self.redis_bytes is None or self.redis_before_bytes is None:
            return None
        return (self.redis_bytes - self.redis_before_bytes) / self.connections

    @property
    def kernel_per_connection(self) -> float:
        """Bytes of slab, for both ends together."""
        return self.slab_growth_bytes / self.connections


class ServerSeen(Section, frozen=True, kw_only=True):
    """The server's process tree, its nodes and Redis included; a peak of CPU is over half a second.

    `processes` is how many there were at the same time, at most; one that replaced another is not one more.
    `cpu_mean` is over the time from the first fan's start to the last event.
    `busiest_*` is the one process that used most CPU: a single-threaded server ends at 1.0 of it.
    `memory` is what connections take at rest, `memory_per_connection_bytes` of it that of the server's own processes;
    None where it did not come to that.
    `fullest_*` is the one process nearest to its own limit of open files.
    `ended` is how the server as a whole ended by itself, `ended_processes` are those of its processes that did.
    """

    processes: Count
    threads_peak: Count
    cpu_mean: Share
    cpu_peak: Share
    busiest_name: str
    busiest_cpu_peak: Share
    rss_before_bytes: Count
    rss_peak_bytes: Count
    memory: Memory | None
    rss_end_bytes: Count | None = None
    memory_per_connection_bytes: float | None
    fullest_name: str
    fullest_open_files: Count
    fullest_limit: Count
    ended: str | None
    ended_processes: tuple[ProcessEnd, ...] = ()
    trace: Trace


class Host(Section, frozen=True, kw_only=True):
    """The whole machine while the trial ran, whoever used it; CPU in cores, its peak over half a second.

    The kernel counts the connection attempts that found a listener's accept queue full (`TcpExt` of netstat).
    """

    cpu_peak: Share
    memory_available_min_bytes: Count
    listen_overflows: Count
    listen_drops: Count


class Validity(Section, frozen=True, kw_only=True):
    """Whether the figures say something about the server; the reasons why not, each a sentence."""

    valid: bool
    reasons: tuple[str, ...]


class Bound(Section, frozen=True, kw_only=True):
    """What bound first, and the evidence for it."""

    name: str
    evidence: str


class Verdict(Section, frozen=True, kw_only=True):
    """Whether the SLO was met, and each broken term with what was seen instead."""

    met: bool
    broken: tuple[str, ...]


class TrialResult(Section, frozen=True, kw_only=True):
    """One measured run. An interrupted one has what was seen until then, and is invalid.

    `loop_lag` and its p99 are beside `server`, since a server on another machine tells it, too; None where it was not
    asked for or not told. `wave` is None in a result from before it was judged.
    """

    schema: Literal["matchstream-lab/trial/2"]
    harness: str
    started_at: datetime
    asked: Asked
    seen: Seen
    generator: GeneratorSeen
    server: ServerSeen | None
    host: Host
    validity: Validity
    verdict: Verdict
    bound: Bound
    machine: Machine
    wave: Wave | None = None
    interrupted: bool = False
    loop_lag: LoopLag | None = None
    loop_lag_p99_s: Seconds | None = None

    @property
    def passed(self) -> bool:
        """Whether the trial is valid and its SLO was met."""
        return self.validity.valid and self.verdict.met

    @property
    def is_moment(self) -> bool:
        """Whether C was started at the same moment; a result from before that was judged is taken to say so."""
        return self.wave is None or self.wave.moment

    @property
    def within_s(self) -> float | None:
        """In how many seconds C was started, where that was no moment; None where it was."""
        return None if self.wave is None or self.wave.moment else self.wave.within_s

    @property
    def has_time_lines(self) -> bool:
        """Whether it still says what the trial was from moment to moment."""
        return bool(self.seen.timeline.at_s)

    def without_time_lines(self) -> "TrialResult":
        """Return it without what the trial was from moment to moment, which is most of its size."""
        seen, server, replace = self.seen, self.server, msgspec.structs.replace
        delivery = None if seen.delivery is None else replace(seen.delivery, events=())
        timeline = Timeline(at_s=(), connected=(), answered=(), slowest_s=())
        trace = Trace(at_s=(), cpu_share=(), rss_bytes=(), open_files=())
        return replace(
            self,
            seen=replace(seen, timeline=timeline, delivery=delivery),
            server=None if server is None else replace(server, trace=trace),
            loop_lag=None,
        )


def encode_result(result: TrialResult) -> bytes:
    """Return a result as indented JSON with a newline at its end."""
    return encode(result)


def load_result(path: Path) -> TrialResult:
    """Read a stored result. Raise ResultError for another schema, a broken file, or none at that path."""
    return load(path, TrialResult, SCHEMA)
