import io

import msgspec
from rich.console import Console

from harness.records.trial import Bound, TrialResult, Validity
from harness.records.usage import Wave
from harness.show.trials import markdown, show_results
from tests.harness.results import a_delivery, a_result, a_server, seen_by, some_fans

INVALID = Validity(valid=False, reasons=("the generator was late",))
BARE = a_result(seen=seen_by(some_fans(0, refused=3)), server=None)
LOST = a_result(
    seen=seen_by(some_fans(890, no_welcome=10), delivery=a_delivery(890, lost=1234)),
    bound=Bound(name="open files", evidence="there were none left"),
    machine=msgspec.structs.replace(a_result().machine, commit="0123456789abcdef+"),
)


def named(name: str) -> TrialResult:
    result = a_result()
    asked = msgspec.structs.replace(result.asked, target=msgspec.structs.replace(result.asked.target, name=name))
    return msgspec.structs.replace(result, asked=asked)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_markdown_has_a_row_a_result_in_their_order() -> None:
    text = markdown([named("stage 3, 6 nodes"), LOST, BARE])
    assert text.endswith("|\n")
    head, rule, *rows = text.splitlines()
    assert len(rows) == 3
    assert {line.count("|") for line in (head, rule, *rows)} == {18}
    first, lost, bare = (dict(zip(cells(head), cells(row), strict=True)) for row in rows)
    assert (first["server"], first["N"], first["C"], first["every"]) == ("stage 3, 6 nodes", "900", "4", "250 ms")
    assert (first["served"], first["lost"], first["valid"], first["bound first"]) == ("900", "0", "yes", "nothing")
    assert first["response mean / p99"].endswith(" ms / 19.8 ms")
    assert first["fan-out mean / last"].endswith(" ms / 45.0 ms")
    assert (first["a connection"], first["commit"]) == ("10.9 KiB", "-")
    assert (lost["served"], lost["lost"], lost["bound first"]) == ("890", "1,234", "open files")
    assert lost["commit"] == "0123456+"
    for name in ("lost", "ART mean / p99", "response mean / p99", "fan-out mean / last", "a connection"):
        assert bare[name] == "-"


def test_a_wave_that_was_no_moment_is_marked_with_the_times_that_it_spoils() -> None:
    (row,) = markdown([a_result(wave=Wave(moment=False, within_s=0.15))]).splitlines()[2:]
    assert "| 4 within 150 ms |" in row
    assert row.count("(generator's)") == 1


def test_a_name_cannot_break_a_row() -> None:
    assert r"| a\|b |" in markdown([named("a|b")])


def test_an_invalid_result_says_so_and_is_dimmed() -> None:
    invalid = a_result(validity=INVALID)
    assert "| INVALID |" in markdown([invalid])
    console = Console(file=io.StringIO(), width=250, force_terminal=True)
    console.print(show_results([a_result(), invalid]))
    assert isinstance(console.file, io.StringIO)
    _, good, bad = console.file.getvalue().splitlines()
    assert "\x1b[2m" not in good
    assert "\x1b[2m" in bad
    assert "INVALID" in bad


def test_nothing_heard_of_the_server_or_the_events_is_not_made_up() -> None:
    quiet = a_result(
        seen=seen_by(some_fans(), delivery=a_delivery(fanout=None, last_mean_s=None)),
        server=a_server(memory_per_connection_bytes=None),
    )
    row = dict(zip(*(cells(line) for line in markdown([quiet]).splitlines()[::2]), strict=True))
    assert (row["fan-out mean / last"], row["a connection"]) == ("-", "-")


def test_a_row_that_breaks_the_slo_of_the_page_is_marked() -> None:
    slow = a_result(seen=seen_by(some_fans(), slowest_s=30.0))
    first, second = markdown([a_result(), slow]).splitlines()[2:]
    assert "| met |" in first
    assert "| BROKE p99<1s (" in second
