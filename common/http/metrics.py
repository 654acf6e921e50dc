"""`GET /metrics`: the statistics of a node in the text format of Prometheus, made when it is scraped."""

from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from common.http.statistics import Histogram, Statistics, WorkerStatistics

_WORKER_GAUGES: tuple[tuple[str, str, Callable[[WorkerStatistics], float]], ...] = (
    ("matchstream_worker_answers", "1 if the worker answered its node in time.", lambda one: one.answers),
    ("matchstream_worker_connections", "Fans of the worker who are connected.", lambda one: one.connections),
    ("matchstream_worker_behind", "Fans of the worker who are due more than they took.", lambda one: one.behind),
    ("matchstream_worker_memory_bytes", "Proportional set size of the worker.", lambda one: one.pss_bytes),
    ("matchstream_worker_open_fds", "Open file descriptors of the worker.", lambda one: one.open_files.open),
)
_WORKER_COUNTERS: tuple[tuple[str, str, Callable[[WorkerStatistics], float]], ...] = (
    ("matchstream_worker_restarts", "Times that the worker was started again.", lambda one: one.restarts),
    ("matchstream_worker_accepts", "Connections that the worker accepted.", lambda one: one.accepted),
    ("matchstream_worker_greetings", "Fans whom the worker answered.", lambda one: one.greetings),
    ("matchstream_worker_deliveries", "What the worker sent fans after that.", lambda one: one.deliveries),
    ("matchstream_worker_cpu_seconds", "CPU time that the worker spent.", lambda one: one.cpu_s),
)


def exposition(statistics: Statistics) -> bytes:
    """Return the metrics in the text format 0.0.4, each with the label `node`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(statistics))
    return generate_latest(registry)


class _Snapshot(Collector):
    """Yields what a scrape is to see, which was found before."""

    def __init__(self, statistics: Statistics) -> None:
        self._seen = statistics

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name nothing beforehand: the registry is this scrape's alone."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily]:
        """Yield every metric."""
        yield from self._gauges()
        yield from self._counters()
        yield from self._by_kind()
        yield from self._of_stage_3()
        yield from self._of_stage()
        yield from self._by_door()
        yield from self._by_worker()
        seen = self._seen
        yield self._histogram("matchstream_response_seconds", "From a fan's accept to its answer.", seen.response)
        yield self._histogram("matchstream_fan_out_seconds", "From an accepted event to each fan's copy.", seen.fan_out)

    def _gauges(self) -> Iterator[GaugeMetricFamily]:
        seen = self._seen
        gauges = [
            ("matchstream_connections", "Fans who are connected.", seen.connections),
            ("matchstream_uptime_seconds", "Since the node started.", seen.uptime_s),
            ("process_resident_memory_bytes", "Resident memory size in bytes.", seen.rss_bytes),
            ("process_open_fds", "Number of open file descriptors.", seen.open_files.open),
            ("process_max_fds", "Maximum number of open file descriptors.", seen.open_files.limit),
        ]
        if seen.loop_lag is not None:
            gauges.append(("matchstream_loop_lag_seconds", "Longest in the last 5 s.", seen.loop_lag.max_s))
        if seen.api is not None:
            gauges.append(("matchstream_api_connections", "Connections to the API.", seen.api.connections))
        for gauge in gauges:
            yield self._gauge(*gauge)

    def _counters(self) -> Iterator[CounterMetricFamily]:
        seen = self._seen
        yield self._counter("matchstream_accepts", "Connections of fans that were accepted.", seen.accepted)
        yield self._counter("matchstream_greetings", "Fans who were answered.", seen.greetings)
        yield self._counter("matchstream_deliveries", "What fans were sent after their answer.", seen.deliveries)
        yield self._counter("matchstream_skips", "Times that a slow fan was left out until it caught up.", seen.skips)
        yield self._counter("process_cpu_seconds", "Total user and system CPU time spent in seconds.", seen.cpu_s)
        if seen.api is not None:
            yield self._counter("matchstream_api_requests", "Requests to the API.", seen.api.requests)
        drops = CounterMetricFamily(
            "matchstream_drops", "Fans who were turned away or lost.", labels=["node", "reason"]
        )
        for reason, count in seen.drops.items():
            drops.add_metric([seen.node, reason], count)
        yield drops

    def _by_kind(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        labels = ["node", "kind"]
        mailbox = GaugeMetricFamily("matchstream_mailbox_messages", "Messages that wait in mailboxes.", labels=labels)
        alive = GaugeMetricFamily("matchstream_actors", "Actors that are alive.", labels=labels)
        handled = CounterMetricFamily("matchstream_handled_messages", "Messages that were handled.", labels=labels)
        restarts = CounterMetricFamily("matchstream_restarts", "Restarts by supervisors.", labels=labels)
        for kind in self._seen.kinds:
            values = [self._seen.node, kind.kind]
            mailbox.add_metric(values, kind.mailbox)
            alive.add_metric(values, kind.alive)
            handled.add_metric(values, kind.messages)
            restarts.add_metric(values, kind.restarts)
        yield from (mailbox, alive, handled, restarts)

    def _of_stage_3(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        seen = self._seen
        if (writer := seen.writer) is not None:
            yield self._gauge("matchstream_writer", "1 if this node writes for the system.", writer.is_writer)
            yield self._gauge("matchstream_writer_epoch", "The last epoch in which this node wrote.", writer.epoch)
            yield self._counter("matchstream_writer_executed", "Requests carried out.", writer.executed)
            yield self._counter("matchstream_writer_failures", "Rounds that failed over Redis.", writer.failures)
            yield self._counter("matchstream_writer_replaced", "Times that another took over.", writer.replaced)
        if (requests := seen.requests) is not None:
            yield self._gauge("matchstream_requests_waiting", "Requests that wait for the writer.", requests.waiting)
            yield self._counter("matchstream_requests", "Requests to the writer.", requests.asked)
            yield self._counter("matchstream_requests_unanswered", "Requests without an answer.", requests.unanswered)
        if (heard := seen.subscriptions) is not None:
            yield self._gauge("matchstream_subscriptions_connected", "1 if Redis is heard.", heard.connected)
            yield self._gauge("matchstream_subscriptions_channels", "Channels of Redis.", heard.channels)
            yield self._gauge("matchstream_subscriptions_subscribers", "Who hears them.", heard.subscribers)
            yield self._counter("matchstream_subscriptions_connections", "Connections made.", heard.connections)
            yield self._counter("matchstream_subscriptions_messages", "Messages from channels.", heard.published)

    def _of_stage(self) -> Iterator[GaugeMetricFamily]:
        """Yield which stage the node is, if it tells."""
        stage = self._seen.stage
        if stage is None:
            return
        about = "1: the node is of that stage, without some of its lessons, and with some of later ones."
        family = GaugeMetricFamily("matchstream_stage_info", about, labels=["node", "stage", "without", "with"])
        family.add_metric([self._seen.node, stage.name, " ".join(stage.left_out), " ".join(stage.added)], 1)
        yield family

    def _by_door(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield what is told of browsers apart."""
        doors = self._seen.doors
        if not doors:
            return
        labels = ["node", "door"]
        watching = GaugeMetricFamily("matchstream_door_watching", "Browsers who watch, by door.", labels=labels)
        greetings = CounterMetricFamily("matchstream_door_greetings", "Browsers who were answered.", labels=labels)
        sent = CounterMetricFamily("matchstream_door_deliveries", "What browsers were sent after that.", labels=labels)
        for door, counts in doors.items():
            watching.add_metric([self._seen.node, door], counts.watching)
            greetings.add_metric([self._seen.node, door], counts.greetings)
            sent.add_metric([self._seen.node, door], counts.deliveries)
        yield from (watching, greetings, sent)

    def _by_worker(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield what is told of each worker; its counts begin again when it is started again."""
        workers = self._seen.workers
        if not workers:
            return
        for kind, families in ((GaugeMetricFamily, _WORKER_GAUGES), (CounterMetricFamily, _WORKER_COUNTERS)):
            for name, about, value in families:
                family = kind(name, about, labels=["node", "worker"])
                for worker in workers:
                    family.add_metric([self._seen.node, str(worker.number)], value(worker))
                yield family

    def _gauge(self, name: str, about: str, value: float) -> GaugeMetricFamily:
        gauge = GaugeMetricFamily(name, about, labels=["node"])
        gauge.add_metric([self._seen.node], value)
        return gauge

    def _counter(self, name: str, about: str, value: float) -> CounterMetricFamily:
        counter = CounterMetricFamily(name, about, labels=["node"])
        counter.add_metric([self._seen.node], value)
        return counter

    def _histogram(self, name: str, about: str, seen: Histogram) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, about, labels=["node"])
        bounds = [*map(repr, seen.bounds_s), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(seen.counts)), strict=True))
        family.add_metric([self._seen.node], buckets, seen.sum_s)
        return family
