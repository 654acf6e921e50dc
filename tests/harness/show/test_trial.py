import io
import re

import msgspec
import numpy as np
import pytest
from rich.console import Console

from harness.records.asked import Asked, Disturbances, Placement
from harness.records.distribution import distribution
from harness.records.seen import OwnEvents
from harness.records.trial import Validity, Verdict
from harness.records.usage import ProcessEnd, Wave
from harness.show.disturbances import show_disturbances
from harness.show.trial import show_result
from harness.units import show_bytes, show_growth, show_time
from tests.harness.results import a_delivery, a_generator, a_result, a_server, seen_by, some_fans, some_reconnects


def printed(*, colour: bool = False, **changes: object) -> str:
    console = Console(file=io.StringIO(), width=200, force_terminal=colour)
    console.print(show_result(a_result(**changes)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_figure_is_there() -> None:
    text = printed()
    for part in (
        "stage 0: N=900, C=4 every 250 ms",
        "900 of 900 served; failures: none",
        "ART (talk)",
        "p50 ",
        "p90 ",
        "p99 ",
        "max 20.0 ms",
        "last fan: mean 45.0 ms, max 50.0 ms",
        "5 posted; of 4,500 deliveries 0 lost, 0 duplicated, 0 reordered",
        "CPU 30% of a core, peak 60%",
        "server 10.9 KiB, Redis 500 B (PSS); kernel 9.77 KiB for both ends; after the second event, of 900 connections",
        "open files 930 of 1,024 in the fullest of 2 processes",
        "lag p99 400 µs, max 2.00 ms; CPU 12% of a core; 1 process",
        "nothing: all 900 fans were served and no limit was reached",
        "PASSED: failures=0,p99<1s",
    ):
        assert part in text


def test_an_invalid_trial_shows_why_and_dims_its_figures() -> None:
    invalid = Validity(valid=False, reasons=("the generator was late: by much",))
    text = printed(validity=invalid)
    assert "INVALID: these figures say nothing about the server" in text
    assert "the generator was late: by much" in text
    assert "PASSED" not in text
    dim = "\x1b[2m"
    figures = [line for line in printed(colour=True, validity=invalid).splitlines() if "p50" in line]
    assert all(dim in line for line in figures)
    assert not any(dim in line for line in printed(colour=True).splitlines() if "p50" in line)


def test_a_missed_slo() -> None:
    text = printed(verdict=Verdict(met=False, broken=("failures=0 (2)", "p99<1s (3 s)")))
    assert "FAILED: failures=0 (2), p99<1s (3 s)" in text


def test_failures_by_what_happened() -> None:
    assert "800 of 903 served; failures: 3 closed early, 100 no welcome" in printed(
        seen=seen_by(some_fans(800, no_welcome=100, closed_early=3))
    )


def test_what_was_not_measured_is_not_made_up() -> None:
    text = printed(seen=seen_by(some_fans(0, refused=3)), server=None)
    assert "nobody was answered" in text
    assert "none were posted" in text
    assert "not observed" in text
    text = printed(
        seen=seen_by(some_fans(), delivery=a_delivery(fanout=None, last_mean_s=None, last_max_s=None)),
        server=a_server(fullest_limit=0, memory=None, memory_per_connection_bytes=None),
    )
    assert "nothing arrived" in text
    assert "a connection" not in text
    assert "open files 930 in the fullest of 2 processes" in text


def test_those_who_came_while_events_flowed_are_told_apart() -> None:
    assert "newcomers" not in printed()
    seen = seen_by(some_fans())
    response = msgspec.structs.replace(seen.response, newcomers=seen.response.intended, newcomers_art=seen.response.art)
    assert re.search(
        "newcomers +while events flowed: p50 ", printed(seen=msgspec.structs.replace(seen, response=response))
    )


def test_how_long_those_waited_who_were_not_answered_is_told() -> None:
    assert "not answered" not in printed()
    seen = seen_by(some_fans())
    response = msgspec.structs.replace(seen.response, unanswered=distribution(np.array([3.0])))
    text = printed(seen=msgspec.structs.replace(seen, response=response))
    assert re.search(r"not answered +turned away, or gave up, after p50 3\.00 s, p90 3\.00 s, max 3\.00 s", text)


def test_what_happened_to_the_server_is_told() -> None:
    asked = Disturbances(small_queues=True, open_files=2_048, stops=2, stop_at_s=1.0)
    assert show_disturbances(asked) == "small accept queues, 2,048 open files a process, 2 nodes stopped at 1.00 s"


def test_fans_who_connect_again_are_told_of() -> None:
    assert "reconnects" not in printed()
    seen = seen_by(some_fans(), delivery=a_delivery())
    none = some_reconnects(lost=0, tried=0, served=0)
    text = printed(seen=msgspec.structs.replace(seen, reconnects=none))
    assert re.search(r"reconnects +0 connections lost *\n", text)
    back = distribution(np.array([0.5, 1.0, 2.0]), missing=1)
    some = some_reconnects(
        lost=4,
        ended={"cut": 1, "close_1012": 3},
        tried=1_200,
        served=3,
        failures={"refused": 1_190, "status_503": 6},
        back=back,
        not_back=1,
        took=distribution(np.array([0.002, 0.003, 0.004])),
    )
    text = printed(seen=msgspec.structs.replace(seen, reconnects=some))
    for part in (
        "4 connections lost (3 close 1012, 1 cut); of 1,200 tries",
        "tries to connect again 3 were served (1,190 refused, 6 status 503)",
        "back, from the loss: p50 1.00 s, p90 ∞, max ∞; 1 not back at the end",
        "such a try took p50 3.00 ms, p90 4.00 ms, max 4.00 ms",
        "of events from meanwhile 3 deliveries missed, 0 told afterwards",
    ):
        assert part in " ".join(text.split())
    nobody = printed(seen=msgspec.structs.replace(seen_by(some_fans()), reconnects=some_reconnects(not_back=10)))
    assert "back, from the loss: nobody was; 10 not back at the end" in " ".join(nobody.split())
    assert "missed" not in nobody


def test_a_wave_that_took_long_to_start_is_told() -> None:
    assert "4 at the same moment; the last of them started 2.00 ms later" in printed()
    late = printed(wave=Wave(moment=False, within_s=0.15))
    assert "4 within 150 ms: a rate, no moment" in late
    assert "counted from the intended start, so they are the generator's" in late


def test_figures_of_one_process_of_many_say_so() -> None:
    assert "CPU 12% of a core in the busiest of 6 processes" in printed(generator=a_generator(processes=6))
    assert "open files 930 of 1,024; 1 process\n" in re.sub(" +\n", "\n", printed(server=a_server(processes=1)))


def test_processes_that_ended_are_told() -> None:
    gone = (ProcessEnd(name="python", pid=7, at_s=1.0),)
    assert "of 2 processes, 1 of which ended" in printed(server=a_server(ended_processes=gone))


def test_a_place_that_is_not_the_plain_loopback_is_told() -> None:
    assert "place" not in printed()
    asked = a_result().asked
    pinned = Placement(server_cpus=(0, 2), redis_cpus=(0,))
    assert "loopback; server on CPU 0, 2; Redis on CPU 0\n" in placed(asked, pinned)
    tuned = Placement(network="netns", generator_cpus=(1,), sysctls={"net.core.somaxconn": "65535"})
    assert (
        "two network namespaces; the server's kernel settings: net.core.somaxconn 65535; generator on CPU 1"
        in placed(asked, tuned)
    )
    assert "the server's kernel settings: defaults" in placed(asked, Placement(network="netns"))


def placed(asked: Asked, placement: Placement) -> str:
    text = printed(asked=msgspec.structs.replace(asked, placement=placement))
    return re.sub(" +\n", "\n", text)


def test_posts_that_failed_or_were_held_up_are_told() -> None:
    delivery = a_delivery(unposted=2, post_lag_max_s=1.5)
    assert "5 posted, 2 not accepted, up to 1.50 s behind schedule" in printed(
        seen=seen_by(some_fans(), delivery=delivery)
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0.00 µs"),
        (0.0000042, "4.20 µs"),
        (0.0009994, "999 µs"),
        (0.0009996, "1.00 ms"),
        (0.01234, "12.3 ms"),
        (0.9994, "999 ms"),
        (1.0, "1.00 s"),
        (75.04, "75.0 s"),
        (3600, "3,600 s"),
    ],
)
def test_times_have_three_digits_and_a_unit(seconds: float | None, text: str) -> None:
    assert show_time(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(73, "73.0 B"), (3788.8, "3.70 KiB"), (55 * 1024, "55.0 KiB"), (3 * 2**20, "3.00 MiB"), (8 * 2**30, "8.00 GiB")],
)
def test_sizes_have_three_digits_and_a_unit(size: float, text: str) -> None:
    assert show_bytes(size) == text


@pytest.mark.parametrize(
    ("each", "text"), [(2048.0, "2.00 KiB"), (0.6, "0.60 B"), (0.5, "< 0.51 B"), (0.0, "< 0.51 B"), (-1.4, "< 1.40 B")]
)
def test_what_a_connection_takes_is_below_what_can_be_seen_or_a_size(each: float, text: str) -> None:
    assert show_growth(each, 8_000) == text


def test_the_servers_own_events_are_told() -> None:
    seen = seen_by(some_fans(900))
    own = OwnEvents(heard=61, by_all=60, fans=900, spread=seen.response.intended)
    text = printed(seen=msgspec.structs.replace(seen, own=own))
    assert "none were posted; 61 of the server's own, 60 of which all 900 fans had; from the first of them to" in text
    assert "max 20.0 ms" in text
    text = printed(seen=msgspec.structs.replace(seen, own=msgspec.structs.replace(own, spread=None)))
    assert "60 of which all 900 fans had  " in text


@pytest.mark.parametrize(("fans", "is_told"), [(99, False), (100, True)])
def test_of_few_fans_no_hundredth_is_told(fans: int, is_told: bool) -> None:
    text = printed(seen=seen_by(some_fans(fans)))
    (response,) = (line for line in text.splitlines() if line.startswith("response"))
    assert "p90 " in response
    assert ("p99 " in response) == is_told
