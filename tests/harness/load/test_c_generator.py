"""The generator in C against servers of known behaviour: it must report exactly that."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.load import c_generator, compiler
from harness.load.c_generator import CGeneratorError, compiled, playing
from harness.load.compiler import CompilerError
from harness.load.workload import Endpoint, Load
from tests.harness import known_servers
from tests.harness.known_servers import DIALOGUE, KnownServer
from tests.harness.load.generating import SOON_S, measure
from tests.needs import needs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.load.c_generator import Played
    from tests.harness.known_servers import Peer

pytestmark = needs("cc", "gcc libc6-dev")


@pytest.fixture(scope="module")
def program() -> Iterator[Path]:
    with compiled() as program:
        yield program


def play(program: Path, server: KnownServer, load: Load, stamps: str = "kernel") -> Played:
    with playing(program, load, DIALOGUE, [server.endpoint], stamps=stamps) as generator:
        generator.wait_all_settled()
        return generator.finish()


@pytest.mark.parametrize("stamps", ["kernel", "read"])
def test_every_fan_is_answered_once_and_all_times_are_in_order(program: Path, stamps: str) -> None:
    with KnownServer(known_servers.holds) as server:
        played = play(program, server, Load(10, 4, SOON_S), stamps)
        assert server.wait_until_gone(10)
    assert (played.n, played.answered, played.receipts) == (10, 10, 0)
    assert played.late is not None
    assert played.art is not None
    assert played.response is not None
    assert 0 <= played.late.p50_s <= played.late.p99_s <= played.late.max_s
    assert 0 < played.art.mean_s <= played.response.max_s


def test_both_generators_see_a_known_delay(program: Path) -> None:
    with KnownServer(known_servers.Delays(0.2)) as server:
        played = play(program, server, Load(6, 6, SOON_S))
        samples, _, _ = measure(server.endpoint, Load(6, 6, SOON_S))
    assert played.art is not None
    assert played.response is not None
    assert played.own is not None
    assert min(samples.talk_s()) >= 0.2
    assert played.art.p50_s >= 0.2
    assert played.response.mean_s >= played.art.mean_s
    assert played.response.mean_s - played.own.mean_s >= 0.2


def test_waiting_for_the_greeting_is_not_its_own(program: Path) -> None:
    def greets_late(peer: Peer) -> None:
        time.sleep(0.2)  # not in place of a condition: it is what this server does
        known_servers.holds(peer)

    with KnownServer(greets_late) as server:
        played = play(program, server, Load(6, 6, SOON_S))
    assert played.response is not None
    assert played.own is not None
    assert played.response.mean_s - played.own.mean_s >= 0.2


def test_events_are_counted_until_it_is_told_to_finish(program: Path) -> None:
    with (
        KnownServer(known_servers.SendsEvents(4, lambda _: [1, 2, 3], closes=True)) as server,
        playing(program, Load(4, 4), DIALOGUE, [server.endpoint]) as generator,
    ):
        generator.wait_all_settled()
        assert server.wait_until_gone(4)
        assert generator.finish().receipts == 12


def test_whoever_is_refused_has_failed(program: Path) -> None:
    with known_servers.refusing() as endpoint, playing(program, Load(3, 3), DIALOGUE, [endpoint]) as generator:
        generator.wait_all_settled()
        played = generator.finish()
    assert (played.answered, played.art) == (0, None)


def test_what_it_cannot_play_is_refused(program: Path) -> None:
    for endpoints, dialogue in (
        ([Endpoint("192.0.2.1", 1)], DIALOGUE),
        ([Endpoint("127.0.0.1", 1), Endpoint("127.0.0.2", 1)], DIALOGUE),
        ([Endpoint("127.0.0.1", 1)], replace(DIALOGUE, welcome_end=b"")),
    ):
        with pytest.raises(CGeneratorError, match="loopback"), playing(program, Load(1, 1), dialogue, endpoints):
            pass


def test_a_program_that_ends_early_is_an_error() -> None:
    with (
        playing(Path("/bin/true"), Load(1, 1), DIALOGUE, [Endpoint("127.0.0.1", 1)]) as generator,
        pytest.raises(CGeneratorError, match="ended before"),
    ):
        generator.wait_all_settled()


def test_a_machine_without_a_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler.shutil, "which", lambda _: None)
    with pytest.raises(CompilerError, match="apt-get install gcc"), c_generator.compiled():
        pass
