"""What generator, server and machine used while a trial ran."""

from typing import Annotated, Literal

import msgspec

from harness.records.section import Count, Seconds, Section, Share


class HostSeen(Section, frozen=True, kw_only=True):
    """How a host of a cluster fared, which played so many of the fans; see GeneratorSeen.

    Its clock was measured before and after, and the times of events between it and the reporter may be off by
    `clock_uncertain_s`. If it was `lost`, for that reason and at `lost_s`, nothing else is known of it.
    """

    address: str
    name: str
    fans: Count
    cores: Count
    processes: Count
    cpu_share: Share
    cpu_total: Share
    clock_uncertain_s: Seconds
    lost: str | None = None
    lost_s: Seconds = 0.0


class GeneratorSeen(Section, frozen=True, kw_only=True):
    """How the load generator fared: a late or saturated one makes the trial invalid.

    `hosts` are those of the cluster from which the fans came; none where they came from this machine.

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
    hosts: tuple[HostSeen, ...] = ()

    @property
    def clocks_apart_s(self) -> float:
        """How far the time of an event between reporter and fan may be off, as their clocks are not the same."""
        return max((host.clock_uncertain_s for host in self.hosts if host.lost is None), default=0.0)


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

    `at_s` is when it was missed; it had ended a tenth of a second before, at most, or a little more where very
    many processes are watched.
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
    `fullest_*` is the one process nearest to its own limit of open files; `open_files_held` are those of all processes
    just before the last event, which has the fans closed; None where none was posted, and in older results.
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
    open_files_held: Count | None = None
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
