import pytest

from common.http.statistics import StatisticsQuery
from common.otp.survey import Order
from harness.targets.poller import Poller, urls_of
from harness.targets.target import TargetError
from tests.common.http.samples import statistics
from tests.harness.show.live.nodes import FakeNode, serving

QUERY = StatisticsQuery(7, Order.MEMORY)


def test_addresses_are_urls_or_ports_and_each_counts_once() -> None:
    assert urls_of(["http://a.example/", "127.0.0.1:1-2", "127.0.0.1:2", "[::1]:5"]) == [
        "http://a.example",
        "http://127.0.0.1:1",
        "http://127.0.0.1:2",
        "http://[::1]:5",
    ]
    with pytest.raises(TargetError, match="'nonsense' is no address"):
        urls_of(["nonsense"])


async def test_several_nodes_are_asked_side_by_side_and_a_port_of_a_known_one_is_left_alone() -> None:
    one, same, other = FakeNode(), FakeNode(), FakeNode(statistics(node="host:9999"))
    with serving(one), serving(same), serving(other):
        async with Poller([one.url, same.url, other.url]) as poller:
            first, second = [await poller.poll(QUERY) for _ in range(2)]
    assert [look.address for look in first] == [look.address for look in second] == [one.url, other.url]
    assert [look.now is not None and look.before is not None for look in second] == [True, True]
    assert one.asked == ["/1/statistics?actors=7&sort=memory"] * 2
    assert len(same.asked) == 1


async def test_who_does_not_answer_is_away_and_asked_again() -> None:
    node = FakeNode()
    with serving(node):
        async with Poller([node.url]) as poller:
            await poller.poll(QUERY)
            told, node.tells = node.tells, None
            (away,) = await poller.poll(QUERY)
            assert away.away == "not now (HTTP 503)"
            assert away.now is not None
            node.tells = told
            (back,) = await poller.poll(QUERY)
            assert (back.away, back.before) == (None, away.now)


async def test_nobody_at_an_address() -> None:
    with serving(FakeNode()) as node:
        url = node.url
    async with Poller([url]) as poller:
        (look,) = await poller.poll(QUERY)
    assert look.now is None
    assert look.away is not None
    assert url in look.away
