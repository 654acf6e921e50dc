import io
import re

import pytest
from rich.console import Console, RenderableType

from common.http.statistics import SubscriptionsStatistics, WriterStatistics
from common.otp.survey import ProcessStatistics
from harness.load.reporter import Posted
from harness.load.samples import Progress
from harness.show.live.course import Pace, Told
from harness.show.live.screen import show_top, show_trial
from harness.show.live.view import Column, View
from harness.targets.poller import Look, Polled
from tests.common.http.samples import statistics

MANY = tuple(ProcessStatistics(f"client_mgr-{number}", "ClientSup", 0, number, 0, 1000) for number in range(40))


def look(**changes: object) -> Look:
    return Look("url").next(Polled(1.0, statistics())).next(Polled(2.0, statistics(uptime_s=3725.0, **changes)))


def text_of(shown: RenderableType, width: int = 80) -> str:
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    console.print(shown)
    return console.export_text()


def test_a_node_and_its_actors() -> None:
    text = text_of(show_top([look(accepted=32)], View(), 24))
    lines = text.splitlines()
    assert lines[0].split() == ["node", "up", "fans", "accepts/s", "sent/s", "drops", "lag", "CPU", "RSS"]
    assert lines[1].split() == ["host:8888", "1h02", "9", "20", "0", "2", "250", "ms", "0%", "47.7", "MiB"]
    assert lines[2].split() == [
        *("node", "API", "calls/s", "writer", "done/s", "failed", "waits", "no", "reply", "channels", "msgs/s")
    ]
    assert lines[3].split() == ["host:8888", "2", "0", "yes,", "lost", "1", "0", "2", "3", "4", "5", "0"]
    assert lines[5].split() == ["name", "kind", "mailbox▼", "messages", "per", "s", "restarts", "memory"]
    assert lines[6].split() == ["all", "9", "of", "Client", "Client", "3", "31", "0", "0", "8.79", "KiB"]
    assert "Client#5ca1ab1e" in text
    assert "s sort  r reverse  / filter  p pause  q quit" in text


@pytest.mark.parametrize(
    ("up_s", "told"), [(0.0, "0s"), (59.9, "59s"), (61.0, "1m01"), (3600.0, "1h00"), (360_000.0, "100h00")]
)
def test_how_long_it_is_up(up_s: float, told: str) -> None:
    shown = text_of(show_top([Look("url").next(Polled(1.0, statistics(uptime_s=up_s)))], View(), 24))
    assert shown.splitlines()[1].split()[1] == told


@pytest.mark.parametrize("width", [80, 120])
def test_no_figure_is_cut_off_and_no_line_is_wrapped(width: int) -> None:
    busy = ProcessStatistics("match-" + "x" * 80, "LiveMatch", 1_234_567, 123_456_789, 12, 123_456_789)
    other = Look("b").next(Polled(1.0, statistics(node="another-host-with-a-name:8888")))
    text = text_of(show_top([look(actors=(busy,)), other], View(), 24), width)
    for figure in ("1,234,567", "123,456,789", "118 MiB"):
        assert figure in text
    assert max(map(len, text.splitlines())) <= width
    assert len(text.splitlines()) == 2 + 1 + 2 + 1 + 1 + 1 + 4 + 1 + 1


def test_more_actors_than_there_is_room_for_are_counted() -> None:
    text = text_of(show_top([look(actors=MANY)], View(), 20))
    assert len(text.splitlines()) <= 20
    assert "28 more" in text


def test_several_nodes_have_a_column_and_one_that_is_away_says_so() -> None:
    looks = [look(), look(node="other:9").missed("no answer"), Look("http://third:1").missed("nobody")]
    text = text_of(show_top(looks, View(), 30), 120)
    assert "other:9 at url does not answer: trying again" in text
    assert "http://third:1 does not answer: trying again" in text
    assert text.count("host:8888") == 1 + 1 + 3
    assert len(text.splitlines()) == 3 + 2 + 3 + 1 + 1 + 2 * 3 + 1


def test_parts_that_no_node_has_are_left_out() -> None:
    stage_0 = look(writer=None, requests=None, subscriptions=None)
    assert "API calls/s\n" in text_of(show_top([stage_0], View(), 24))
    silent = look(api=None, writer=None, requests=None, subscriptions=None)
    assert "calls/s" not in text_of(show_top([silent], View(), 24))


def test_a_node_that_is_no_writer_and_hears_nothing_of_redis_says_so() -> None:
    deaf = look(
        node="b:1",
        writer=WriterStatistics(False, 0, 0, 0, 0),
        subscriptions=SubscriptionsStatistics(False, 5, 6, 7, 90),
    )
    text = text_of(show_top([look(api=None), deaf], View(), 30), 120)
    assert re.search(r"host:8888 +- +- +yes, lost 1 +0 +2 +3 +4 +5 +0\n", text)
    assert re.search(r"b:1 +2 +- +no +- +0 +3 +4 +away +-\n", text)


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (View(Column.MEMORY), "memory▼"),
        (View(Column.NAME, reverse=True), "name▲"),
        (View(paused=True), "PAUSED"),
        (View(wanted="dispatch"), "only 'dispatch'"),
        (View(typing=True, wanted="dis"), "filter: dis█"),
    ],
)
def test_what_a_view_is_is_told(view: View, told: str) -> None:
    text = text_of(show_top([look()], view, 24))
    assert told in text
    assert ("Client#5ca1ab1e" in text) == (not view.wanted)


def post(mark: int, error: str | None = None) -> Posted:
    return Posted(mark, "shot", 0.0, 0.0, 0.0, 0.0, error)


def test_a_trial_without_a_server_that_tells_of_itself() -> None:
    pace = Pace().next(1.0, Progress(10, 10, 9, 1, 0, 0)).next(2.0, Progress(10, 10, 9, 1, 0, 14))
    told = Told().begin("posting", 4, pace.progress).post(post(1)).post(post(2))
    told = told.post(post(3, "no store"))
    text = text_of(show_trial("stage 0", 10, told, pace, [Look("url").missed("404")]))
    assert "stage 0: posting" in text
    assert "10 of 10 connected, 9 answered, 1 failed, 0 closed" in text
    assert "0 answered a second, 14 receipts" in text
    assert "2 of 4 accepted, 1 refused: no store" in text
    assert "5 of 9 fans have it, 56%" in text
    assert "mailbox" not in text


def test_fans_who_are_away_are_told() -> None:
    pace = Pace().next(1.0, Progress(10, 10, 10, closed=3, away=2))
    assert "0 failed, 3 closed (2 coming back)" in text_of(show_trial("stage 4", 10, Told(), pace, []))


def test_a_trial_above_the_server() -> None:
    text = text_of(show_trial("stage 0", 10, Told(), Pace(), [look(actors=MANY)]))
    assert "stage 0: starting" in text
    assert "the last" not in text
    assert "host:8888" in text
    assert "client_mgr-39" in text
    assert "client_mgr-1 " not in text
