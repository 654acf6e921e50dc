"""`matchstream` where a terminal goes away, descriptors are closed, a user has no home, or the directory is a trap."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from common.domain.script import SAMPLE
from common.http.client import ApiUnreachableError, ReporterClient
from common.tuning.children import python_module
from tests.loopback import OWN_ADDRESS
from tests.stages.every_stage import with_nodes
from tests.stages.serving import ServerProcess, environment, matchstream, run
from tests.stages.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

SOME_STAGES = pytest.mark.parametrize(("stage", "options"), with_nodes(2))
NO_USER = """
import pwd, runpy, sys
def getpwuid(uid): raise KeyError(uid)
pwd.getpwuid = getpwuid
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def shell(redirection: str) -> Sequence[str]:
    """Return a prefix that runs a command with a redirection of the shell's."""
    return ("sh", "-c", f'exec "$@" {redirection}', "sh")


@SOME_STAGES
def test_a_server_whose_terminal_goes_away_leaves_nothing(stage: str, options: Sequence[str], tmp_path: Path) -> None:
    with (
        TemporaryDirectory(prefix="m-") as short,  # a socket's path has 107 bytes at most
        ServerProcess(stage, tmp_path, *options, environ=environment(tmp_path, TMPDIR=short)) as server,
    ):
        temporary = Path(short)
        assert [path.name.startswith("matchstream-redis-") for path in temporary.iterdir()] == [True]
        assert list(tmp_path.glob("matchstream/token-*")) != []
        server.send_signal(signal.SIGHUP)
        assert server.wait() == 0
        assert list(temporary.iterdir()) == []
        assert list(tmp_path.glob("matchstream/token-*")) == []


async def test_a_server_that_is_to_survive_its_terminal_does(tmp_path: Path) -> None:
    with ServerProcess("0", tmp_path, prefix=("nohup",)) as server:
        server.send_signal(signal.SIGHUP)
        async with ReporterClient(server.url) as api:  # a signal that is not ignored would have come before the answer
            assert await api.checkin() in server.fan_ports


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
async def test_a_server_with_closed_descriptors_serves(closed: str, tmp_path: Path) -> None:
    with ServerProcess("1", tmp_path, prefix=shell(closed)) as server:
        async with ReporterClient(server.url) as api:
            assert not await api.matches()


async def test_a_server_that_can_say_nothing_serves(tmp_path: Path) -> None:
    command = matchstream("serve", "--stage", "1", "--host", OWN_ADDRESS, prefix=shell("<&- >&- 2>&-"))
    server = subprocess.Popen(command, env=environment(tmp_path))  # noqa: ASYNC220  # nothing else could go on yet
    try:

        async def serves() -> bool:
            assert server.poll() is None, "it ended"
            async with ReporterClient(f"http://{OWN_ADDRESS}:8888") as api:
                try:
                    return not await api.matches()
                except ApiUnreachableError:
                    return False

        await eventually(serves, "the server answers")
    finally:
        server.terminate()
        assert server.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(
    "command",
    [("serve", "--stage", "0", "--port", "0", "--http-port", "0"), ("play", SAMPLE)],
    ids=["serve", "play"],
)
def test_a_user_without_a_home_is_told_what_to_set(command: Sequence[str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-P", "-c", NO_USER, "stages", *command],
        env={name: value for name, value in environment(tmp_path).items() if name not in {"HOME", "XDG_STATE_HOME"}},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("INFO:")]
    assert line == (
        "matchstream: there is nowhere to keep a token: this user has no home directory: "
        "set HOME or XDG_STATE_HOME, or MATCHSTREAM_TOKEN to a token"
    )


async def test_nothing_in_the_working_directory_is_executed(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (trap / "common").mkdir(parents=True)
    for name in ("random.py", "select.py", "common/__init__.py"):
        (trap / name).write_text("raise SystemExit('executed')\n")
    with ServerProcess("3", tmp_path, "--nodes", "2", prefix=("env", f"--chdir={trap}")) as server:
        async with ReporterClient(server.url) as api:
            assert not await api.matches()


def test_the_version(tmp_path: Path) -> None:
    ended = run(environment(tmp_path), "--version")
    assert (ended.status, ended.stdout, ended.stderr) == (0, "matchstream 0.1.0\n", "")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("serve", "--stag"),
            "No such option: --stag (Possible options: --host, --stage) (see matchstream serve --help)",
        ),
        (("nginx", "--listen-http"), "Option '--listen-http' requires an argument (see matchstream nginx --help)"),
        (("watch",), "Missing argument 'HOST:PORT' (see matchstream watch --help)"),
        (("serv",), "No such command 'serv'. Did you mean 'serve'? (see matchstream --help)"),
    ],
)
def test_what_is_typed_wrongly_is_answered_in_one_line(words: Sequence[str], line: str, tmp_path: Path) -> None:
    ended = run(environment(tmp_path), *words)
    assert (ended.status, ended.stdout, ended.stderr) == (2, "", f"matchstream: {line}\n")


@pytest.mark.parametrize(
    ("module", "name", "command"), [("stages", "matchstream", "serve"), ("harness", "harness", "measure")]
)
def test_a_shell_completes_commands(module: str, name: str, command: str) -> None:
    program = [sys.executable, "-P", "-c", f"import sys; sys.argv[0] = {name!r}; from {module}.cli import main; main()"]
    asked = {f"_{name.upper()}_COMPLETE": "complete_bash", "COMP_WORDS": f"{name} {command[:2]}", "COMP_CWORD": "1"}
    ended = subprocess.run(program, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert command in ended.stdout.split()


@pytest.mark.parametrize(("module", "usage"), [("stages", "Stream a soccer match"), ("harness", "Measure servers")])
def test_the_packages_are_programs(module: str, usage: str) -> None:
    ended = subprocess.run(python_module(module, "--help"), capture_output=True, text=True, check=True)
    assert usage in ended.stdout
