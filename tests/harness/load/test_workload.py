import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.workload import (
    CONNECTIONS_PER_ADDRESS,
    RESERVED_FILES,
    Dialogue,
    Endpoint,
    Heartbeat,
    InvalidDialogueError,
    InvalidLoadError,
    Load,
    NoRoomError,
    Protocol,
    Turn,
    Vars,
    deal,
    processes_needed,
)
from tests.harness.known_servers import DIALOGUE

counts = st.integers(1, 500)


def test_waves_of_c_start_together_every_interval() -> None:
    assert list(Load(7, 3, 0.25).starts()) == [0, 0, 0, 0.25, 0.25, 0.25, 0.5]
    assert Load(7, 3, 0.25).duration_s == 0.5
    assert Load(6, 3, 0.25).duration_s == 0.25


@given(counts, counts)
def test_every_fan_has_its_start_and_no_wave_is_larger_than_c(n: int, c: int) -> None:
    load = Load(n, min(n, c))
    starts = load.starts()
    assert len(starts) == n
    assert starts[-1] == load.duration_s
    assert list(starts) == sorted(starts)
    assert max(len(list(wave)) for _, wave in itertools.groupby(starts)) == load.c


@pytest.mark.parametrize(
    ("n", "c", "interval_s", "words"),
    [
        (0, 1, 0.25, "1 or more"),
        (1, 0, 0.25, "1 or more"),
        (3, 4, 0.25, "C=4 needs N=4"),
        (4, 4, 0.0, "more than 0"),
        (4, 4, math.nan, "more than 0"),
        (4, 4, math.inf, "more than 0"),
    ],
)
def test_a_load_that_makes_no_sense_is_refused_on_one_line(n: int, c: int, interval_s: float, words: str) -> None:
    with pytest.raises(InvalidLoadError, match=words) as refused:
        Load(n, c, interval_s)
    assert "\n" not in str(refused.value)


def test_a_hello_names_the_user() -> None:
    assert DIALOGUE.filled(DIALOGUE.hello, 7, b"fan-7") == b"VERSION:1:CONNECT:fan-7:MATCH:elp-tig-2011-09-10\n"


def test_what_a_fan_says_may_have_values_of_its_own() -> None:
    own = Vars((b"token", b"room"), ((b"t0", b"r0"), (b"t1", b"r1"), (b"t2", b"r2")))
    dialogue = replace(DIALOGUE, vars=own)
    assert dialogue.filled(b"{user} {token} in {room} {other}", 4, b"u") == b"u t1 in r1 {other}"
    some = own.of(range(1, 6, 2))
    assert [some.fill(b"{token}", fan) for fan in range(3)] == [b"t1", b"t0", b"t2"]


@pytest.mark.parametrize("empty", ["hello", "answer_end", "mark"])
def test_a_dialogue_needs_its_parts(empty: str) -> None:
    parts = {"hello": b"V:2:{user}\n", "welcome_end": b"", "answer_end": b"\n\r\n", "mark": b"#", "error_start": b"E:"}
    Dialogue(**{**parts, "error_start": b""})
    with pytest.raises(InvalidDialogueError, match=empty):
        Dialogue(**{**parts, empty: b""})


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"welcome_end": b"w"}, "welcome_end is given"),
        ({"error_start": b"E:"}, "error_start is given without answer_end"),
        ({"hello": b""}, "hello is empty"),
        ({"turns": (Turn(b"x", b"y"),)}, "says more than its request"),
        ({"heartbeat": Heartbeat(b"x", b"y")}, "a heartbeat is given"),
    ],
)
def test_over_http_the_answer_is_the_head_unless_more_is_said(parts: dict[str, Any], says: str) -> None:
    least = Dialogue(b"GET", b"", b"", b"#", b"", Protocol.HTTP)
    replace(least, answer_end=b": hi", error_start=b"E:")
    with pytest.raises(InvalidDialogueError, match=says):
        replace(least, **parts)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"turns": (Turn(b"x", b""),)}, "answer_end of a further message is empty"),
        ({"heartbeat": Heartbeat(b"", b"y")}, "a heartbeat needs both"),
        ({"heartbeat": Heartbeat(b"x", b"")}, "a heartbeat needs both"),
    ],
)
def test_what_a_dialogue_of_lines_may_not_have(parts: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidDialogueError, match=says):
        replace(DIALOGUE, **parts)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("192.0.2.1", False), ("::1", False), ("localhost", False)],
)
def test_only_numeric_ipv4_loopback_lets_a_fan_choose_its_source(host: str, is_loopback: bool) -> None:
    assert Endpoint(host, 9999).is_loopback is is_loopback


def test_as_many_processes_as_the_open_files_need() -> None:
    assert processes_needed(19_936, 20_000) == 1
    assert processes_needed(19_937, 20_000) == 2
    assert processes_needed(1_000_000, 20_000) == 51


def test_a_limit_without_room_is_refused() -> None:
    with pytest.raises(NoRoomError, match="no room"):
        processes_needed(1, RESERVED_FILES)


def test_too_few_processes_are_refused_with_the_number_that_would_do() -> None:
    with pytest.raises(NoRoomError, match="need 2 generator processes"):
        deal(20_000, 20_000, processes=1)
    assert len(deal(20_000, 20_000, processes=3)) == 3


@given(n=counts, c=counts, processes=st.integers(1, 20))
def test_every_fan_is_dealt_once_and_each_wave_evenly(n: int, c: int, processes: int) -> None:
    shares = deal(n, 20_000, processes)
    assert sorted(fan for share in shares for fan in share.fans) == list(range(n))
    assert all(share.fans for share in shares)
    for first in range(0, n, c):
        wave = range(first, min(n, first + c))
        sizes = [sum(fan in wave for fan in share.fans) for share in shares]
        assert max(sizes) - min(sizes) <= 1


@given(n=st.integers(1, 3_000_000), open_files=st.sampled_from([1024, 20_000, 1_048_576]))
def test_no_two_processes_share_a_source_address_and_none_is_used_too_often(n: int, open_files: int) -> None:
    shares = deal(n, open_files)
    sources = [source for share in shares for source in share.sources]
    assert len(set(sources)) == len(sources)
    assert all(source.startswith("127.0.") and not source.startswith("127.0.0.") for source in sources)
    for share in shares:
        assert len(share.fans) <= len(share.sources) * CONNECTIONS_PER_ADDRESS
        assert len(share.fans) <= open_files - RESERVED_FILES


def test_more_connections_than_loopback_has_addresses_for_are_refused() -> None:
    with pytest.raises(InvalidLoadError, match="too few source addresses"):
        deal(70_000, RESERVED_FILES + 1)
