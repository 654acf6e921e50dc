import io

from rich.console import Console

from harness.campaign.run import Upcoming
from harness.load.reporter import Posted
from harness.load.samples import Progress
from harness.search.decide import Bracket, Try
from harness.show.campaign_progress import Bar, Lines, show_of

UPCOMING = Upcoming(3, 12, "stage 0, N=900, C=4, repeat 1", 125.0)
FANS = Progress(started=6, connected=5, answered=4)
POST = Posted(sequence=7, kind="shot", intended_s=0, sent_s=0, answered_s=0, own_lag_s=0)


def a_console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=160, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_log_has_a_line_for_each_step() -> None:
    console = a_console(terminal=False)
    with show_of(console) as shown:
        assert isinstance(shown, Lines)
        shown.begin(UPCOMING)
        shown.begin(Upcoming(1, 12, "stage 0, search for N", None))
        shown.trying(Try(8.0, "short"), Bracket(None, None, None, None, is_open=True), 0)
        shown.phase("connecting", 900)
        shown.note("a note")
    assert written(console) == (
        "3 of 12: stage 0, N=900, C=4, repeat 1, 2 min 05 s left\n1 of 12: stage 0, search for N\na note\n"
    )


def test_a_person_sees_a_bar_with_the_time_left_and_what_is_done() -> None:
    console = a_console(terminal=True)
    with show_of(console) as shown:
        assert isinstance(shown, Bar)
        shown.begin(UPCOMING)
        shown.phase("connecting", 900)
        shown.fans(FANS)
        shown.say("the machine is not at rest")
    text = written(console)
    assert "the machine is not at rest" in text
    assert "stage 0, N=900, C=4, repeat 1" in text
    assert "2/12" in text
    assert "2 min 05 s left" in text
    assert "connecting 4" in text


def test_posts_and_searches_are_shown_too() -> None:
    console = a_console(terminal=True)
    with show_of(console) as shown:
        shown.begin(UPCOMING)
        shown.phase("posting", 20)
        shown.posted(POST)
    assert "posting 7" in written(console)
    console = a_console(terminal=True)
    with show_of(console) as shown:
        shown.trying(Try(1_500.0, "full"), Bracket(None, None, None, None, is_open=True), 3)
        shown.note("going on")
    assert "at 1,500, full" in written(console)
    assert "going on" in written(console)
