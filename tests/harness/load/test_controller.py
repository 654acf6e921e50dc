"""The generator against servers of known behaviour: it must report exactly that."""

from __future__ import annotations

import math
import socket
import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from harness.load.conduct import Conduct, Departure
from harness.load.controller import Generator, GeneratorError
from harness.load.deliveries import SentEvent
from harness.load.samples import Outcome, Progress
from harness.load.workload import Endpoint, Load, NoRoomError
from tests.harness import known_servers
from tests.harness.known_servers import DIALOGUE, PATIENCE_S, STATUS, KnownServer, Peer, event
from tests.harness.load.generating import SOON_S, happened, marks_by_fan, measure, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("processes", [1, 3])
def test_fans_that_are_answered_are_held_to_the_end(processes: int) -> None:
    load = Load(10, 4, SOON_S)
    with KnownServer(known_servers.holds) as server:
        samples, usage, progress = measure(server.endpoint, load, processes=processes)
        assert server.wait_until_gone(load.n)
    assert progress == Progress(started=10, connected=10, answered=10)
    assert samples.outcomes() == {Outcome.HELD: 10}
    assert samples.intended_s == load.starts()
    assert all(math.isnan(at) for at in samples.closed_s)
    for before, after in [
        (samples.intended_s, samples.started_s),
        (samples.started_s, samples.connected_s),
        (samples.connected_s, samples.welcomed_s),
        (samples.welcomed_s, samples.asked_s),
        (samples.asked_s, samples.answered_s),
    ]:
        assert all(one <= other for one, other in zip(before, after, strict=True))
    assert usage.processes == processes == len(usage.cpu_share)
    assert max(usage.cpu_share) > 0
    assert 0 <= usage.lag_p50_s <= usage.lag_p99_s <= usage.lag_max_s == max(samples.lag_s())
    assert usage.turn_max_s > 0
    assert usage.bytes_per_connection is not None
    assert usage.peak_rss > 1_000_000


def test_every_fan_is_a_user_of_its_own() -> None:
    users = []

    def script(peer: Peer) -> None:
        users.append(peer.serve())
        peer.wait_until_gone()

    with KnownServer(script) as server:
        measure(server.endpoint, Load(5, 5, SOON_S), processes=2)
    assert sorted(users) == ["fan-0", "fan-1", "fan-2", "fan-3", "fan-4"]


def test_fans_take_the_endpoints_in_turn_and_come_from_addresses_of_their_process() -> None:
    sources: list[list[str]] = [[], []]

    def script(heard: list[str]) -> Callable[[Peer], None]:
        def play(peer: Peer) -> None:
            heard.append(peer.source)
            known_servers.holds(peer)

        return play

    with KnownServer(script(sources[0])) as even, KnownServer(script(sources[1])) as odd:
        endpoints = [Endpoint("localhost", even.endpoint.port), odd.endpoint]
        with Generator(Load(6, 6, SOON_S), DIALOGUE, endpoints, "fan-", processes=2) as generator:
            generator.start()
            generator.wait_all_settled(PATIENCE_S)
            generator.finish(0.0)
    assert sources == [["127.0.1.0"] * 3, ["127.0.1.1"] * 3]


def test_a_known_delay_is_reported_by_both_clocks() -> None:
    with KnownServer(known_servers.Delays(0.05)) as server:
        samples, _, _ = measure(server.endpoint, Load(6, 6, SOON_S))
    assert len(samples.response_s()) == len(samples.talk_s()) == 6
    assert min(samples.response_s()) >= 0.05
    assert min(samples.talk_s()) >= 0.05


def test_a_stall_shows_in_every_fan_whose_moment_fell_into_it() -> None:
    """A closed loop would never end this stall: the next fan would not come before the one ahead was answered."""
    load = Load(60, 1, 0.005)
    answered_at_once = 20
    with KnownServer(known_servers.Stalls(answered_at_once, load.n)) as server:
        samples, _, _ = measure(server.endpoint, load)
    assert samples.outcomes() == {Outcome.HELD: load.n}
    ended_s = samples.intended_s[-1]  # nobody of the stalled was answered before the last had asked
    stalled = [fan for fan in range(load.n) if samples.answered_s[fan] >= ended_s]
    assert len(stalled) >= load.n - answered_at_once
    response_s = sorted(samples.response_s())
    longest_s = ended_s - samples.intended_s[answered_at_once]
    assert response_s[-1] >= longest_s
    assert response_s[math.ceil(0.75 * load.n) - 1] >= longest_s / 2


def test_a_slow_accept_is_in_the_time_until_the_welcome() -> None:
    with (
        KnownServer(known_servers.holds, is_open=False) as server,
        Generator(Load(5, 5, SOON_S), DIALOGUE, [server.endpoint], "fan-") as generator,
    ):
        t0 = generator.start()
        wait_for(generator, lambda progress: progress.connected == 5)  # by the kernel, in the accept queue
        opened_s = time.monotonic() - t0
        server.open_for_business.set()
        generator.wait_all_settled(PATIENCE_S)
        samples, _ = generator.finish(0.0)
    assert max(samples.connected_s) <= opened_s <= min(samples.welcomed_s)


def test_a_server_that_does_not_speak_first_is_asked_at_once() -> None:
    def script(peer: Peer) -> None:
        peer.hear_hello()
        peer.say(STATUS)
        peer.wait_until_gone()

    with KnownServer(script) as server:
        samples, _, _ = measure(server.endpoint, Load(3, 3, SOON_S), dialogue=replace(DIALOGUE, welcome_end=b""))
    assert samples.outcomes() == {Outcome.HELD: 3}
    assert not any(map(math.isfinite, samples.welcomed_s))
    assert len(samples.talk_s()) == 3


def test_a_peer_that_hung_up_before_it_was_asked_is_noticed() -> None:
    with KnownServer(Peer.reset) as server:
        dialogue = replace(DIALOGUE, welcome_end=b"")
        samples, _, progress = measure(server.endpoint, Load(20, 20, SOON_S), dialogue=dialogue)
    assert progress.failed == 20
    assert samples.outcomes() == {Outcome.RESET: 20}


def test_what_each_fan_received_is_reported_lost_doubled_and_out_of_order() -> None:
    sent = {
        "fan-0": [1, 2, 3, 4],
        "fan-1": [1, 2, 4],
        "fan-2": [1, 2, 2, 3, 4],
        "fan-3": [2, 1, 4, 3],
        "fan-4": [],
        "fan-5": list(range(1, 400)),
    }
    with KnownServer(known_servers.SendsEvents(len(sent), sent.__getitem__, closes=True)) as server:
        samples, _, progress = measure(server.endpoint, Load(6, 3, SOON_S), processes=2, close_wait_s=PATIENCE_S)
    assert progress.answered == 6
    assert samples.outcomes() == {Outcome.ENDED: 6}
    marks = marks_by_fan(samples)
    assert {f"fan-{fan}": marks.get(fan, []) for fan in range(6)} == sent
    by_fan = defaultdict(list)
    for fan, at in zip(samples.receipt_fan, samples.receipt_s, strict=True):
        by_fan[fan].append(at)
    assert all(times == sorted(times) and times[0] >= max(samples.asked_s) for times in by_fan.values())


def test_events_in_the_same_breath_as_the_answer_count() -> None:
    def script(peer: Peer) -> None:
        peer.say(known_servers.WELCOME)
        peer.hear_hello()
        peer.say(STATUS + known_servers.event(1) + known_servers.event(2)[:-5])
        peer.say(known_servers.event(2)[-5:])
        peer.close()

    with KnownServer(script) as server:
        samples, _, _ = measure(server.endpoint, Load(3, 3, SOON_S), close_wait_s=PATIENCE_S)
    assert marks_by_fan(samples) == {0: [1, 2], 1: [1, 2], 2: [1, 2]}


def test_receipts_are_counted_while_it_goes_on() -> None:
    with (
        KnownServer(known_servers.SendsEvents(4, lambda _: [1, 2, 3])) as server,
        Generator(Load(4, 4, SOON_S), DIALOGUE, [server.endpoint], "fan-", processes=2) as generator,
    ):
        generator.start()
        seen: list[Progress] = []
        assert generator.wait_all_settled(PATIENCE_S, seen.append).answered == 4
        wait_for(generator, lambda progress: progress.receipts == 12)
        samples, _ = generator.finish(0.0)
    assert seen[-1].answered == 4
    assert samples.outcomes() == {Outcome.HELD: 4}


def test_it_waits_for_a_server_that_is_behind_until_that_has_closed_everyone() -> None:
    events, gap_s, quiet_s = 30, 0.1, 2.0
    assert gap_s < quiet_s / 10 < events * gap_s / 10  # it is never quiet so long, and behind for longer

    def slowly(peer: Peer) -> None:
        peer.serve()
        for number in range(1, events + 1):
            time.sleep(gap_s)
            peer.say(known_servers.event(number))

    with (
        KnownServer(slowly) as server,
        Generator(Load(3, 3, SOON_S), DIALOGUE, [server.endpoint], "fan-") as generator,
    ):
        generator.start()
        generator.wait_all_settled(PATIENCE_S)
        assert generator.wait_until_quiet(quiet_s, PATIENCE_S).closed == 3
        samples, _ = generator.finish(0.0)
    assert len(samples.receipt_sequence) == 3 * events
    assert samples.outcomes() == {Outcome.ENDED: 3}


@pytest.mark.parametrize(("quiet_s", "timeout_s"), [(0.05, PATIENCE_S), (PATIENCE_S, 0.05)])
def test_it_does_not_wait_for_a_server_that_closes_nobody(quiet_s: float, timeout_s: float) -> None:
    with (
        KnownServer(known_servers.holds) as server,
        Generator(Load(3, 3, SOON_S), DIALOGUE, [server.endpoint], "fan-") as generator,
    ):
        generator.start()
        generator.wait_all_settled(PATIENCE_S)
        progress = generator.wait_until_quiet(quiet_s, timeout_s)
        assert (progress.answered, progress.closed) == (3, 0)
        samples, _ = generator.finish(0.0)
    assert samples.outcomes() == {Outcome.HELD: 3}


def test_it_stops_soon_after_everything_due_is_there() -> None:
    def plays(peer: Peer) -> None:
        peer.serve()
        for number in (1, 2, 2):
            peer.say(known_servers.event(number))
        peer.wait_until_gone()

    with (
        KnownServer(plays) as server,
        Generator(Load(3, 3, SOON_S), DIALOGUE, [server.endpoint], "fan-") as generator,
    ):
        generator.start()
        generator.wait_all_settled(PATIENCE_S)
        progress = generator.wait_until_quiet(math.inf, math.inf, receipts=6)
        assert (progress.answered, progress.closed, progress.receipts) == (3, 0, 9)


def test_no_fan_is_started_after_finish() -> None:
    close_wait_s = 0.3
    with (
        KnownServer(known_servers.holds) as server,
        Generator(Load(10_000, 1, 0.01), DIALOGUE, [server.endpoint], "fan-") as generator,
    ):
        t0 = generator.start()
        wait_for(generator, lambda progress: progress.started > 2)
        samples, _ = generator.finish(close_wait_s)
        finished_s = time.monotonic() - t0
    assert max(at for at in samples.started_s if math.isfinite(at)) <= finished_s - close_wait_s


def test_what_is_undecided_at_the_end_is_pending() -> None:
    with (
        KnownServer(known_servers.never_answers) as server,
        Generator(Load(6, 2, 3600.0), DIALOGUE, [server.endpoint], "fan-") as generator,
    ):
        generator.start()
        wait_for(generator, lambda progress: progress.connected == 2)
        assert generator.wait_all_settled(0.0).settled == 0
        samples, usage = generator.finish(0.02)
        assert server.wait_until_gone(2)
    assert samples.outcomes() == {Outcome.PENDING: 6}
    assert len(samples.lag_s()) == 2
    assert usage.bytes_per_connection is None


def test_a_host_without_an_address_is_refused() -> None:
    with pytest.raises(GeneratorError, match=r"no address.*check the name"):
        Generator(Load(1, 1), DIALOGUE, [Endpoint("host.invalid", 1)], "fan-")


def test_no_endpoint_is_refused() -> None:
    with pytest.raises(GeneratorError, match="no endpoint"):
        Generator(Load(1, 1), DIALOGUE, [], "fan-")


def test_more_fans_than_fit_are_refused() -> None:
    with pytest.raises(NoRoomError):
        Generator(Load(100_000_000, 1), DIALOGUE, [Endpoint("127.0.0.1", 1)], "fan-", processes=1)


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_a_server_on_ipv6_is_reached_without_a_source_address() -> None:
    try:
        server = KnownServer(known_servers.holds, host="::1")
    except OSError:
        pytest.skip("needs IPv6: no ::1 here")
    with server:
        samples, _, _ = measure(server.endpoint, Load(3, 3, SOON_S))
    assert samples.outcomes() == {Outcome.HELD: 3}


def test_fans_leave_break_off_and_stop_reading_as_planned_and_others_come_instead() -> None:
    """Everyone does its part while the server sends events to all who listen; nobody is lost who was not told to go."""
    conduct = Conduct(
        slow=frozenset({0}),
        departures=(Departure(0.0, 1, resets=False), Departure(0.0, 2, resets=True)),
        newcomers_s=(0.0, SOON_S),
    )
    resets = []

    def holds(peer: Peer) -> None:
        peer.serve()
        try:
            peer.wait_until_gone()
        except ConnectionResetError:
            resets.append(peer)

    with (
        KnownServer(holds) as server,
        Generator(Load(6, 6, SOON_S), DIALOGUE, [server.endpoint], "fan-", processes=2, conduct=conduct) as generator,
    ):
        generator.start()
        assert generator.wait_all_settled(PATIENCE_S).answered == 6
        generator.events_begin()
        progress = generator.wait_all_settled(PATIENCE_S)
        assert (progress.answered, progress.slow) == (8, 1)
        wait_for(generator, lambda progress: progress.closed == 2)
        samples, _ = generator.finish(0.0)
        assert server.wait_until_gone(8)
    assert list(map(Outcome, samples.outcome)) == [
        Outcome.SLOW,
        Outcome.LEFT,
        Outcome.BROKE_OFF,
        *[Outcome.HELD] * 5,
    ]
    assert happened(samples.intended_s)
    assert samples.intended_s[7] - samples.intended_s[6] == pytest.approx(SOON_S)
    assert len(resets) == 1


def test_newcomers_whose_moment_never_came_were_not_asked_to_come() -> None:
    conduct = Conduct(newcomers_s=(0.0,))
    with (
        KnownServer(known_servers.holds) as server,
        Generator(Load(2, 2, SOON_S), DIALOGUE, [server.endpoint], "fan-", conduct=conduct) as generator,
    ):
        generator.start()
        generator.wait_all_settled(PATIENCE_S)
        samples, _ = generator.finish(0.0)
    assert len(samples) == 2


def test_a_server_that_ends_a_slow_fan_is_seen() -> None:
    conduct = Conduct(slow=frozenset({0, 1}))
    scripts = iter([known_servers.ends, known_servers.cuts])

    def ends_them(peer: Peer) -> None:
        next(scripts)(peer)

    with (
        KnownServer(ends_them) as server,
        Generator(Load(2, 2, SOON_S), DIALOGUE, [server.endpoint], "fan-", conduct=conduct) as generator,
    ):
        generator.start()
        generator.wait_all_settled(PATIENCE_S)
        assert server.wait_until_gone(2)
        samples, _ = generator.finish(SOON_S)
    assert samples.outcomes() == {Outcome.SLOW_CLOSED: 2}
    assert not samples.receipt_fan


def test_receipts_are_counted_and_not_kept_where_that_is_asked_for() -> None:
    fans = 4

    def script(peer: Peer) -> None:
        peer.serve()
        peer.say(event(1) + event(2) + event(9))
        peer.wait_until_gone()

    with (
        KnownServer(script) as server,
        Generator(Load(fans, fans), DIALOGUE, [server.endpoint], "fan-", processes=2, events=2) as generator,
    ):
        generator.start()
        wait_for(generator, lambda progress: progress.receipts == 3 * fans)
        for number in (1, 2):
            generator.event_sent(SentEvent(number, 0.0, 0.0, accepted=True))
        samples, _ = generator.finish(0.0)
    counted = samples.deliveries
    assert counted is not None
    assert counted.highest.tolist() == [2] * fans
    assert counted.received.sum() == 0  # they were sent before anybody was answered, so nobody was due them
    assert counted.own[9].receipts == fans
    assert len(samples.receipt_fan) == 0


def test_nobody_says_that_the_last_event_comes_before_all_processes_have_heard_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pause, resumed = vars(Generator)["_pause"], []

    def resume(generator: Generator, seconds: float) -> None:
        slow.resume()
        resumed.append(slow.pid)
        pause(generator, seconds)

    with (
        KnownServer(known_servers.holds) as server,
        Generator(Load(2, 2), DIALOGUE, [server.endpoint], "fan-", processes=2) as generator,
    ):
        generator.start()
        generator.wait_all_settled(PATIENCE_S)
        slow = psutil.Process(generator.pids[0])
        slow.suspend()
        monkeypatch.setattr(Generator, "_pause", resume)  # it runs on as soon as somebody waits for it
        generator.events_end()
        assert set(resumed) == {slow.pid}
        generator.finish(0.0)
