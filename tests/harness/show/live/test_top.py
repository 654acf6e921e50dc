"""`harness top` in a terminal, as somebody sees it who presses its keys."""

import os
import signal
import subprocess
import sys

import pytest

from common.otp.survey import ProcessStatistics
from harness.cli import main
from harness.show.live.top import Top, first_look
from harness.show.live.view import Column, View
from harness.targets.poller import Poller
from tests.common.http.samples import statistics
from tests.harness.show.live.nodes import FakeNode, serving
from tests.harness.show.live.terminal import Terminal

ACTORS = (
    ProcessStatistics("web", "Web", 5, 7, 0, 1000),
    ProcessStatistics("db", "Db", 1, 900, 2, 3000),
)
QUICK = ("--interval", "0.1")


def a_node() -> FakeNode:
    return FakeNode(statistics(actors=ACTORS))


def without_terminal(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", "top", *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )


def test_keys_sort_filter_and_pause_and_q_gives_the_terminal_back() -> None:
    with serving(a_node()) as node, Terminal("top", "--http", node.url, *QUICK) as terminal:
        terminal.see("host:8888", "mailbox▼", "web", "db")
        assert terminal.settings != terminal.before
        terminal.press("s")
        terminal.see("messages▼", "db", "web")
        terminal.see("messages▼", "db", "900", "0", "2")  # the next look: there are rates now
        assert any("sort=messages" in path for path in node.asked)
        terminal.press("r")
        terminal.see("messages▲", "web", "db")
        terminal.press("/DB")
        terminal.see("filter: DB█")
        terminal.press("\r")
        terminal.see("only 'DB'")
        terminal.press("p")
        terminal.see("PAUSED")
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.settings == terminal.before
        assert "Traceback" not in terminal.text


def test_while_paused_nobody_is_asked() -> None:
    with serving(a_node()) as node, Terminal("top", "--http", node.url, *QUICK) as terminal:
        terminal.see("web")
        terminal.press("p")
        terminal.see("PAUSED")
        asked = len(node.asked)
        terminal.press("ss")  # drawn without asking anew
        terminal.see("per s▼")
        terminal.press("r")
        terminal.see("per s▲")
        assert len(node.asked) <= asked + 1  # one may have been under way
        terminal.press(" ")
        terminal.see("per s▲", "q quit")
        terminal.see("web")
        terminal.press("q")
        assert terminal.end() == 0
    assert len(node.asked) > asked


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_gives_the_terminal_back(number: signal.Signals) -> None:
    with serving(a_node()) as node, Terminal("top", "--http", node.url, *QUICK) as terminal:
        terminal.see("web")
        terminal.signal(number)
        assert terminal.end() == 130
        assert terminal.settings == terminal.before
        assert "Traceback" not in terminal.text


def test_a_server_that_goes_away_is_told_and_asked_until_it_is_back() -> None:
    node = a_node()
    with serving(node), Terminal("top", "--http", node.url, *QUICK) as terminal:
        terminal.see("web")
        told, node.tells = node.tells, None
        terminal.see("host:8888", f"host:8888 at {node.url} does not answer: trying again", "web")
        node.tells = told
        terminal.see_match(r"msgs/s\s+host:8888[^\n]*\s+name")  # with no line between that says it is away
        terminal.press("q")
        assert terminal.end() == 0


def test_several_nodes_have_their_rows() -> None:
    one, other = a_node(), FakeNode(statistics(node="host:9999", actors=()))
    with serving(one), serving(other):
        urls = ("--http", one.url, "--http", other.url.removeprefix("http://"))
        done = without_terminal(*urls, "--once", "--interval", "0.1")
    assert done.returncode == 0, done.stderr
    assert "host:8888" in done.stdout
    assert "host:9999" in done.stdout
    assert "all 9 of Client" in done.stdout


def test_once_prints_rates_and_needs_no_terminal() -> None:
    with serving(a_node()) as node:
        done = without_terminal("--http", node.url, "--once", "--interval", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(node.asked) == 2
    assert "\x1b" not in done.stdout
    assert done.stdout.splitlines()[0].split()[:3] == ["node", "up", "fans"]


EVIL = "\x1b[2J\x9b31m\u202e[red]"
SHOWN = r"\x1b[2J\x9b31m\u202e[red]"


def test_what_a_hostile_node_says_is_shown_harmlessly() -> None:
    actors = (ProcessStatistics(EVIL, EVIL, 5, 7, 0, 1000),)
    with serving(FakeNode(statistics(node=EVIL, actors=actors))) as node:
        done = without_terminal("--http", node.url, "--once", "--interval", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\x1b" in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())
    with serving(FakeNode(None, refusal=EVIL)) as node:
        done = without_terminal("--http", node.url, "--once")
    assert (done.returncode, done.stderr) == (2, f"harness: {SHOWN} (HTTP 503)\n")


async def test_it_is_over_when_the_terminal_has_gone() -> None:
    drawn: list[View] = []
    with serving(a_node()) as node:
        async with Poller([node.url]) as poller:
            fd, person = os.pipe()
            top = Top(poller, await first_look(poller), lambda _, view: drawn.append(view), fd, 60.0)
            os.write(person, b"s")
            os.close(person)
            await top.run()
            os.close(fd)
    assert drawn == [View(), View(Column.MESSAGES)]


async def test_what_cannot_be_drawn_ends_it() -> None:
    drawn = 0

    def draw(_looks: object, _view: object) -> None:
        nonlocal drawn
        drawn += 1
        if drawn > 1:
            raise OSError("no such terminal")

    with serving(a_node()) as node:
        async with Poller([node.url]) as poller:
            fd, person = os.pipe()
            top = Top(poller, await first_look(poller), draw, fd, 0.01)
            with pytest.raises(OSError, match="no such terminal"):
                await top.run()
            os.close(fd)
            os.close(person)


def test_without_a_terminal_it_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main(["top"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "harness: this is no terminal, so nobody can press a key: say --once for one table"
    ]


@pytest.mark.parametrize("once", [(), ("--once",)])
def test_nobody_there_is_one_line(once: tuple[str, ...]) -> None:
    with serving(a_node()) as node:
        url = node.url
    with Terminal("top", "--http", url, *once, columns=200) as terminal:
        assert terminal.end() == 2
        (line,) = terminal.text.splitlines()
    assert line.startswith(f"harness: no answer from {url} (")
    assert line.endswith("is the server running, and is this its address?")


def test_what_is_no_such_server_is_one_line() -> None:
    node = FakeNode(None)
    with serving(node):
        done = without_terminal("--http", node.url, "--once")
    assert (done.returncode, done.stderr) == (2, "harness: not now (HTTP 503)\n")


def test_what_is_no_address_is_one_line() -> None:
    done = without_terminal("--http", "nonsense", "--once")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "'nonsense' is no address" in done.stderr
