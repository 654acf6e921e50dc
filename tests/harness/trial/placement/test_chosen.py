import pytest

from harness.load.workload import deal
from harness.trial.placement.chosen import MOST, chosen_sources
from harness.trial.placement.errors import PlacementError


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("127.7.0.5", ("127.7.0.5",)),
        ("127.7.0.5/32", ("127.7.0.5",)),
        ("127.7.0.4/30", ("127.7.0.5", "127.7.0.6")),
        ("127.7.0.4/31", ("127.7.0.4", "127.7.0.5")),
    ],
)
def test_an_address_or_those_of_a_network(text: str, addresses: tuple[str, ...]) -> None:
    assert chosen_sources(text).addresses == addresses


def test_of_a_large_network_not_all_are_used() -> None:
    assert len(chosen_sources("127.0.0.0/8").addresses) == MOST


def test_every_process_uses_all_of_them() -> None:
    shares = deal(10_000, 20_000, 2, chosen_sources("127.7.0.4/30"))
    assert [share.sources for share in shares] == [("127.7.0.5", "127.7.0.6")] * 2


@pytest.mark.parametrize("text", ["", "here", "127.0.0.1/33", "::1", "fe80::/64", "127.0.0"])
def test_what_is_no_address_of_ipv4_is_refused(text: str) -> None:
    with pytest.raises(PlacementError, match="is no address and no network of IPv4"):
        chosen_sources(text)


def test_an_address_of_others_is_refused() -> None:
    with pytest.raises(PlacementError, match=r"fans cannot come from 192\.0\.2\.1 .*: --source takes addresses"):
        chosen_sources("192.0.2.0/24")
