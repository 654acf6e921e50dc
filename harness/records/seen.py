"""What the fans of a trial saw."""

from typing import Annotated

import msgspec

from harness.records.distribution import Distribution
from harness.records.section import Count, Seconds, Section


class Fans(Section, frozen=True, kw_only=True):
    """What became of the N fans.

    `answered` got their first event; `served` of them were also held until the match was over, or the trial. Where fans
    connect again, it is enough that they were back by then.
    `failures` counts the others by what happened to them; `status_429` are those who were answered with that of HTTP,
    `close_1011 (out of memory)` those whose WebSocket was closed with that code and reason.

    Those who did what they were told to are set apart, and are neither: `left` closed their connections in good order,
    `reset` broke them, and `slow` stopped reading, of whom the server closed `slow_closed` before the end. `untold` are
    those of whom nobody knows, as the host of the cluster was lost that played them. Together
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
    untold: Count = 0

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

    `newcomers` are the intended response times of those alone who were to start after the first event was due, so that
    the server had a match to tell meanwhile, and `newcomers_art` is their ART; None where nobody was answered who came
    then, and in older results.

    `unanswered` is of the others how long it took from their intended start until they were turned away, or gave up;
    None where all were answered, and in older results.
    """

    intended: Distribution | None
    art: Distribution | None
    newcomers: Distribution | None = None
    newcomers_art: Distribution | None = None
    unanswered: Distribution | None = None


class EventSeen(Section, frozen=True, kw_only=True):
    """One post, and how it reached the fans. `answered_s` is None, and `error` is set, if the server did not accept it.

    `fanout_mean_s` and `last_s` run from `intended_s` to a fan's receipt, `fanout_service_mean_s` and `last_service_s`
    from `sent_s`; None where no fan received it.
    """

    sequence: int
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


class OwnEvents(Section, frozen=True, kw_only=True):
    """The server's own events, which were watched as nobody posted any: those that came when all fans had settled.

    `by_all` of the `heard` were received as often as there were fans who were answered. `spread` is of each that more
    than one fan had the time from the first of them to the last; None where there was none.
    """

    heard: Count
    by_all: Count
    fans: Count
    spread: Distribution | None


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


class Reconnects(Section, frozen=True, kw_only=True):
    """How fans came back who lost their connection, or did not get one.

    `lost` are connections that ended, not by the fan's will, after it was served and before the last event was posted;
    `ended` counts them by how they did.
    Of the tries to connect again `tried` were made and `served` were answered, also of fans whom nobody had served
    before; `failures` counts the others by what happened to them, as far as they were over. `back` is the time from
    the loss of a connection until the fan was served again; of `not_back` it was not until the end, which counts as
    infinitely long. `took` is how long the try took by which it was; None where nobody was back, and in older results.

    `missed` are deliveries, of events that were posted while their fan was away, or were still on their way when its
    connection was lost. They are no part of what a fan is due, so none is a loss. Those that it was told on the next
    connection are `recovered`, and the others missed.
    """

    lost: Count
    ended: dict[str, Count]
    tried: Count
    served: Count
    failures: dict[str, Count]
    back: Distribution | None
    not_back: Count
    missed: Count
    recovered: Count
    took: Distribution | None = None


class Seen(Section, frozen=True, kw_only=True):
    """What the fans saw. No `delivery` where no events were posted, and no `api` where it was not asked.

    `recovery_s` is how long a fan waited for its answer who came after the first connection was cut, the longest; None
    where none was cut, or nobody came after it.

    `answered_per_s` is how many fans were answered in a second, over the time in which any were; None where that cannot
    be told, since waves were answered within a step or two of the timeline. `own` are the server's own events, None
    where there were none, or others were posted. `reconnects` is None where fans did not connect again.
    """

    fans: Fans
    response: Response
    delivery: Delivery | None
    timeline: Timeline
    connect_phase_s: Seconds
    events_phase_s: Seconds
    answered_per_s: float | None = None
    api: ApiSeen | None = None
    own: OwnEvents | None = None
    recovery_s: Seconds | None = None
    reconnects: Reconnects | None = None
