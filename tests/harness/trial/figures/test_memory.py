import pytest

from harness.trial.figures.memory import memory_seen
from harness.trial.memory import AtRest, Reading, Sizes

BEFORE = Reading(10.0, Sizes(1_000, 5_000), Sizes(300, 900), 40_000, 4_096)
NOW = Reading(16.0, Sizes(3_000, 9_000), Sizes(500, 950), 100_000, 12_288)


def test_server_redis_and_kernel_are_apart() -> None:
    memory = memory_seen(BEFORE, AtRest(NOW, 10, "after the second event"), 12.0)
    assert (memory.measure, memory.moment) == ("PSS", "after the second event")
    assert (memory.at_s, memory.connections) == (4.0, 10)
    assert memory.server_per_connection == pytest.approx(200)
    assert memory.redis_per_connection == pytest.approx(20)
    assert memory.kernel_per_connection == pytest.approx(6_000)
    assert memory.sockets_growth_bytes == 8_192


def test_where_one_may_not_be_read_all_is_rss() -> None:
    hidden = Reading(16.0, Sizes(3_000, 9_000), Sizes(None, 950), 100_000, 12_288)
    memory = memory_seen(BEFORE, AtRest(hidden, 10, "after the answers"), 12.0)
    assert memory.measure == "RSS"
    assert memory.server_per_connection == pytest.approx(400)
    assert memory.redis_per_connection == pytest.approx(5)


def test_a_server_without_redis() -> None:
    before, now = (Reading(at, Sizes(size, size), None, 0, 0) for at, size in ((1.0, 10), (2.0, 30)))
    memory = memory_seen(before, AtRest(now, 2, "after the first event"), 0.0)
    assert (memory.server_per_connection, memory.redis_per_connection) == (10.0, None)
