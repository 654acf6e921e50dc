"""What `GET /1/statistics` answers, and what may be asked of it. `/metrics` tells the same (`common.http.metrics`).

Everybody may read it, as all that the API tells. It holds no secrets: the fans are in it as counts, and where one of
their processes is among those that are told, it has a number in place of the user's name.
"""

from typing import Annotated

import msgspec

from common.otp import KindStatistics, LoopLagStatistics, Order, ProcessStatistics
from common.store.connections import ConnectionStatistics

MOST_ACTORS = 200


class StatisticsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which actors are to be told: the `actors` that come first, those with most of what `sort` says."""

    actors: Annotated[int, msgspec.Meta(ge=0, le=MOST_ACTORS)] = 20
    sort: Order = Order.MAILBOX


class Histogram(msgspec.Struct, frozen=True):
    """Times in seconds, counted: `counts[i]` of them are at most `bounds_s[i]` and above the bound before.

    There is one count more than there are bounds: of those above the last. `sum_s` is the sum of all.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


class OpenFilesSeen(msgspec.Struct, frozen=True):
    """How many files the process has open, and its soft limit."""

    open: int
    limit: int


class ApiStatistics(msgspec.Struct, frozen=True):
    """What the API of a node serves: connections that are open now, and requests since its start."""

    connections: int
    requests: int


class WriterStatistics(msgspec.Struct, frozen=True):
    """Whether this node is the writer of its system now, and what it did as such.

    `epoch` is the last one it had, 0: none. Counts since its start: requests carried out, rounds in which Redis did not
    answer as it should, and times that it lost the lease to another.
    """

    is_writer: bool
    epoch: int
    executed: int
    failures: int
    replaced: int


class RequestsStatistics(msgspec.Struct, frozen=True):
    """Requests to the writer: that wait for an answer now; since the start, that were asked, and that got no answer."""

    waiting: int
    asked: int
    unanswered: int


class SubscriptionsStatistics(msgspec.Struct, frozen=True):
    """What a node listens to in Redis now; and since the start the connections made, and the messages that came."""

    connected: bool
    channels: int
    subscribers: int
    connections: int
    published: int


class DoorStatistics(msgspec.Struct, frozen=True):
    """What fans of one door for browsers do and get: who watches now, and counts that mean what they mean of a node."""

    watching: int
    greetings: int
    deliveries: int


class LessonTold(msgspec.Struct, frozen=True):
    """A lesson that a server has: its name, and in a line what it teaches."""

    name: str
    teaches: str


class StageTold(msgspec.Struct, frozen=True):
    """Which stage a server is, and its lessons in the order in which they are applied.

    Lessons of the stage that it goes without are named in `left_out`, and in `added` those of later stages that it has.
    """

    name: str
    lessons: tuple[LessonTold, ...]
    left_out: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


class WorkerStatistics(msgspec.Struct, frozen=True):
    """One worker process of a node as it is now, of those with its `number` the one after so many `restarts`.

    Counts are since this process started, and mean what they mean of a node; the node's hold those of workers that have
    ended, too. `pss_bytes` is its memory, and of what it shares with others its share. `behind` are fans who have not
    been sent all that they are due. One that does not answer in time is told as it was when it last did.
    """

    number: int
    pid: int
    answers: bool
    restarts: int
    uptime_s: float
    cpu_s: float
    rss_bytes: int
    pss_bytes: int
    open_files: OpenFilesSeen
    loop_lag_s: float | None
    connections: int
    accepted: int
    greetings: int
    deliveries: int
    drops: dict[str, int]
    handlers: int
    behind: int


class Statistics(msgspec.Struct, frozen=True):
    """One node as it is now; counts are since its start.

    `connections` are the fans' now, `accepted` all there were. `greetings` are fans who were answered, and `deliveries`
    what they were sent after that: events, and to some an error line as the last. `drops` are fans who were turned away
    or lost, by reason (`stages.traffic`); `skips` are times that one who read too slowly was left out until it had
    caught up, and went on with the status. `handlers` are subscriptions to matches, `tasks` those of the event loop.
    `loop_lag` is null at the first look in a minute, since it is measured only while somebody looks.

    `response` counts from a fan's accept to its answer being written to the socket, `fan_out` from the moment at which
    the node's process of a match has an accepted event, to each fan's copy being written.

    `writer`, `requests` and `subscriptions` are null where a node has none of that: they come with stage 3. They and
    `api` and `stage` are null, too, where a server is of a version that does not tell them.

    Where fans are served by `workers`, all that is told of the node is that of its processes together: counts and files
    are added up, `rss_bytes` has what they share once, and `loop_lag` is that of the process which is late the most.

    Browsers are fans, and counted as such; `doors` tells of them apart, by the door by which they came.
    """

    node: str
    uptime_s: float
    cpu_s: float
    rss_bytes: int
    open_files: OpenFilesSeen
    loop_lag: LoopLagStatistics | None
    connections: int
    accepted: int
    greetings: int
    deliveries: int
    drops: dict[str, int]
    handlers: int
    tasks: int
    redis: tuple[ConnectionStatistics, ...]
    response: Histogram
    fan_out: Histogram
    kinds: tuple[KindStatistics, ...]
    actors: tuple[ProcessStatistics, ...]
    api: ApiStatistics | None = None
    writer: WriterStatistics | None = None
    requests: RequestsStatistics | None = None
    subscriptions: SubscriptionsStatistics | None = None
    workers: tuple[WorkerStatistics, ...] = ()
    skips: int = 0
    doors: dict[str, DoorStatistics] = {}
    stage: StageTold | None = None
