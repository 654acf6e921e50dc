"""The metrics as Prometheus reads them: every figure of the statistics, under its name, with the node."""

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.http.metrics import exposition
from common.http.statistics import Statistics
from tests.common.http.memory_backend import MemoryBackend
from tests.common.http.samples import WORKER, statistics


def samples(seen: Statistics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the value of each sample by its name and its labels but the node, which all must have."""
    found = {}
    for family in text_string_to_metric_families(exposition(seen).decode()):
        assert family.documentation
        for sample in family.samples:
            assert sample.labels.pop("node") == seen.node
            found[sample.name, frozenset(sample.labels.items())] = sample.value
    return found


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("matchstream_connections", {}, 9),
        ("matchstream_uptime_seconds", {}, 60),
        ("matchstream_loop_lag_seconds", {}, 0.25),
        ("process_resident_memory_bytes", {}, 50_000_000),
        ("process_open_fds", {}, 30),
        ("process_max_fds", {}, 1024),
        ("process_cpu_seconds_total", {}, 1.5),
        ("matchstream_accepts_total", {}, 12),
        ("matchstream_greetings_total", {}, 10),
        ("matchstream_deliveries_total", {}, 19),
        ("matchstream_skips_total", {}, 3),
        ("matchstream_drops_total", {"reason": "greeting"}, 2),
        ("matchstream_drops_total", {"reason": "broken"}, 0),
        ("matchstream_mailbox_messages", {"kind": "Client"}, 3),
        ("matchstream_actors", {"kind": "Client"}, 9),
        ("matchstream_handled_messages_total", {"kind": "Dispatcher"}, 13),
        ("matchstream_restarts_total", {"kind": "Dispatcher"}, 1),
        ("matchstream_api_connections", {}, 2),
        ("matchstream_api_requests_total", {}, 17),
        ("matchstream_writer", {}, 1),
        ("matchstream_writer_epoch", {}, 1234),
        ("matchstream_writer_executed_total", {}, 70),
        ("matchstream_writer_failures_total", {}, 2),
        ("matchstream_writer_replaced_total", {}, 1),
        ("matchstream_requests_waiting", {}, 3),
        ("matchstream_requests_total", {}, 80),
        ("matchstream_requests_unanswered_total", {}, 4),
        ("matchstream_subscriptions_connected", {}, 1),
        ("matchstream_subscriptions_channels", {}, 5),
        ("matchstream_subscriptions_subscribers", {}, 6),
        ("matchstream_subscriptions_connections_total", {}, 7),
        ("matchstream_subscriptions_messages_total", {}, 90),
        ("matchstream_stage_info", {"stage": "3", "without": "nodes", "with": "fd-plane drain"}, 1),
        ("matchstream_door_watching", {"door": "event-source"}, 4),
        ("matchstream_door_greetings_total", {"door": "event-source"}, 5),
        ("matchstream_door_deliveries_total", {"door": "event-source"}, 8),
        ("matchstream_worker_answers", {"worker": "0"}, 1),
        ("matchstream_worker_connections", {"worker": "0"}, 5),
        ("matchstream_worker_behind", {"worker": "0"}, 2),
        ("matchstream_worker_memory_bytes", {"worker": "0"}, 9_000_000),
        ("matchstream_worker_open_fds", {"worker": "0"}, 24),
        ("matchstream_worker_restarts_total", {"worker": "0"}, 1),
        ("matchstream_worker_accepts_total", {"worker": "0"}, 6),
        ("matchstream_worker_greetings_total", {"worker": "0"}, 5),
        ("matchstream_worker_deliveries_total", {"worker": "0"}, 10),
        ("matchstream_worker_cpu_seconds_total", {"worker": "0"}, 0.5),
        ("matchstream_response_seconds_bucket", {"le": "0.01"}, 6),
        ("matchstream_response_seconds_bucket", {"le": "0.1"}, 9),
        ("matchstream_response_seconds_bucket", {"le": "+Inf"}, 10),
        ("matchstream_response_seconds_count", {}, 10),
        ("matchstream_response_seconds_sum", {}, 0.75),
        ("matchstream_fan_out_seconds_count", {}, 19),
    ],
)
def test_every_figure_is_there(name: str, labels: dict[str, str], value: float) -> None:
    assert samples(statistics(workers=(WORKER,)))[name, frozenset(labels.items())] == value


def test_a_lag_that_is_not_known_yet_is_left_out() -> None:
    names = {name for name, _ in samples(statistics(loop_lag=None))}
    assert "matchstream_loop_lag_seconds" not in names
    assert "matchstream_connections" in names


def test_what_a_node_does_not_have_is_left_out() -> None:
    names = {
        name for name, _ in samples(statistics(writer=None, requests=None, subscriptions=None, doors={}, stage=None))
    }
    parts: tuple[str, ...] = ("matchstream_writer", "matchstream_req", "matchstream_sub", "matchstream_door")
    parts += ("matchstream_worker", "matchstream_stage")
    assert not [name for name in names if name.startswith(parts)]


async def test_they_are_served_as_prometheus_wants_them(reader: aiohttp.ClientSession, backend: MemoryBackend) -> None:
    async with reader.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await answer.read() == exposition(statistics(actors=()))
    assert [query.actors for query in backend.queries] == [0]
