import signal

import pytest

from harness.cli import main
from harness.load.controller import Generator
from harness.load.workload import Load, deal
from harness.trial.placement.chosen import MOST, chosen_sources
from harness.trial.placement.errors import PlacementError
from tests.harness.known_servers import DIALOGUE, PATIENCE_S, KnownServer, Peer, holds


@pytest.fixture(autouse=True)
def _keep_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # `main` is called in this process, which is not to end so


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


def test_fans_come_from_them() -> None:
    came_from: list[str] = []

    def script(peer: Peer) -> None:
        came_from.append(peer.source)
        holds(peer)

    with (
        KnownServer(script) as server,
        Generator(
            Load(6, 6, 0.01), DIALOGUE, [server.endpoint], "fan-", processes=2, sources=chosen_sources("127.7.0.4/30")
        ) as generator,
    ):
        generator.start()
        generator.wait_all_settled(PATIENCE_S)
        generator.finish(0.0)
    assert sorted(came_from) == ["127.7.0.5"] * 4 + ["127.7.0.6"] * 2


@pytest.mark.parametrize("words", [("--netns",), ("--cluster", "tcp://127.0.0.1:1")])
def test_where_fans_have_other_addresses_it_is_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", "--stage", "0", "-N", "1", "-C", "1", "--source", "127.7.0.5", *words]) == 2
    says = f"harness: --source are addresses of this machine, and with {words[0]} fans have others\n"
    assert capsys.readouterr().err == says


@pytest.mark.parametrize("text", ["", "here", "127.0.0.1/33", "::1", "fe80::/64", "127.0.0"])
def test_what_is_no_address_of_ipv4_is_refused(text: str) -> None:
    with pytest.raises(PlacementError, match="is no address and no network of IPv4"):
        chosen_sources(text)


def test_an_address_of_others_is_refused() -> None:
    with pytest.raises(PlacementError, match=r"fans cannot come from 192\.0\.2\.1 .*: --source takes addresses"):
        chosen_sources("192.0.2.0/24")
